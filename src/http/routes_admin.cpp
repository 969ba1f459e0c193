// What operators do: events, keys, figures, and looking inside.
#include "codec/event_file.hpp"
#include "codec/times.hpp"
#include "core/text_id.hpp"
#include "domain/catalogue.hpp"
#include "http/routes.hpp"
#include "http/views.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sluice::http::routes {

namespace {

/// Answers with JSON made on another thread; an empty text fails the call with `why`.
std::function<void(std::string)> answer_from_elsewhere(bridge& b, const call_ptr& c, errc why = errc::not_found,
                                                       std::string_view detail = "it is not active on this node") {
  return [&b, c, why, detail](std::string text) {
    asio::post(b.context(), [&b, c, why, detail, text = std::move(text)]() mutable {
      if (text.empty())
        return b.fail(c, why, detail);
      b.answer_json(c, 200, std::move(text));
    });
  };
}

/// Likewise, by the node that leads the partition.
std::function<void(std::string)> answer_from_leader(bridge& b, const call_ptr& c) {
  return answer_from_elsewhere(b, c, errc::node_not_ready,
                               "the node that leads this partition does not answer; try again");
}

/// The event file in the body, fit to be applied to the event in the path. Empty: the call was answered.
std::optional<domain::event_definition> event_file(bridge& b, const call_ptr& c) {
  const auto& slug = c->parameters.front();
  if (!is_valid_name(slug)) {
    b.fail(c, errc::bad_id, "an event id is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
    return std::nullopt;
  }
  auto body = b.json_body(c);
  if (!body)
    return std::nullopt;
  std::vector<codec::document_error> mistakes;
  auto definition = codec::read_event_file(*body, mistakes);
  if (mistakes.empty() && definition.id != slug)
    mistakes.push_back({errc::definition_invalid, "/id", "must be the id in the path", 0});
  if (!b.accept(c, mistakes))
    return std::nullopt;
  return definition;
}

void answer_defined(bridge& b, const call_ptr& c, const domain::reply& reply, bool created) {
  if (const auto* why = std::get_if<domain::refusal>(&reply))
    return b.fail(c, *why);
  const auto& e = std::get<domain::event_reply>(reply);
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("id", c->parameters.front()).field("number", e.number.value).field("revision", e.revision);
  w.field("changed", e.changed).end_object();
  auto status = created && e.changed && e.revision == 1 ? 201u : 200u;
  auto tell = [&b, c, status, text] { b.answer_json(c, status, text); };
  if (!b.services().node.spread)
    return tell();
  b.services().node.spread(c->parameters.front(), e.revision, [&b, tell] { asio::post(b.context(), tell); });
}

/// First the slug gets its number, then the event of that number its definition. A crash in between leaves a number without an
/// event; doing it again goes on from there. Where the event was removed a moment ago and the catalogue has yet to hear of it,
/// the number is still the old one: asked again `tries` times, over some seconds.
void register_and_define(bridge& b, const call_ptr& c, std::shared_ptr<const domain::event_definition> definition,
                         int tries) {
  auto define = [&b, c, definition, tries](const domain::registered_reply& registered) {
    std::uint64_t seed = 0;
    fill_random(&seed, sizeof(seed));
    auto defined = [&b, c, definition, tries, is_old = !registered.created](const domain::reply& reply, log_index) {
      const auto* why = std::get_if<domain::refusal>(&reply);
      if (why == nullptr || why->why != errc::event_unknown || !is_old)
        return answer_defined(b, c, reply, true);
      if (tries == 0)
        return b.fail(c, errc::timed_out,
                      "an event of this name was just removed, which is not known everywhere yet; try again");
      auto later = std::make_shared<asio::steady_timer>(b.context(), std::chrono::milliseconds{100});
      later->async_wait([&b, c, definition, tries, later](const auto& stopped) {
        if (!stopped)
          register_and_define(b, c, definition, tries - 1);
      });
    };
    b.partitions().propose(entity_ref::of_event(registered.number),
                           domain::define_event{*definition, seed, c->key_name, new_request_id()}, defined);
  };
  b.partitions().propose(entity_ref::of_catalogue(), domain::register_event{definition->id, new_request_id()},
                         [&b, c, define](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           define(std::get<domain::registered_reply>(reply));
                         });
}

entity_ref event_of(const call_ptr& c) {
  return entity_ref::of_event(c->event->number());
}

std::optional<domain::event_action> action_from(std::string_view word) {
  using action = domain::event_action;
  if (word == "open")
    return action::open;
  if (word == "pause")
    return action::pause;
  if (word == "resume")
    return action::resume;
  if (word == "drain")
    return action::drain;
  if (word == "close")
    return action::close;
  if (word == "message")
    return action::say;
  return std::nullopt;
}

std::optional<domain::key_role> role_from(std::string_view word) {
  if (word == "viewer")
    return domain::key_role::viewer;
  if (word == "operator")
    return domain::key_role::operator_;
  if (word == "admin")
    return domain::key_role::admin;
  return std::nullopt;
}

} // namespace

std::string new_request_id() {
  return hex(random_bytes<8>());
}

void answer_done(bridge& b, const call_ptr& c, const domain::reply& reply) {
  if (const auto* why = std::get_if<domain::refusal>(&reply))
    return b.fail(c, *why);
  response r;
  r.status = 204;
  b.answer(c, std::move(r));
}

void put_event(bridge& b, const call_ptr& c) {
  auto definition = event_file(b, c);
  if (!definition)
    return;
  register_and_define(b, c, std::make_shared<const domain::event_definition>(std::move(*definition)), 40);
}

void get_event_file(bridge& b, const call_ptr& c) {
  if (b.find_event(c))
    b.answer_json(c, 200, codec::write_event_file(c->plan->definition()));
}

void delete_event(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  bool force = c->req.parameter("force").value_or("") == "true";
  domain::control_event command{domain::event_action::remove, {}, force, c->key_name, new_request_id()};
  b.partitions().propose(event_of(c), command, [&b, c](const domain::reply& reply, log_index) {
    // It was there a moment ago. With it went whatever could tell whether this very request removed it, proposed twice
    // because its leader was lost; wanted gone, it is gone.
    const auto* why = std::get_if<domain::refusal>(&reply);
    bool gone = why != nullptr && why->why == errc::event_unknown;
    answer_done(b, c, gone ? domain::reply{domain::done{}} : reply);
  });
}

void plan_event(bridge& b, const call_ptr& c) {
  auto definition = event_file(b, c);
  if (!definition)
    return;
  auto event = b.services().models.find(c->parameters.front());
  auto plan = event ? event->plan() : nullptr;
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("exists", plan != nullptr).key("changes").begin_array();
  std::size_t left_out = 0;
  if (plan) {
    constexpr std::size_t most = 500;
    auto changes = domain::difference(plan->definition(), *definition);
    for (std::size_t i = 0; i < changes.size() && i < most; ++i) {
      w.begin_object().field("pointer", changes[i].pointer);
      if (!changes[i].before.empty())
        w.field("before", changes[i].before);
      if (!changes[i].after.empty())
        w.field("after", changes[i].after);
      w.end_object();
    }
    left_out = changes.size() > most ? changes.size() - most : 0;
  }
  w.end_array().field("leftOut", left_out).field("capacity", definition->capacity()).end_object();
  b.answer_json(c, 200, std::move(text));
}

void event_action(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  auto action = action_from(c->parameters[1]);
  if (!action)
    return b.fail(c, errc::not_found, "there is no such action; known are open, pause, resume, drain, close, message");
  auto body = b.json_body(c, true);
  if (!body)
    return;
  domain::control_event command{*action, {}, false, c->key_name, new_request_id()};
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*body, "", mistakes};
  if (*action == domain::event_action::say) {
    r.read("message", command.text, true);
    if (command.text.size() > 500)
      r.fail("message", "must be at most 500 bytes");
  }
  r.finish();
  if (!b.accept(c, mistakes) || !b.is_active(c, command))
    return;
  b.partitions().propose(event_of(c), command,
                         [&b, c](const domain::reply& reply, log_index) { answer_done(b, c, reply); });
}

