#include "sandbox-provider/service.hpp"

#include "codec/times.hpp"
#include "core/hash.hpp"
#include "core/text_id.hpp"
#include "sandbox-provider/ledger_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

namespace sluice::sandbox {

namespace {

constexpr std::chrono::milliseconds slow_card_delay{1'500};
constexpr std::chrono::seconds silence{60}; // longer than any client's patience, shorter than for ever
constexpr std::string_view payments_path = "/v1/payments/";

http::response json_response(unsigned status, std::string body) {
  http::response r;
  r.status = status;
  r.body = std::move(body);
  return r;
}

http::response response_for(std::string_view reference, const answer& a) {
  http::response r;
  r.status = a.status;
  r.body.reserve(128);
  codec::json_writer w{r.body};
  w.begin_object().field("reference", reference).field("state", word_of(a.state));
  if (!a.code.empty())
    w.field("code", a.code);
  if (!a.currency.empty())
    w.field("amount", a.amount).field("currency", a.currency);
  w.end_object();
  return r;
}

std::string now_text() {
  return codec::to_text(std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()));
}

std::string fingerprint(std::string_view path, std::string_view body) {
  auto hash = hash_of(body, hash_of(path));
  std::array<std::uint8_t, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return hex(bytes);
}

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_card(std::string_view text) {
  bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && text.size() >= 12 && text.size() <= 19;
}

/// Amount, currency and card of a step. Empty: `refused` says why.
std::optional<wish> read_wish(const http::request& r, std::string_view reference, step s, http::response& refused) {
  auto refuse = [&](errc why, std::string_view detail) {
    refused = http::problem(why, detail, r.request_id, r.path);
    return std::nullopt;
  };
  if (!r.has_idempotency_key || r.idempotency_key.empty() || r.idempotency_key.size() > 128)
    return refuse(errc::idempotency_key_missing, "this needs the header field Idempotency-Key, 1 to 128 characters");
  auto body = codec::parse_json(r.body);
  if (!body || body->is != codec::document::kind::object)
    return refuse(errc::bad_json, "the body must be a JSON object");
  wish w;
  w.reference = reference;
  w.step = s;
  w.key = r.idempotency_key;
  w.request = fingerprint(r.path, codec::canonical_json(*body));
  std::vector<codec::document_error> mistakes;
  codec::object_reader reader{*body, "", mistakes};
  constexpr std::int64_t amount_max = 1'000'000'000'000'000;
  reader.read("amount", w.amount, 0, amount_max, true).read("currency", w.currency, true);
  reader.read("card", w.card, s == step::authorise);
  if (mistakes.empty() && !is_currency(w.currency))
    reader.fail("currency", "must be three capital letters");
  if (mistakes.empty() && s == step::authorise && !is_card(w.card))
    reader.fail("card", "must be 12 to 19 digits");
  reader.finish();
  if (!mistakes.empty())
    return refuse(mistakes.front().code, mistakes.front().pointer + " " + mistakes.front().detail);
  return w;
}

void write_sum(codec::json_writer& w, std::string_view name, const sum& s) {
  w.key(name).begin_object().field("count", s.count).key("amounts").begin_object();
  for (const auto& [currency, amount] : s.amounts)
    w.field(currency, amount);
  w.end_object().end_object();
}

std::string totals_json(const totals& t) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("entries", t.entries).field("payments", t.payments);
  write_sum(w, "authorised", t.authorised);
  write_sum(w, "captured", t.captured);
  write_sum(w, "voided", t.voided);
  write_sum(w, "refunded", t.refunded);
  w.field("declined", t.declined).field("tombstones", t.tombstones).field("doubleCaptures", t.double_captures);
  w.end_object();
  return text;
}

} // namespace

service::service(http::io_thread& thread, ledger& books, ledger_file& file)
    : thread_{thread}, books_{books}, file_{file}, durable_{books.last_sequence()} {
  file_.start([this](std::uint64_t sequence) {
    boost::asio::post(thread_.context(), [this, sequence] { on_durable(sequence); });
  });
}

http::body_terms service::terms_for(const http::request&) {
  return {thread_.limits().body_bytes_max, errc::body_too_large, nullptr};
}

http::response service::refuse(errc why, const http::request& r) {
  return http::problem(why, {}, r.request_id, {});
}

// ---- routes ----------------------------------------------------------------------------------------------------------

