#include "sandbox-provider/control.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace sluice::sandbox {

namespace {

constexpr std::array<std::string_view, 4> mode_names{"normal", "down", "slow", "flaky"};
constexpr std::chrono::milliseconds slow_delay{1'500};

std::optional<mode> mode_from(std::string_view name) {
  auto known = std::find(mode_names.begin(), mode_names.end(), name);
  if (known == mode_names.end())
    return std::nullopt;
  return static_cast<mode>(known - mode_names.begin());
}

} // namespace

std::string_view name_of(mode m) {
  return mode_names[static_cast<std::size_t>(m)];
}

std::chrono::milliseconds control::added_delay() const {
  return mode == mode::slow && delay.count() == 0 ? slow_delay : delay;
}

behaviour control::of_card(std::string_view number) const {
  if (auto told = cards.find(number); told != cards.end())
    return told->second;
  return behaviour_of_card(number).value_or(behaviour::approve);
}

void change(control& c, const codec::document& wanted, std::vector<codec::document_error>& mistakes) {
  using kind = codec::document::kind;
  auto changed = c;
  codec::object_reader r{wanted, "", mistakes};
  std::string mode_name{name_of(c.mode)};
  std::string die{c.die_after_effect ? "after-effect" : ""};
  std::int64_t delay_ms = c.delay.count();
  r.read("mode", mode_name).read("failEvery", changed.fail_every, 1, 1'000'000).read("delayMs", delay_ms, 0, 60'000);
  r.read("die", die);
  if (auto m = mode_from(mode_name))
    changed.mode = *m;
  else
    r.fail("mode", "must be normal, down, slow or flaky");
  if (!die.empty() && die != "after-effect")
    r.fail("die", "must be \"after-effect\", or empty");
  changed.delay = std::chrono::milliseconds{delay_ms};
  changed.die_after_effect = !die.empty();
  if (const auto* changes = r.take("cards", kind::object))
    for (const auto& [number, said] : changes->fields) {
      auto is = behaviour_from(said.text);
      if (said.is == kind::null)
        changed.cards.erase(number);
      else if (is)
        changed.cards.insert_or_assign(number, *is);
      else
        r.fail("cards", "names a behaviour nobody knows; see --help");
    }
  r.finish();
  if (mistakes.empty())
    c = std::move(changed);
}

void write(codec::json_writer& w, const control& c) {
  w.begin_object().field("mode", name_of(c.mode)).field("failEvery", c.fail_every);
  w.field("delayMs", c.added_delay().count()).field("die", c.die_after_effect ? "after-effect" : "");
  w.key("cards").begin_object();
  for (const auto& [number, is] : c.cards)
    w.field(number, name_of(is));
  w.end_object().end_object();
}

} // namespace sluice::sandbox
