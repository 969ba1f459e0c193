#include "http/bridge.hpp"

#include "core/hash.hpp"
#include "core/text_id.hpp"
#include "domain/feature_level.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <charconv>
#include <span>

namespace sluice::http {

namespace {

wall_time wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

/// Segments of a path, still encoded; "/a//b" has an empty one, which no route has.
void split(std::string_view path, std::vector<std::string_view>& segments) {
  segments.clear();
  if (path.starts_with('/'))
    path.remove_prefix(1);
  for (;;) {
    auto end = path.find('/');
    segments.push_back(path.substr(0, end));
    if (end == std::string_view::npos)
      return;
    path.remove_prefix(end + 1);
  }
}

/// The routes, cut up once.
struct compiled_route {
  const route* what;
  std::vector<std::string_view> segments;
};

const std::vector<compiled_route>& compiled_routes() {
  static const auto compiled = [] {
    std::vector<compiled_route> made;
    for (const auto& r : all_routes()) {
      compiled_route c{&r, {}};
      split(r.pattern, c.segments);
      made.push_back(std::move(c));
    }
    return made;
  }();
  return compiled;
}

bool matches(const compiled_route& r, const std::vector<std::string_view>& segments) {
  if (r.segments.size() != segments.size())
    return false;
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (!r.segments[i].starts_with('{') && r.segments[i] != segments[i])
      return false;
  return true;
}

bool is_request_id(std::string_view text) {
  return is_valid_name(text);
}

/// What follows "Bearer " in an Authorization field; empty for other schemes. A scheme's name has no case.
std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  auto given = authorization.substr(0, scheme.size());
  bool same = boost::beast::iequals({given.data(), given.size()}, {scheme.data(), scheme.size()});
  return same ? authorization.substr(scheme.size()) : std::string_view{};
}

/// The visitor's token in the request's fields; empty: there is none.
std::string_view token_in(const request& r) {
  auto given = bearer(r.authorization);
  return given.empty() ? std::string_view{r.queue_token} : given;
}

} // namespace

std::shared_ptr<const credentials> bridge_services::secrets() const {
  std::lock_guard lock{lock_};
  return secrets_;
}

void bridge_services::set_secrets(credentials c) {
  auto all = std::make_shared<const credentials>(std::move(c));
  std::lock_guard lock{lock_};
  secrets_ = std::move(all);
}

std::shared_ptr<const void> bridge_services::room_for_file(std::size_t most) {
  auto taken = files_; // connections may outlive this
  if (taken->fetch_add(1) >= most) {
    --*taken;
    return nullptr;
  }
  return {taken.get(), [taken](const void*) { --*taken; }};
}

bridge::bridge(io_thread& thread, bridge_services& services)
    : thread_{thread}, services_{services}, requester_{thread.context(),
                                                       services.routes,
                                                       {services.shared.limits.in_flight_max,
                                                        services.shared.limits.answer_timeout},
                                                       services.in_flight} {
  fill_random(&request_prefix_, sizeof(request_prefix_));
  services_.models.add_listener(*this);
}

bridge::~bridge() = default;

// ---- routing ---------------------------------------------------------------------------------------------------------

const route* bridge::find_route(const request& r, std::vector<std::string>& parameters, bool& path_known,
                                std::string& allowed) const {
  thread_local std::vector<std::string_view> segments;
  split(r.path, segments);
  auto wanted = r.method == method::head ? method::get : r.method;
  for (const auto& candidate : compiled_routes()) {
    if (!matches(candidate, segments))
      continue;
    path_known = true;
    if (candidate.what->method != wanted) {
      allowed += allowed.empty() ? "" : ", ";
      allowed += candidate.what->method == method::get ? "GET, HEAD" : name_of(candidate.what->method);
      continue;
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (!candidate.segments[i].starts_with('{'))
        continue;
      auto decoded = percent_decoded(segments[i]);
      if (!decoded)
        return nullptr;
      parameters.push_back(std::move(*decoded));
    }
    return candidate.what;
  }
  return nullptr;
}

/// Who may not hand in a file is told so before there is any memory for one.
body_terms bridge::terms_for(const request& r) {
  auto usual = [this](errc beyond) { return body_terms{limits().body_bytes_max, beyond, nullptr}; };
  std::vector<std::string> ignored;
  bool path_known = false;
  std::string allowed;
  const auto* found = find_route(r, ignored, path_known, allowed);
  if (found == nullptr || found->body != body_kind::file)
    return usual(errc::body_too_large);
  if (found->role)
    if (auto key = key_of(r, *found->role); !key)
      return usual(key.why().code);
  auto permit = services_.room_for_file(limits().files_max);
  if (!permit)
    return usual(errc::overloaded);
  return {limits().file_bytes_max, errc::body_too_large, std::move(permit)};
}

