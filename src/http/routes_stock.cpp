// Events, availability, seat maps and the ranking: all read models, no actor asked.
#include "http/push_hub.hpp"
#include "http/routes.hpp"
#include "http/views.hpp"

#include "core/hash.hpp"
#include "core/text_id.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::http::routes {

namespace {

/// A shared read: cacheable for a second, 304 when the client has it.
void answer_shared(bridge& b, const call_ptr& c, std::string body) {
  response r;
  auto tag = "\"" + std::to_string(hash_of(body)) + "\"";
  r.cacheable = true;
  r.field("Cache-Control", "public, max-age=1").field("ETag", tag);
  if (c->req.if_none_match == tag)
    r.status = 304;
  else
    r.body = std::move(body);
  b.answer(c, std::move(r));
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-')
    return false;
  return std::all_of(text.begin(), text.end(), [](char x) { return x == '-' || (x >= '0' && x <= '9'); });
}

void write_rank(codec::json_writer& w, const domain::ranking_entry& entry, std::size_t rank) {
  w.begin_object().field("concertDate", entry.date).field("soldOutCount", entry.sold).field("rank", rank).end_object();
}

/// A node that just started has heard of nothing yet, which is no reason to say there is nothing. True: the call was
/// answered.
bool knows_nothing_yet(bridge& b, const call_ptr& c) {
  auto shared = b.services().models.catalogue();
  auto named = std::any_of(shared->events.begin(), shared->events.end(), [](const auto& e) { return e.defined; });
  auto all = b.services().models.all();
  auto heard = std::any_of(all.begin(), all.end(), [](const auto& e) { return e->plan() != nullptr; });
  if (shared->founded && (heard || !named))
    return false;
  b.fail(c, errc::node_not_ready, "the node is starting");
  return true;
}

} // namespace

void list_events(bridge& b, const call_ptr& c) {
  if (knows_nothing_yet(b, c))
    return;
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("events").begin_array();
  for (const auto& event : b.services().models.all())
    if (auto plan = event->plan())
      write_event(w, *event, *plan, false);
  w.end_array().end_object();
  answer_shared(b, c, std::move(text));
}

void show_event(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  std::string text;
  codec::json_writer w{text};
  write_event(w, *c->event, *c->plan, true);
  answer_shared(b, c, std::move(text));
}

void availability(bridge& b, const call_ptr& c) {
  if (b.find_event(c))
    answer_shared(b, c, availability_json(*c->event, *c->plan));
}

void show_block(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  const auto* place = is_valid_name(c->parameters[1]) ? c->plan->find_place(c->parameters[1]) : nullptr;
  if (place == nullptr || place->area)
    return b.fail(c, errc::block_unknown, "the event has no such block of seats");
  answer_shared(b, c, block_json(*c->event, *c->plan, *place));
}

void seats_stream(bridge& b, const call_ptr& c) {
  if (b.find_event(c))
    b.services().pushes.add_seats_stream(b, c);
}

void ranking(bridge& b, const call_ptr& c) {
  std::size_t limit = 10;
  if (auto text = c->req.parameter("limit")) {
    const auto* end = text->data() + text->size();
    auto parsed = std::from_chars(text->data(), end, limit);
    if (parsed.ec != std::errc{} || parsed.ptr != end || limit < 1 || limit > 100)
      return b.fail(c, errc::bad_value, "limit must be between 1 and 100");
  }
  if (knows_nothing_yet(b, c))
    return;
  auto shared = b.services().models.ranking();
  std::string text;
  codec::json_writer w{text};
  w.begin_array();
  for (std::size_t i = 0; i < shared->dates.size() && i < limit; ++i)
    write_rank(w, shared->dates[i], i + 1);
  w.end_array();
  answer_shared(b, c, std::move(text));
}

void date_ranking(bridge& b, const call_ptr& c) {
  const auto& date = c->parameters.front();
  if (!is_date(date))
    return b.fail(c, errc::bad_id, "a date is written YYYY-MM-DD");
  if (knows_nothing_yet(b, c))
    return;
  auto shared = b.services().models.ranking();
  for (std::size_t i = 0; i < shared->dates.size(); ++i) {
    if (shared->dates[i].date != date)
      continue;
    std::string text;
    codec::json_writer w{text};
    write_rank(w, shared->dates[i], i + 1);
    return answer_shared(b, c, std::move(text));
  }
  b.fail(c, errc::not_found, "nothing was sold for that date");
}

} // namespace sluice::http::routes