void patch_admission(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  auto body = b.json_body(c);
  if (!body)
    return;
  std::vector<codec::document_error> mistakes;
  auto patch = codec::read_admission_patch(*body, mistakes);
  if (mistakes.empty())
    for (auto& m : domain::check(domain::patched(c->plan->definition().admission, patch), ""))
      mistakes.push_back({errc::bad_value, std::move(m.pointer), std::move(m.detail), 0});
  if (!b.accept(c, mistakes))
    return;
  b.partitions().propose(event_of(c), domain::set_admission{patch, c->key_name, new_request_id()},
                         [&b, c](const domain::reply& reply, log_index) { answer_defined(b, c, reply, false); });
}

void event_stats(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  domain::stock_counts total;
  for (const auto& block : c->plan->placed().blocks)
    c->event->with_block(block.number, [&](const block_view& v) {
      total.available += v.counts.available;
      total.held += v.counts.held;
      total.confirmed += v.counts.confirmed;
      total.blocked += v.counts.blocked;
    });
  std::string text;
  codec::json_writer w{text};
  c->event->with_board([&](const serving_board& board) {
    const auto& f = board.figures();
    w.begin_object().field("id", c->plan->definition().id).field("phase", word_of(f.phase));
    w.field("waitingUsers", f.waiting).field("activeUsers", f.active).field("nowServing", f.now_serving.value);
    w.field("lastTicket", f.last_ticket.value).field("admittedTotal", f.admitted_total);
    w.field("admittedLastMinute", board.admitted_last_minute()).field("completedTotal", f.completed_total);
    w.field("usersPerMinute", f.admission.users_per_minute).field("maxActiveUsers", f.admission.max_active_users);
    write_counts(w, total);
    w.field("sold", f.sold).field("revenue", f.revenue).field("currency", c->plan->definition().currency);
    w.field("asOf", codec::to_text(board.as_of())).field("version", board.version()).end_object();
  });
  b.answer_json(c, 200, std::move(text));
}

