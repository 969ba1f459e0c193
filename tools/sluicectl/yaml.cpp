#include "yaml.hpp"

#include <boost/json/stream_parser.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <unordered_set>
#include <vector>

namespace sluice::ctl {

using codec::document;
using kind = document::kind;

namespace {

/// What ends the reading; carried through the parser, which knows exceptions only.
struct stopped {
  text_error why;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// [-+]?[0-9]+ without a leading zero.
bool is_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+'))
    text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit) && (text.size() == 1 || text.front() != '0');
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, with a point or an exponent
bool is_real(std::string_view text) {
  std::size_t at = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  auto digits = [&] {
    auto from = at;
    while (at < text.size() && is_digit(text[at]))
      ++at;
    return at - from;
  };
  auto whole = digits();
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    fraction = digits();
  }
  if (whole + fraction == 0)
    return false;
  bool is_whole = fraction == 0 && text[at - 1] != '.';
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+'))
      ++at;
    if (digits() == 0)
      return false;
    is_whole = false;
  }
  // Digits alone are an integer or, with a leading zero, a string.
  return at == text.size() && !is_whole;
}

/// A plain scalar is what it looks like.
document plain(const std::string& text) {
  document d;
  if (is_one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    d.is = kind::boolean;
    d.boolean = text.front() == 't' || text.front() == 'T';
    return d;
  }
  if (is_integer(text)) {
    auto from = text.data() + (text.front() == '+' ? 1 : 0);
    auto parsed = std::from_chars(from, text.data() + text.size(), d.integer);
    d.is = parsed.ec == std::errc{} ? kind::integer : kind::real;
    if (d.is == kind::real)
      d.text = text; // too large for any field
    return d;
  }
  d.is =
      is_real(text) || is_one_of(text, {".inf", "-.inf", "+.inf", ".nan", ".Inf", ".NaN"}) ? kind::real : kind::string;
  d.text = text;
  return d;
}

/// Builds the tree from the parser's events.
class tree_builder final : public YAML::EventHandler {
public:
  explicit tree_builder(const text_limits& limits) : limits_{limits} {}

  document root;
  bool begun = false;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (begun)
      stop(mark, "a second document begins here; a file holds one event");
    begun = true;
  }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, {}); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto known = anchored_.find(anchor);
    if (known == anchored_.end())
      stop(mark, "an alias stands inside what it names");
    count(mark, known->second.values);
    place(mark) = known->second.value;
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && tag != "?" && !tag.empty())
      stop(mark, "tags are not supported");
    if (wants_key())
      return take_key(mark, text);
    document d;
    if (quoted) {
      d.is = kind::string;
      d.text = text;
    } else {
      d = plain(text);
    }
    add(mark, anchor, std::move(d));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, kind::array);
  }

  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, kind::object);
  }

  void OnMapEnd() override { end(); }

