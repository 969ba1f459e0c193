#include "admin_api.hpp"

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>

namespace sluice::ctl {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t key_bytes_max = 4096;

node_address address_or_throw(const std::string& url) {
  auto address = address_from(url);
  if (!address)
    throw failure{exit_code::usage, "--url must look like http://127.0.0.1:8080 or https://shop.example.org:8443"};
  return *address;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

std::string checked_key(std::string key, const std::string& from) {
  key = trimmed(std::move(key));
  bool ok = !key.empty() && key.size() <= key_bytes_max;
  for (char c : key)
    ok = ok && c > 0x20 && c < 0x7F;
  if (!ok)
    throw failure{exit_code::usage, from + " holds no key (a key is one line such as slk_…)"};
  return key;
}

std::string read_key(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::string key(key_bytes_max + 1, '\0');
  in.read(key.data(), static_cast<std::streamsize>(key.size()));
  if (in.gcount() == 0 && !in.eof())
    throw failure{exit_code::usage, "can not read the key file " + file.string()};
  key.resize(static_cast<std::size_t>(in.gcount()));

  struct stat info {};

  if (::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
    say("sluicectl: " + file.string() + " can be read by others; run: chmod 600 " + file.string());
  return checked_key(std::move(key), file.string());
}

std::string retry_hint(const codec::document& problem) {
  const auto* ms = problem.find("retryAfterMs");
  if (ms == nullptr || ms->integer <= 0)
    return {};
  return "; try again in " + std::to_string((ms->integer + 999) / 1000) + " s";
}

std::string text_of(const codec::document& d, std::string_view name) {
  const auto* found = d.find(name);
  return found ? found->text : std::string{};
}

} // namespace

found_key find_admin_key(const settings& s, const node_address& node, const fs::path& folder) {
  if (!s.key_file.empty())
    return {read_key(s.key_file), {}};
  if (const char* key = std::getenv("SLUICE_ADMIN_KEY"); key != nullptr && *key != '\0')
    return {checked_key(key, "SLUICE_ADMIN_KEY"), {}};
  if (const char* file = std::getenv("SLUICE_ADMIN_KEY_FILE"); file != nullptr && *file != '\0')
    return {read_key(file), {}};
  constexpr const char* name_one = "name one with --key-file, SLUICE_ADMIN_KEY or SLUICE_ADMIN_KEY_FILE";
  if (!node.is_loopback())
    return {{}, std::string{name_one} + " (a key found here is not sent to another machine unasked)"};
  std::error_code ec;
  if (fs::is_regular_file(folder / "var" / "admin.key", ec))
    return {read_key(folder / "var" / "admin.key"), {}};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator{folder / "var", ec})
    if (fs::is_regular_file(entry.path() / "admin.key", ec))
      found.push_back(fs::path{"var"} / entry.path().filename() / "admin.key");
  if (found.empty())
    return {{}, std::string{name_one} + " (a new node writes its first one to admin.key in its data folder)"};
  if (found.size() > 1)
    return {{},
            std::string{name_one} + " (there are " + std::to_string(found.size()) + " below var/, such as " +
                std::min(found[0], found[1]).string() + ")"};
  return {read_key(folder / found.front()), {}};
}

std::string url_part(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string safe;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      safe += c;
    } else {
      safe += '%';
      safe += digits[byte >> 4];
      safe += digits[byte & 15];
    }
  }
  return safe;
}

admin_api::admin_api(const settings& s)
    : settings_{s}, client_{address_or_throw(s.url), s.trust}, key_{find_admin_key(s, client_.address(),
                                                                                   fs::current_path())} {}

admin_api::answer admin_api::exchange(verb method, const std::string& target, const std::string& body,
                                      const std::string& doing, bool slow) {
  auto seconds = settings_.timeout_seconds != 0 ? settings_.timeout_seconds : slow ? 600u : 30u;
  progress shown{!settings_.json && !doing.empty()};
  auto began = std::chrono::steady_clock::now();
  auto got = client_.send({method, target, body, key_.text, std::chrono::seconds{seconds}}, [&] {
    auto took = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
    shown.show(doing + " … " + std::to_string(took.count()) + " s");
  });
  answer a;
  a.status = got.status;
  a.text = std::move(got.body);
  if (!a.text.empty()) {
    auto parsed = codec::parse_json(a.text, {.depth_max = 64, .values_max = 8'000'000});
    if (!parsed)
      throw failure{exit_code::refused, "what listens at " + address().text() + " answered " +
                                            std::to_string(a.status) +
                                            " with something that is not JSON; is --url right?"};
    a.body = std::move(*parsed);
  }
  return a;
}

void admin_api::refuse(const answer& a) const {
  auto code = text_of(a.body, "code");
  auto detail = text_of(a.body, "detail");
  auto request = text_of(a.body, "requestId");
  if (code.empty())
    throw failure{exit_code::refused, "what listens at " + address().text() + " answered " + std::to_string(a.status) +
                                          ", and not as a node does; is --url right?"};
  std::vector<mistake> mistakes;
  if (const auto* errors = a.body.find("errors"))
    for (const auto& e : errors->items)
      mistakes.push_back({{}, 0, text_of(e, "pointer"), text_of(e, "detail")});
  std::string hint;
  if (a.status == 401)
    hint = key_.text.empty() ? "; " + key_.note : "; the key given is of another node, or was deleted";
  else if (code == "EVENT_UNKNOWN")
    hint = "; see: sluicectl event list";
  else if (a.status == 503 || a.status == 429)
    hint = retry_hint(a.body);
  // The mistakes are listed one by one; the summary need not repeat the first.
  auto what =
      mistakes.empty() ? detail : std::to_string(mistakes.size()) + (mistakes.size() == 1 ? " mistake" : " mistakes");
  throw failure{a.status == 503 || a.status == 429 ? exit_code::not_ready : exit_code::refused,
                what + hint + " (" + code + (request.empty() ? "" : ", request " + request) + ")", std::move(mistakes),
                a.text};
}

admin_api::answer admin_api::get(const std::string& target, const std::string& doing, bool slow) {
  auto a = exchange(verb::get, target, {}, doing, slow);
  if (a.status >= 300)
    refuse(a);
  return a;
}

admin_api::answer admin_api::send(verb method, const std::string& target, const std::string& body,
                                  const std::string& doing) {
  auto a = exchange(method, target, body, doing, body.size() > 1024 * 1024);
  if (a.status >= 300)
    refuse(a);
  return a;
}

admin_api::answer admin_api::try_get(const std::string& target) {
  return exchange(verb::get, target, {}, {}, false);
}

} // namespace sluice::ctl
