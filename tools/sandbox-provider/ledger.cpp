#include "sandbox-provider/ledger.hpp"

#include "codec/document.hpp"
#include "core/hash.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace sluice::sandbox {

namespace {

constexpr std::array<std::string_view, 6> state_words{"NONE",     "AUTHORISED", "DECLINED",
                                                      "CAPTURED", "VOIDED",     "REFUNDED"};
constexpr std::array<std::string_view, 4> step_words{"authorise", "capture", "void", "refund"};

std::optional<payment_state> state_from(std::string_view word) {
  auto known = std::find(state_words.begin(), state_words.end(), word);
  if (known == state_words.end())
    return std::nullopt;
  return static_cast<payment_state>(known - state_words.begin());
}

/// Why a step does not fit the state a payment is in.
std::string_view misfit(payment_state s) {
  switch (s) {
  case payment_state::none:
    return "UNKNOWN_PAYMENT";
  case payment_state::authorised:
    return "ALREADY_AUTHORISED";
  case payment_state::declined:
    return "ALREADY_DECLINED";
  case payment_state::captured:
    return "ALREADY_CAPTURED";
  case payment_state::voided:
    return "ALREADY_VOIDED";
  case payment_state::refunded:
    break;
  }
  return "ALREADY_REFUNDED";
}

constexpr payment_state after(step s) {
  switch (s) {
  case step::authorise:
    return payment_state::authorised;
  case step::capture:
    return payment_state::captured;
  case step::cancel:
    return payment_state::voided;
  case step::refund:
    break;
  }
  return payment_state::refunded;
}

/// The state a step needs the payment to be in.
constexpr payment_state before(step s) {
  switch (s) {
  case step::authorise:
    return payment_state::none;
  case step::capture:
  case step::cancel:
    return payment_state::authorised;
  case step::refund:
    break;
  }
  return payment_state::captured;
}

} // namespace

std::string_view word_of(payment_state s) {
  return state_words[static_cast<std::size_t>(s)];
}

std::string_view word_of(step s) {
  return step_words[static_cast<std::size_t>(s)];
}

std::optional<step> step_from(std::string_view word) {
  auto known = std::find(step_words.begin(), step_words.end(), word);
  if (known == step_words.end())
    return std::nullopt;
  return static_cast<step>(known - step_words.begin());
}

// ---- lines -----------------------------------------------------------------------------------------------------------

std::string to_line(const entry& e) {
  std::string line;
  line.reserve(320);
  codec::json_writer w{line};
  w.begin_object().field("seq", e.sequence).field("at", e.at).field("reference", e.reference);
  w.field("step", word_of(e.step)).field("state", word_of(e.state));
  if (!e.code.empty())
    w.field("code", e.code);
  w.field("amount", e.amount).field("currency", e.currency);
  if (!e.card.empty())
    w.field("card", e.card);
  w.field("key", e.key).field("request", e.request).end_object();
  line += '\n';
  return line;
}

std::optional<entry> entry_from(std::string_view line) {
  auto parsed = codec::parse_json(line);
  if (!parsed || parsed->is != codec::document::kind::object)
    return std::nullopt;
  entry e;
  std::string step_word;
  std::string state_word;
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*parsed, "", mistakes};
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  r.read("seq", e.sequence, 1, most, true).read("at", e.at, true).read("reference", e.reference, true);
  r.read("step", step_word, true).read("state", state_word, true).read("code", e.code);
  r.read("amount", e.amount, 0, most, true).read("currency", e.currency, true).read("card", e.card);
  r.read("key", e.key, true).read("request", e.request, true);
  r.finish();
  auto s = step_from(step_word);
  auto state = state_from(state_word);
  if (!mistakes.empty() || !s || !state)
    return std::nullopt;
  e.step = *s;
  e.state = *state;
  return e;
}

// ---- decisions -------------------------------------------------------------------------------------------------------

std::size_t ledger::text_hash::operator()(std::string_view text) const noexcept {
  return hash_of(text);
}

result<std::optional<answer>> ledger::remembered(const wish& w) const {
  auto known = keys_.find(w.key);
  if (known == keys_.end())
    return std::optional<answer>{};
  if (known->second.request != w.request)
    return {errc::idempotency_key_reused, "the key was used for another request"};
  return std::optional{known->second.given};
}

const payment* ledger::find(std::string_view reference) const {
  auto known = payments_.find(reference);
  return known == payments_.end() ? nullptr : &known->second;
}

ledger::decision ledger::decide(const wish& w, std::string_view decline) const {
  const auto* known = find(w.reference);
  payment_state state = known ? known->state : payment_state::none;
  auto refuse = [&](unsigned status, std::string_view code) {
    auto told = known ? answer_of(*known) : answer{};
    told.status = status;
    told.code = code;
    return decision{std::nullopt, std::move(told)};
  };
  // A void of a reference nobody has heard of stays as a tombstone, so that a late authorise finds it closed.
  bool tombstone = state == payment_state::none && w.step == step::cancel;
  if (state != before(w.step) && !tombstone) {
    if (state == payment_state::none)
      return refuse(404, misfit(state));
    if (w.step == step::refund && state == payment_state::authorised)
      return refuse(409, "NOT_CAPTURED");
    return refuse(409, misfit(state));
  }
  if (w.step != step::authorise && !tombstone) {
    auto most = w.step == step::refund ? known->captured : known->authorised;
    if (w.currency != known->currency)
      return refuse(409, "CURRENCY_DIFFERS");
    if (w.amount > most)
      return refuse(409, "AMOUNT_TOO_HIGH");
  }
  entry e;
  e.sequence = last_ + 1;
  e.reference = w.reference;
  e.step = w.step;
  e.state = decline.empty() ? after(w.step) : payment_state::declined;
  e.code = decline;
  e.amount = w.amount;
  e.currency = w.currency;
  e.card = w.card;
  e.key = w.key;
  e.request = w.request;
  return {std::move(e), {}};
}

void ledger::apply(const entry& e) {
  last_ = e.sequence;
  auto& p = payments_[e.reference];
  bool is_new = p.last == 0;
  auto count = [&](sum& s, std::int64_t amount) {
    ++s.count;
    s.amounts[e.currency] += amount;
  };
  ++totals_.entries;
  totals_.payments += is_new ? 1 : 0;
  p.last = e.sequence;
  p.state = e.state;
  switch (e.state) {
  case payment_state::authorised:
    p.authorised = e.amount;
    count(totals_.authorised, e.amount);
    break;
  case payment_state::captured:
    p.captured = e.amount;
    if (++p.captures == 2)
      ++totals_.double_captures;
    count(totals_.captured, e.amount);
    break;
  case payment_state::voided:
    totals_.tombstones += is_new ? 1 : 0;
    count(totals_.voided, p.authorised);
    break;
  case payment_state::refunded:
    count(totals_.refunded, e.amount);
    break;
  case payment_state::declined:
    ++totals_.declined;
    break;
  case payment_state::none:
    break;
  }
  if (is_new) {
    p.currency = e.currency;
    p.card = e.card;
  }
  keys_.insert_or_assign(e.key, remembered_key{e.reference, e.request, answer_of(e)});
}

answer ledger::answer_of(const entry& e) {
  return {e.state == payment_state::declined ? 402u : 200u, e.state, e.code, e.amount, e.currency};
}

answer ledger::answer_of(const payment& p) {
  return {200, p.state, {}, p.captured > 0 ? p.captured : p.authorised, p.currency};
}

} // namespace sluice::sandbox