void service::handle(http::request& r, http::exchange reply) {
  std::string_view path = r.path;
  bool get = r.method == http::method::get || r.method == http::method::head;
  bool post = r.method == http::method::post;
  if (path.starts_with(payments_path)) {
    auto rest = path.substr(payments_path.size());
    auto slash = rest.find('/');
    auto reference = rest.substr(0, slash);
    if (!is_valid_name(reference))
      return reply.answer(http::problem(errc::bad_id, "a reference is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
                                        r.request_id, r.path));
    ++calls_;
    if (slash == std::string_view::npos && get)
      return on_inquiry(reference, std::move(reply));
    if (slash != std::string_view::npos && post)
      return on_step(r, reference, rest.substr(slash + 1), std::move(reply));
  } else if (path == "/control" && post) {
    return on_control(r, reply);
  } else if (path == "/control" && r.method == http::method::delete_) {
    control_ = {};
    return reply.answer(json_response(204, {}));
  } else if (path == "/control" && get) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().key("control");
    write(w, control_);
    w.field("calls", calls_).field("faults", faults_).end_object();
    return reply.answer(json_response(200, std::move(text)));
  } else if (path == "/totals" && get) {
    return when_durable(books_.last_sequence(),
                        [this, reply] { reply.answer(json_response(200, totals_json(books_.sums()))); });
  } else if (path == "/ledger" && r.method == http::method::get) {
    return when_durable(books_.last_sequence(), [this, reply] { send_ledger(reply); });
  } else if (path == "/healthz" && get) {
    return reply.answer(json_response(200, R"({"status":"alive"})"));
  }
  reply.answer(http::problem(errc::not_found, "there is nothing at this path for that method", r.request_id, r.path));
}

void service::on_step(const http::request& r, std::string_view reference, std::string_view verb, http::exchange reply) {
  auto s = step_from(verb);
  if (!s)
    return reply.answer(
        http::problem(errc::not_found, "the steps are authorise, capture, void and refund", r.request_id, r.path));
  if (control_.mode == mode::down) {
    ++faults_;
    return cut(reply);
  }
  http::response refused;
  auto w = read_wish(r, reference, *s, refused);
  if (!w)
    return reply.answer(std::move(refused));
  call c{std::move(reply), control_.added_delay(), next_flaw()};
  const auto* known = books_.find(reference);
  auto does = control_.of_card(*s == step::authorise ? w->card : known ? known->card : std::string{});
  if (does == behaviour::slow)
    c.delay += slow_card_delay;
  auto before = books_.remembered(*w);
  if (!before)
    return c.reply.answer(http::problem(before.why().code, before.why().detail, r.request_id, r.path));
  if (*before)
    return finish(c, *w, **before, books_.find(reference) ? books_.find(reference)->last : 0);
  std::string_view decline;
  if (auto meets = fault_of(does, *w, decline); meets != fault::none)
    c.meets = meets;
  w->card = masked(w->card);
  auto decided = books_.decide(*w, decline);
  bool harmless = c.meets == fault::error_without_effect || c.meets == fault::silence_without_effect ||
                  c.meets == fault::cut_without_effect;
  if (!decided.effect || harmless)
    return finish(c, *w, decided.effect ? answer{} : decided.refusal, known ? known->last : 0);
  decided.effect->at = now_text();
  books_.apply(*decided.effect);
  file_.append(to_line(*decided.effect), decided.effect->sequence);
  auto told = ledger::answer_of(*decided.effect);
  when_durable(decided.effect->sequence, [this, c = std::move(c), reference = std::move(w->reference), told] {
    if (control_.die_after_effect) {
      std::fprintf(stderr, "provider.dying reference=%s\n", reference.c_str());
      std::_Exit(1); // durable, and nobody knows
    }
    carry_out(c, reference, told);
  });
}

void service::on_inquiry(std::string_view reference, http::exchange reply) {
  call c{std::move(reply), control_.added_delay(), next_flaw()};
  const auto* known = books_.find(reference);
  if (control_.mode == mode::down) {
    ++faults_;
    return cut(c.reply);
  }
  if (known && control_.of_card(known->card) == behaviour::slow)
    c.delay += slow_card_delay;
  wish w;
  w.reference = reference;
  answer unknown;
  unknown.status = 404;
  unknown.code = "UNKNOWN_PAYMENT";
  finish(c, w, known ? ledger::answer_of(*known) : unknown, known ? known->last : 0);
}

void service::on_control(const http::request& r, const http::exchange& reply) {
  auto body = codec::parse_json(r.body);
  if (!body || body->is != codec::document::kind::object)
    return reply.answer(http::problem(errc::bad_json, "the body must be a JSON object", r.request_id, r.path));
  std::vector<codec::document_error> mistakes;
  change(control_, *body, mistakes);
  if (!mistakes.empty())
    return reply.answer(http::problem(mistakes.front().code, mistakes.front().pointer + " " + mistakes.front().detail,
                                      r.request_id, r.path));
  std::string text;
  codec::json_writer w{text};
  write(w, control_);
  reply.answer(json_response(200, std::move(text)));
}

