// The provider's books in memory: payments, and the answers remembered by idempotency key. Pure: it decides and applies
// entries, and neither reads nor writes files.
//
// Invariant: a payment is captured at most once, and nothing happens to it after VOIDED, DECLINED or REFUNDED.
// Owned by the service's I/O thread.
#pragma once

#include "core/result.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::sandbox {

enum class payment_state : std::uint8_t { none, authorised, declined, captured, voided, refunded };
enum class step : std::uint8_t { authorise, capture, cancel, refund };

std::string_view word_of(payment_state s);
std::string_view word_of(step s);
std::optional<step> step_from(std::string_view word);

/// One effect: what a line of the ledger file says.
struct entry {
  std::uint64_t sequence = 0;
  std::string at; // RFC 3339, for people
  std::string reference;
  sandbox::step step{};
  payment_state state{}; // the payment's from here on
  std::string code;      // why it was declined; else empty
  std::int64_t amount = 0;
  std::string currency;
  std::string card; // of an authorise
  std::string key;
  std::string request; // fingerprint of the request

  friend bool operator==(const entry&, const entry&) = default;
};

std::string to_line(const entry& e); // one JSON object and a newline
/// Empty when the line is not a whole entry.
std::optional<entry> entry_from(std::string_view line);

/// A step asked for.
struct wish {
  std::string reference;
  sandbox::step step{};
  std::int64_t amount = 0;
  std::string currency;
  std::string card;
  std::string key;
  std::string request;
};

struct answer {
  unsigned status = 200;
  payment_state state{};
  std::string code;
  std::int64_t amount = 0;
  std::string currency;

  friend bool operator==(const answer&, const answer&) = default;
};

struct payment {
  payment_state state = payment_state::none;
  std::int64_t authorised = 0;
  std::int64_t captured = 0;
  std::string currency;
  std::string card;           // as the ledger may keep it
  std::uint32_t captures = 0; // more than one would be our fault
  std::uint64_t last = 0;     // sequence of its last entry
};

struct sum {
  std::uint64_t count = 0;
  std::map<std::string, std::int64_t> amounts; // by currency
};

struct totals {
  std::uint64_t entries = 0;
  std::uint64_t payments = 0;
  sum authorised, captured, voided, refunded;
  std::uint64_t declined = 0;
  std::uint64_t tombstones = 0;      // voids of references nobody had heard of
  std::uint64_t double_captures = 0; // references captured more than once
};

class ledger {
public:
  /// The answer given to this key before. Empty: a new one. An error: it was given to another request.
  result<std::optional<answer>> remembered(const wish& w) const;

  const payment* find(std::string_view reference) const;

  /// What the step would be: an entry to apply and write, or a refusal (409, 404) that changes nothing.
  /// `may_decline`: a code to decline it with, empty to let it through.
  struct decision {
    std::optional<entry> effect;
    answer refusal; // without an effect
  };

  decision decide(const wish& w, std::string_view decline) const;

  /// The entry becomes true. Live and at replay alike.
  void apply(const entry& e);

  static answer answer_of(const entry& e);
  static answer answer_of(const payment& p);

  const totals& sums() const { return totals_; }

  std::uint64_t last_sequence() const { return last_; }

private:
  struct remembered_key {
    std::string reference;
    std::string request;
    answer given;
  };

  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept;
  };

  template <class Value>
  using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

  by_text<payment> payments_;
  by_text<remembered_key> keys_;
  totals totals_;
  std::uint64_t last_ = 0;
};

} // namespace sluice::sandbox