void bridge::handle(request& r, exchange reply) {
  auto c = std::make_shared<call>();
  c->req = std::move(r);
  c->reply = std::move(reply);
  c->request_id = is_request_id(c->req.request_id) ? c->req.request_id : std::string{};
  if (c->request_id.empty()) {
    // Unique enough to grep by: a random prefix per thread and a counter.
    char digits[17];
    auto id = mix(request_prefix_ + ++requests_);
    auto end = std::to_chars(digits, digits + sizeof(digits), id, 16).ptr;
    c->request_id.assign(static_cast<std::size_t>(digits + 16 - end), '0').append(digits, end);
  }
  bool path_known = false;
  std::string allowed;
  const auto* found = find_route(c->req, c->parameters, path_known, allowed);
  if (found == nullptr) {
    if (!path_known)
      return fail(c, errc::not_found, "there is nothing at this path");
    if (allowed.empty())
      return fail(c, errc::bad_request, "the path has a malformed escape");
    auto refused = problem(errc::method_not_allowed, {}, c->request_id, c->req.path);
    refused.field("Allow", allowed);
    return answer(c, std::move(refused));
  }
  refresh_secrets();
  if (found->role && !authorise(c, *found->role))
    return;
  if (c->req.has_content_encoding)
    return fail(c, errc::unsupported_media_type, "request bodies must not be compressed");
  found->handle(*this, c);
}

response bridge::refuse(errc why, const request& r) {
  std::string id = is_request_id(r.request_id) ? r.request_id : hex(random_bytes<8>());
  return problem(why, {}, id, r.path);
}

void bridge::refresh_secrets() {
  if (secrets_)
    return;
  secrets_ = services_.secrets();
  if (secrets_)
    office_ = std::make_unique<token_office>(secrets_->keys, secrets_->cluster_id, secrets_->epoch, services_.verified);
}

// ---- who asks --------------------------------------------------------------------------------------------------------

result<domain::key_entry> bridge::key_of(const request& r, domain::key_role needed) const {
  if (!r.secure && !r.local && !services_.shared.insecure_admin)
    return error{errc::tls_required,
                 "the admin API is served over TLS, or to this machine alone; see --tls-cert and --insecure-admin"};
  auto given = bearer(r.authorization);
  if (given.empty())
    return error{errc::unauthenticated, "an admin key is needed: Authorization: Bearer <key>"};
  auto hash = sha256_hex(given);
  auto shared = services_.models.catalogue();
  for (const auto& key : shared->keys) {
    if (!equal_secrets(key.hash, hash))
      continue;
    if (key.role < needed)
      return error{errc::forbidden, "this key's role does not allow that"};
    return key;
  }
  if (!shared->founded)
    return error{errc::node_not_ready, "the node is starting"};
  return error{errc::unauthenticated, "the key is not known"};
}

bool bridge::authorise(const call_ptr& c, domain::key_role needed) {
  auto key = key_of(c->req, needed);
  if (!key) {
    fail(c, key.why().code, key.why().detail);
    return false;
  }
  c->key_name = key->name;
  c->role = key->role;
  return true;
}

token_office* bridge::tokens(const call_ptr& c) {
  if (!office_)
    fail(c, errc::node_not_ready, "the node is starting");
  return office_.get();
}

void bridge::fail_with_token(const call_ptr& c, const domain::refusal& why) const {
  if (why.why == errc::not_admitted && c->who.expires + clock_grace <= wall_now())
    return fail(c, errc::token_expired, "the token has expired");
  fail(c, why);
}

std::optional<claims> bridge::recognise(const call_ptr& c) {
  auto given = token_in(c->req);
  if (given.empty() || !office_)
    return std::nullopt;
  auto who = office_->verify(given, wall_now(), true);
  if (!who || who->event != c->event->number() || who->audience != c->plan->definition().id)
    return std::nullopt;
  return std::move(*who);
}

bool bridge::authenticate(const call_ptr& c, std::optional<claims::kind> kind, bool may_be_expired) {
  auto* office = tokens(c);
  if (office == nullptr)
    return false;
  auto given = token_in(c->req);
  std::string from_query;
  if (given.empty() && (c->req.method == method::get || c->req.method == method::head)) {
    // EventSource can not set header fields.
    from_query = c->req.parameter("token").value_or("");
    given = from_query;
  }
  if (given.empty()) {
    fail(c, errc::unauthenticated, "a token is needed: Authorization: Bearer <token>");
    return false;
  }
  auto who = office->verify(given, wall_now(), may_be_expired);
  if (!who) {
    fail(c, who.why().code, who.why().detail);
    return false;
  }
  if (kind && who->is != *kind) {
    if (*kind == claims::kind::admission)
      fail(c, errc::not_admitted, "this needs the admission token: claim your turn first");
    else
      fail(c, errc::token_invalid, "this needs the queue token");
    return false;
  }
  c->token = std::string{given};
  c->who = std::move(*who);
  return true;
}