/// `seal`, as an earlier answer gave it: does it hold? False: the call was answered.
bool read_seal(bridge& b, const call_ptr& c, std::optional<facts_seal>& older) {
  auto text = c->req.parameter("seal");
  if (!text)
    return true;
  older = facts_seal_from(*text);
  if (!older)
    b.fail(c, errc::bad_value, "seal must be one that verify or audit gave: a count, '-', and 64 hexadecimal digits");
  return older.has_value();
}

void verify_event(bridge& b, const call_ptr& c) {
  std::optional<facts_seal> older;
  if (b.find_event(c) && read_seal(b, c, older))
    b.services().node.verify(c->event->number().value, older, answer_from_leader(b, c));
}

void audit_event(bridge& b, const call_ptr& c) {
  std::optional<facts_seal> older;
  if (b.find_event(c) && read_seal(b, c, older))
    b.services().node.audit(c->event->number().value, older, answer_from_leader(b, c));
}

void audit_cluster(bridge& b, const call_ptr& c) {
  std::optional<facts_seal> older;
  if (read_seal(b, c, older))
    b.services().node.audit(0, older, answer_from_leader(b, c)); // the catalogue's facts belong to no event
}

// ---- keys -----------------------------------------------------------------------------------------------------------

void list_keys(bridge& b, const call_ptr& c) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("keys").begin_array();
  auto shared = b.services().models.catalogue();
  for (const auto& key : shared->keys)
    w.begin_object().field("name", key.name).field("role", word_of(key.role)).end_object();
  w.end_array().end_object();
  b.answer_json(c, 200, std::move(text));
}

void create_key(bridge& b, const call_ptr& c) {
  auto body = b.json_body(c);
  if (!body)
    return;
  std::string name;
  std::string role;
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*body, "", mistakes};
  r.read("name", name, true).read("role", role, true);
  auto known = role_from(role);
  if (mistakes.empty() && !is_valid_name(name))
    r.fail("name", "must be 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
  if (mistakes.empty() && !known)
    r.fail("role", "must be \"viewer\", \"operator\" or \"admin\"");
  r.finish();
  if (!b.accept(c, mistakes))
    return;
  auto key = "slk_" + base32(random_bytes<25>());
  b.partitions().propose(entity_ref::of_catalogue(),
                         domain::add_key{name, sha256_hex(key), *known, new_request_id(), c->key_name},
                         [&b, c, name, role, key](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           // Shown once: only its hash is kept.
                           std::string text;
                           codec::json_writer w{text};
                           w.begin_object().field("name", name).field("role", role).field("key", key).end_object();
                           b.answer_json(c, 201, std::move(text));
                         });
}

void delete_key(bridge& b, const call_ptr& c) {
  if (!is_valid_name(c->parameters.front()))
    return b.fail(c, errc::key_unknown, "there is no key of that name");
  b.partitions().propose(entity_ref::of_catalogue(),
                         domain::remove_key{c->parameters.front(), new_request_id(), c->key_name},
                         [&b, c](const domain::reply& reply, log_index) { answer_done(b, c, reply); });
}

// ---- looking inside -------------------------------------------------------------------------------------------------

void show_cluster(bridge& b, const call_ptr& c) {
  b.services().node.describe_cluster(answer_from_elsewhere(b, c));
}

void inspect_entities(bridge& b, const call_ptr& c) {
  b.services().node.list_entities(answer_from_elsewhere(b, c));
}

void inspect_entity(bridge& b, const call_ptr& c) {
  entity_ref of;
  auto event = b.number_of(c, "event", 0);
  auto block = event ? b.number_of(c, "block", 0) : std::nullopt;
  if (!block)
    return;
  of.event = {static_cast<std::uint32_t>(*event)};
  of.block = {static_cast<std::uint32_t>(*block)};
  of.user = c->req.parameter("user").value_or("");
  auto kind = c->req.parameter("kind").value_or("");
  for (auto known : {entity_kind::event, entity_kind::seat_block, entity_kind::area, entity_kind::session,
                     entity_kind::catalogue, entity_kind::ranking})
    if (name_of(known) == kind) {
      of.kind = known;
      return b.services().node.inspect_entity(of, answer_from_elsewhere(b, c));
    }
  b.fail(c, errc::bad_value, "kind must be event, seat_block, area, session, catalogue or ranking");
}

void inspect_log(bridge& b, const call_ptr& c) {
  auto partition = b.number_of(c, "partition", 0);
  auto after = partition ? b.number_of(c, "after", 0) : std::nullopt;
  auto limit = after ? b.number_of(c, "limit", 20) : std::nullopt;
  if (!limit)
    return;
  if (*partition >= b.services().routes.places().partitions())
    return b.fail(c, errc::bad_value, "there is no such partition");
  auto behind = c->req.parameter("after") ? std::make_optional<log_index>(*after) : std::nullopt;
  b.answer_json(c, 200,
                b.services().node.inspect_log({static_cast<std::uint32_t>(*partition)}, behind,
                                              static_cast<std::size_t>(std::min<std::uint64_t>(*limit, 200))));
}

} // namespace sluice::http::routes