void service::send_ledger(const http::exchange& reply) {
  if (auto socket = reply.take_over())
    stream_ledger(std::move(socket->next_layer()), file_.path(), file_.durable_bytes());
}

// ---- faults ----------------------------------------------------------------------------------------------------------

service::fault service::next_flaw() {
  if (control_.mode != mode::flaky || calls_ % control_.fail_every != 0)
    return fault::none;
  constexpr auto kinds = static_cast<std::uint64_t>(fault::silence_without_effect);
  return static_cast<fault>(flaws_++ % kinds);
}

bool service::is_first_try(const std::string& key) {
  if (tried_.insert(key).second)
    return true;
  tried_.erase(key);
  return false;
}

service::fault service::fault_of(behaviour b, const wish& w, std::string_view& decline) {
  switch (b) {
  case behaviour::approve:
  case behaviour::slow:
    return fault::none;
  case behaviour::decline:
    if (w.step == step::authorise)
      decline = "INSUFFICIENT_FUNDS";
    return fault::none;
  case behaviour::decline_at_capture:
    if (w.step == step::capture)
      decline = "CAPTURE_DECLINED";
    return fault::none;
  case behaviour::timeout_without_effect:
    return w.step == step::authorise ? fault::silence_without_effect : fault::none;
  case behaviour::timeout_after_effect:
    return fault::silence_after_effect;
  case behaviour::error_without_effect:
    return w.step == step::authorise ? fault::error_without_effect : fault::none;
  case behaviour::error_after_effect:
    return fault::error_after_effect;
  case behaviour::error_once:
    return is_first_try(w.key) ? fault::error_without_effect : fault::none;
  case behaviour::cut_after_effect:
    return fault::cut_after_effect;
  case behaviour::garbage_after_effect:
    return fault::garbage_after_effect;
  case behaviour::stuck_at_capture:
    return w.step == step::capture ? fault::error_without_effect : fault::none;
  }
  return fault::none;
}

// ---- answers ---------------------------------------------------------------------------------------------------------

void service::finish(const call& c, const wish& w, const answer& a, std::uint64_t sequence) {
  when_durable(sequence, [this, c, reference = w.reference, a] { carry_out(c, reference, a); });
}

void service::carry_out(const call& c, const std::string& reference, const answer& a) {
  if (c.meets != fault::none)
    ++faults_;
  switch (c.meets) {
  case fault::silence_without_effect:
  case fault::silence_after_effect:
    return keep_silent(c.reply);
  case fault::cut_without_effect:
  case fault::cut_after_effect:
    return cut(c.reply);
  case fault::error_without_effect:
  case fault::error_after_effect:
    return send(c, json_response(500, R"({"code":"SOMETHING_BROKE"})"));
  case fault::garbage_after_effect:
    return send(c, json_response(200, "}{ not what you asked for"));
  case fault::none:
    return send(c, response_for(reference, a));
  }
}

void service::send(const call& c, http::response r) {
  if (c.delay.count() == 0)
    return c.reply.answer(std::move(r));
  auto timer = std::make_shared<boost::asio::steady_timer>(thread_.context(), c.delay);
  timer->async_wait([timer, reply = c.reply, r = std::move(r)](const boost::system::error_code&) mutable {
    reply.answer(std::move(r));
  });
}

void service::keep_silent(http::exchange reply) {
  silent_.push_back({std::chrono::steady_clock::now() + silence, std::move(reply)});
}

void service::cut(const http::exchange& reply) {
  static_cast<void>(reply.take_over()); // nobody takes it on: the socket closes
}

void service::tick(std::chrono::steady_clock::time_point now) {
  for (; !silent_.empty() && silent_.front().until <= now; silent_.pop_front())
    cut(silent_.front().reply);
}

void service::when_durable(std::uint64_t sequence, std::function<void()> then) {
  if (sequence <= durable_)
    return then();
  // In order of sequence: what rests on an earlier effect waits with the newest.
  waiting_.push_back({std::max(sequence, waiting_.empty() ? 0 : waiting_.back().sequence), std::move(then)});
}

void service::on_durable(std::uint64_t sequence) {
  durable_ = sequence;
  while (!waiting_.empty() && waiting_.front().sequence <= durable_) {
    auto then = std::move(waiting_.front().then);
    waiting_.pop_front();
    then();
  }
}

} // namespace sluice::sandbox