std::optional<std::uint64_t> bridge::number_of(const call_ptr& c, std::string_view name,
                                               std::uint64_t otherwise) const {
  auto text = c->req.parameter(name);
  if (!text)
    return otherwise;
  std::uint64_t value = 0;
  auto end = text->data() + text->size();
  auto parsed = std::from_chars(text->data(), end, value);
  if (parsed.ec == std::errc{} && parsed.ptr == end && value <= std::uint64_t{1} << 53)
    return value;
  fail(c, errc::bad_value, std::string{name} + " must be a whole number");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> bridge::wait_of(const call_ptr& c) const {
  auto ms = number_of(c, "waitMs", 0);
  if (!ms)
    return std::nullopt;
  auto most = std::chrono::duration_cast<std::chrono::milliseconds>(limits().wait_max);
  return std::min(std::chrono::milliseconds{static_cast<std::int64_t>(*ms)}, most);
}

bool bridge::find_event(const call_ptr& c) {
  const auto& slug = c->parameters.front();
  if (!is_valid_name(slug)) {
    fail(c, errc::bad_id, "an event id is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
    return false;
  }
  c->event = services_.models.find(slug);
  c->plan = c->event ? c->event->plan() : nullptr;
  if (c->plan)
    return true;
  if (!is_starting(c))
    fail(c, errc::event_unknown, "there is no such event");
  return false;
}

bool bridge::is_starting(const call_ptr& c) {
  if (c->plan || services_.node.not_ready().empty())
    return false;
  fail(c, errc::node_not_ready, "the node is starting");
  return true;
}

bool bridge::check_audience(const call_ptr& c) {
  if (c->who.event == c->event->number() && c->who.audience == c->plan->definition().id)
    return true;
  fail(c, errc::token_invalid, "the token is for another event");
  return false;
}

// ---- bodies ----------------------------------------------------------------------------------------------------------

std::optional<codec::document> bridge::json_body(const call_ptr& c, bool may_be_absent) {
  if (c->req.body.empty() && may_be_absent) {
    codec::document empty;
    empty.is = codec::document::kind::object;
    return empty;
  }
  std::string_view type = c->req.content_type;
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' '))
    type.remove_suffix(1);
  bool is_json = boost::beast::iequals(boost::beast::string_view{type.data(), type.size()}, "application/json");
  if (!is_json) {
    fail(c, errc::unsupported_media_type, "the body must be application/json");
    return std::nullopt;
  }
  codec::json_limits allowed;
  if (c->req.body.size() > limits().body_bytes_max)
    allowed.values_max = 4'000'000; // an event file of 200 000 seats
  auto parsed = codec::parse_json(c->req.body, allowed);
  if (!parsed) {
    fail(c, errc::bad_json, "the body is not valid JSON: " + parsed.why().detail);
    return std::nullopt;
  }
  if (parsed->is != codec::document::kind::object) {
    fail(c, errc::bad_json, "the body must be a JSON object");
    return std::nullopt;
  }
  return std::move(*parsed);
}

bool bridge::is_active(const call_ptr& c, const domain::message& command) {
  auto needed = domain::level_of(command);
  auto active = services().models.catalogue()->feature_level;
  if (needed <= std::max(active, 1u))
    return true;
  auto level = std::to_string(needed);
  fail(c, errc::action_not_allowed,
       "this needs feature level " + level + ", and the cluster is at " + std::to_string(active) +
           "; when every node runs this version: sluicectl cluster activate-feature " + level);
  return false;
}

bool bridge::accept(const call_ptr& c, const std::vector<codec::document_error>& mistakes) {
  if (mistakes.empty())
    return true;
  // One unknown field makes it a request we do not understand; else one we understand and can not follow.
  auto worst = std::find_if(mistakes.begin(), mistakes.end(), [](const auto& m) { return status_of(m.code) == 400; });
  const auto& first = worst == mistakes.end() ? mistakes.front() : *worst;
  constexpr std::size_t told_max = 100;
  std::string extra = ",\"errors\":";
  codec::json_writer w{extra};
  w.begin_array();
  for (const auto& m : std::span{mistakes}.first(std::min(mistakes.size(), told_max)))
    w.begin_object().field("pointer", m.pointer).field("detail", m.detail).field("code", code_of(m.code)).end_object();
  w.end_array();
  fail(c, first.code, first.pointer + " " + first.detail, extra);
  return false;
}

