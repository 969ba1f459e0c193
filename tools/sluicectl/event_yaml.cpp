// A definition written as YAML, the way one would by hand.
#include "codec/times.hpp"
#include "event_text.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace sluice::ctl {

namespace {

using domain::event_definition;

/// Plain where every YAML reader agrees it is a string, else in double quotes (which JSON's are a form of).
std::string scalar(const std::string& text) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto is_plain = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '_' || c == '.' || c == '/';
  };
  auto lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view words[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"};
  bool is_word = std::find(std::begin(words), std::end(words), lower) != std::end(words);
  if (!text.empty() && is_letter(text.front()) && text.back() != ' ' && !is_word &&
      std::all_of(text.begin(), text.end(), is_plain))
    return text;
  std::string quoted;
  codec::append_json(quoted, text);
  return quoted;
}

/// What most of them have; the first of those on a tie.
template <class Each>
std::uint32_t commonest(Each&& each) {
  std::map<std::uint32_t, std::size_t> counts;
  each([&](std::uint32_t category) { ++counts[category]; });
  auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? 0 : most->first;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || std::to_string(value) != text ||
      value < 0 || value > 1'000'000'000)
    return std::nullopt;
  return value;
}

class writer {
public:
  writer(const event_definition& d, const std::set<std::string>& unpriced) : d_{d}, unpriced_{unpriced} {}

  std::string write(const std::string& heading) {
    out_ = heading;
    line(0, "id: " + scalar(d_.id));
    line(0, "name: " + scalar(d_.name));
    if (!d_.venue.empty())
      line(0, "venue: " + scalar(d_.venue));
    line(0, "startsAt: " + scalar(codec::to_text(d_.starts_at)));
    line(0, "timeZone: " + scalar(d_.time_zone));
    if (d_.sale_opens_at || d_.sale_closes_at) {
      line(0, "sale:");
      if (d_.sale_opens_at)
        line(1, "opensAt: " + scalar(codec::to_text(*d_.sale_opens_at)));
      if (d_.sale_closes_at)
        line(1, "closesAt: " + scalar(codec::to_text(*d_.sale_closes_at)));
    }
    line(0, "currency: " + scalar(d_.currency));
    line(0, "categories:");
    for (const auto& c : d_.categories)
      line(1, "- {id: " + scalar(c.id) + name_beside(c.id, c.name) +
                  (unpriced_.contains(c.id) ? "} # price: is missing" : ", price: " + std::to_string(c.price) + "}"));
    write_places();
    const auto& a = d_.admission;
    line(0, "admission:");
    number(1, "usersPerMinute", a.users_per_minute);
    number(1, "maxActiveUsers", a.max_active_users);
    number(1, "activeTtlSeconds", a.active_ttl_seconds);
    number(1, "claimWindowSeconds", a.claim_window_seconds);
    number(1, "waitingTtlSeconds", a.waiting_ttl_seconds);
    number(1, "batchMs", a.batch_ms);
    number(1, "maxWaitingUsers", a.max_waiting_users);
    number(0, "holdTtlSeconds", d_.hold_ttl_seconds);
    number(0, "holdExtensionsMax", d_.hold_extensions_max);
    number(0, "limitPerUser", d_.limit_per_user);
    number(0, "paymentWindowSeconds", d_.payment_window_seconds);
    line(0, std::string{"keepActiveAfterBooking: "} + (d_.keep_active_after_booking ? "true" : "false"));
    line(0, std::string{"identity: "} + (d_.identity == domain::identity_mode::trusted ? "trusted" : "anonymous"));
    return std::move(out_);
  }

private:
  void line(std::size_t depth, std::string_view text) {
    out_.append(depth * 2, ' ');
    out_ += text;
    out_ += '\n';
  }

  void number(std::size_t depth, std::string_view name, std::uint64_t value) {
    line(depth, std::string{name} + ": " + std::to_string(value));
  }

  static std::string name_beside(const std::string& id, const std::string& name) {
    return name == id ? std::string{} : ", name: " + scalar(name);
  }

  std::string category(std::uint32_t i) const { return scalar(d_.categories.at(i).id); }

  void write_places() {
    if (!d_.sections.empty())
      line(0, "sections:");
    for (const auto& section : d_.sections) {
      line(1, "- id: " + scalar(section.id));
      if (section.name != section.id)
        line(2, "name: " + scalar(section.name));
      line(2, section.blocks.empty() ? "blocks: []" : "blocks:");
      for (const auto& block : section.blocks)
        write_block(block);
    }
    if (!d_.areas.empty())
      line(0, "areas:");
    for (const auto& area : d_.areas)
      line(1, "- {id: " + scalar(area.id) + name_beside(area.id, area.name) + ", category: " + category(area.category) +
                  ", capacity: " + std::to_string(area.capacity) + "}");
  }

  void write_block(const domain::block_definition& block) {
    auto usual = commonest([&](auto&& see) {
      for (const auto& row : block.rows)
        for (const auto& seat : row.seats)
          see(seat.category);
    });
    line(3, "- id: " + scalar(block.id));
    if (block.name != block.id)
      line(4, "name: " + scalar(block.name));
    line(4, "category: " + category(usual));
    line(4, block.rows.empty() ? "rows: []" : "rows:");
    for (const auto& row : block.rows)
      write_row(block, row, usual);
  }

  void write_row(const domain::block_definition& block, const domain::row_definition& row, std::uint32_t usual) {
    auto mine = row.seats.empty() ? usual : commonest([&](auto&& see) {
      for (const auto& seat : row.seats)
        see(seat.category);
    });
    auto short_form = range_of(block, row, mine);
    if (!short_form.empty() || row.seats.empty()) {
      line(5, "- {id: " + scalar(row.id) + (mine == usual ? std::string{} : ", category: " + category(mine)) +
                  ", seats: " + (row.seats.empty() ? "[]" : short_form) + "}");
      return;
    }
    line(5, "- id: " + scalar(row.id));
    if (mine != usual)
      line(6, "category: " + category(mine));
    line(6, "seats:");
    for (const auto& seat : row.seats) {
      auto text = "- {number: " + scalar(seat.number);
      if (seat.id != block.id + "-" + row.id + "-" + seat.number)
        text += ", id: " + scalar(seat.id);
      if (seat.category != mine)
        text += ", category: " + category(seat.category);
      line(7, text + "}");
    }
  }

  /// "1-40" when the row is just that, else empty.
  static std::string range_of(const domain::block_definition& block, const domain::row_definition& row,
                              std::uint32_t mine) {
    std::optional<std::int64_t> first;
    for (std::size_t i = 0; i < row.seats.size(); ++i) {
      const auto& seat = row.seats[i];
      auto n = whole_number(seat.number);
      if (!n)
        return {};
      if (!first)
        first = n;
      if (*n != *first + static_cast<std::int64_t>(i) || seat.category != mine ||
          seat.id != block.id + "-" + row.id + "-" + seat.number)
        return {};
    }
    if (!first)
      return {};
    auto last = *first + static_cast<std::int64_t>(row.seats.size()) - 1;
    return *first == 1 ? std::to_string(last) : "\"" + std::to_string(*first) + "-" + std::to_string(last) + "\"";
  }

  const event_definition& d_;
  const std::set<std::string>& unpriced_;
  std::string out_;
};

} // namespace

std::string write_yaml(const event_definition& definition, const std::string& heading,
                       const std::set<std::string>& unpriced) {
  return writer{definition, unpriced}.write(heading);
}

} // namespace sluice::ctl