private:
  struct open_value {
    document* at;
    YAML::anchor_t anchor;
    std::size_t values_before;
    std::optional<std::string> key;
    std::unordered_set<std::string> keys;
  };

  struct anchored_value {
    document value;
    std::size_t values;
  };

  [[noreturn]] static void stop(const YAML::Mark& mark, std::string why) {
    throw stopped{{mark.is_null() ? 0 : mark.line + 1, std::move(why)}};
  }

  void count(const YAML::Mark& mark, std::size_t more) {
    values_ += more;
    if (values_ > limits_.values_max)
      stop(mark, "there are too many values");
  }

  bool wants_key() const { return !open_.empty() && open_.back().at->is == kind::object && !open_.back().key; }

  void take_key(const YAML::Mark& mark, const std::string& text) {
    if (text == "<<")
      stop(mark, "merge keys are not supported");
    if (!open_.back().keys.insert(text).second)
      stop(mark, "the key '" + text.substr(0, 64) + "' is here twice");
    open_.back().key = text;
  }

  /// The place of the next value. It stays where it is until the value is complete: its siblings come later.
  document& place(const YAML::Mark& mark) {
    if (open_.empty())
      return root;
    auto& parent = open_.back();
    if (parent.at->is == kind::array)
      return parent.at->items.emplace_back();
    if (!parent.key)
      stop(mark, "a key must be text");
    parent.at->fields.push_back({std::move(*parent.key), {}});
    parent.key.reset();
    return parent.at->fields.back().value;
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, document d) {
    count(mark, 1);
    d.line = mark.line + 1;
    auto& at = place(mark);
    at = std::move(d);
    if (anchor != YAML::NullAnchor)
      anchored_[anchor] = {at, 1};
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, kind what) {
    if (tag != "?" && tag != "!" && !tag.empty())
      stop(mark, "tags are not supported");
    if (open_.size() >= limits_.depth_max)
      stop(mark, "this is nested too deeply");
    auto before = values_;
    count(mark, 1);
    auto& at = place(mark);
    at.is = what;
    at.line = mark.line + 1;
    open_.push_back({&at, anchor, before, {}, {}});
  }

  void end() {
    auto done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor == YAML::NullAnchor)
      return;
    auto size = values_ - done.values_before;
    count({}, size); // the copy kept for aliases
    anchored_[done.anchor] = {*done.at, size};
  }

  text_limits limits_;
  std::vector<open_value> open_;
  std::map<YAML::anchor_t, anchored_value> anchored_;
  std::size_t values_ = 0;
};

int line_at(std::string_view text, std::size_t offset) {
  auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<int>(std::count(text.begin(), end, '\n'));
}

/// Walks well-formed JSON beside its document and notes where each value begins.
class line_finder {
public:
  explicit line_finder(std::string_view text) : text_{text} {}

  void visit(document& d) {
    skip_to_value();
    d.line = line_;
    switch (d.is) {
    case kind::array:
      ++at_;
      for (auto& item : d.items)
        visit(item);
      skip_to_value();
      ++at_;
      return;
    case kind::object:
      ++at_;
      for (auto& [name, value] : d.fields) {
        skip_to_value();
        skip_string();
        visit(value);
      }
      skip_to_value();
      ++at_;
      return;
    case kind::string:
      return skip_string();
    default:
      while (at_ < text_.size() && !is_between(text_[at_]) && text_[at_] != '}' && text_[at_] != ']')
        ++at_;
    }
  }

private:
  static bool is_between(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':'; }

  void skip_to_value() {
    for (; at_ < text_.size() && is_between(text_[at_]); ++at_)
      line_ += text_[at_] == '\n' ? 1 : 0;
  }

  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      at_ += text_[at_] == '\\' ? 1 : 0;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

} // namespace

std::optional<text_error> parse_yaml(std::string_view text, document& to, const text_limits& limits) {
  tree_builder builder{limits};
  try {
    std::istringstream in{std::string{text}};
    YAML::Parser parser{in};
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const stopped& s) {
    return s.why;
  } catch (const YAML::Exception& e) {
    return text_error{e.mark.is_null() ? 0 : e.mark.line + 1, "it is not well-formed YAML: " + e.msg};
  }
  if (!builder.begun)
    return text_error{1, "it is empty"};
  to = std::move(builder.root);
  return std::nullopt;
}

std::optional<text_error> parse_json_with_lines(std::string_view text, document& to, const text_limits& limits) {
  auto parsed = codec::parse_json(text, {limits.depth_max, limits.values_max});
  if (!parsed) {
    // Once more, for the place only.
    boost::json::parse_options options;
    options.max_depth = limits.depth_max;
    boost::json::stream_parser again{{}, options};
    boost::json::error_code ec;
    auto used = again.write_some(text.data(), text.size(), ec);
    int line = ec ? line_at(text, used) : used < text.size() ? line_at(text, used) : 0;
    if (!ec && used == text.size() && !again.done())
      line = line_at(text, text.size());
    return text_error{line, "it is not valid JSON: " + parsed.why().detail};
  }
  to = std::move(*parsed);
  line_finder{text}.visit(to);
  return std::nullopt;
}

} // namespace sluice::ctl