std::optional<std::string> bridge::idempotency_key(const call_ptr& c) {
  if (!c->req.has_idempotency_key || c->req.idempotency_key.empty()) {
    fail(c, errc::idempotency_key_missing, "this needs the header field Idempotency-Key");
    return std::nullopt;
  }
  std::string_view key = c->req.idempotency_key;
  // The draft makes it a structured-field string, most clients send it bare: both mean the same key.
  if (key.size() >= 2 && key.starts_with('"') && key.ends_with('"'))
    key = key.substr(1, key.size() - 2);
  bool printable = std::all_of(key.begin(), key.end(), [](char x) { return x > 0x20 && x < 0x7F; });
  if (key.empty() || key.size() > 128 || !printable) {
    fail(c, errc::idempotency_key_invalid, "an Idempotency-Key is 1 to 128 printable characters without spaces");
    return std::nullopt;
  }
  return std::string{key};
}

std::optional<domain::idempotency> bridge::once(const call_ptr& c, const codec::document& body) {
  auto key = idempotency_key(c);
  if (!key)
    return std::nullopt;
  auto text = codec::canonical_json(body);
  text += '\n';
  text += c->req.path;
  return domain::idempotency{std::move(*key), {hash_of(text, 1), hash_of(text, 2)}};
}

// ---- answers ---------------------------------------------------------------------------------------------------------

void bridge::answer(const call_ptr& c, response r) const {
  if (r.status < 400)
    r.field("X-Request-ID", c->request_id);
  c->reply.answer(r);
}

void bridge::answer_json(const call_ptr& c, unsigned status, std::string body) const {
  response r;
  r.status = status;
  r.body = std::move(body);
  answer(c, std::move(r));
}

void bridge::fail(const call_ptr& c, errc why, std::string_view detail, std::string_view extra) const {
  answer(c, problem(why, detail, c->request_id, c->req.path, extra));
}

void bridge::fail(const call_ptr& c, const domain::refusal& why) const {
  std::string extra;
  if (!why.seats.empty() && c->plan) {
    extra = ",\"seats\":";
    codec::json_writer w{extra};
    w.begin_array();
    for (const auto& [block, seat] : why.seats)
      if (c->plan->has(block) && seat < c->plan->block(block).seats.size())
        w.string(c->plan->block(block).seats[seat].id);
    w.end_array();
  }
  fail(c, why.why, why.detail, extra);
}

// ---- waiting ---------------------------------------------------------------------------------------------------------

void bridge::tick(std::chrono::steady_clock::time_point now) {
  refresh_secrets();
  requester_.tick(now);
  for (auto at = pollers_.begin(); at != pollers_.end();)
    at = at->look(now) ? pollers_.erase(at) : std::next(at);
  constexpr std::chrono::milliseconds sweep_every{250};
  bool sweep = now - swept_ >= sweep_every;
  if (sweep)
    swept_ = now;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    bool late = at->second.until <= now;
    if (!late && !(sweep && !at->second.reply.alive())) {
      ++at;
      continue;
    }
    auto done = std::move(at->second.done);
    at = waiters_.erase(at);
    --waiter_count_;
    if (late)
      done(nullptr);
  }
}

void bridge::await_reservation(const call_ptr& c, const reservation_id& id, std::chrono::steady_clock::time_point until,
                               on_reservation done) {
  waiters_.emplace(id, reservation_waiter{c->reply, until, std::move(done)});
  ++waiter_count_;
}

void bridge::changed(const std::shared_ptr<const domain::reservation_update>& update) {
  if (waiter_count_.load(std::memory_order_acquire) == 0)
    return;
  asio::post(thread_.context(), [this, update] {
    const auto& r = update->reservation;
    if (r.state == domain::reservation_state::paying)
      return; // what they wait for is what comes after
    auto [first, last] = waiters_.equal_range(r.reservation);
    std::vector<on_reservation> woken;
    for (auto at = first; at != last; ++at)
      woken.push_back(std::move(at->second.done));
    waiter_count_ -= woken.size();
    waiters_.erase(first, last);
    for (auto& done : woken)
      done(&r);
  });
}

std::optional<std::chrono::milliseconds> preferred_wait(const request& r, std::chrono::milliseconds most) {
  std::string_view text = r.prefer;
  auto at = text.find("wait=");
  if (at == std::string_view::npos)
    return std::nullopt;
  text.remove_prefix(at + 5);
  unsigned seconds = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (parsed.ec != std::errc{})
    return std::nullopt;
  return std::min<std::chrono::milliseconds>(std::chrono::seconds{seconds}, most);
}

} // namespace sluice::http
