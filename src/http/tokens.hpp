// Queue tokens (HS256: only nodes verify them) and admission tokens (Ed25519: any backend verifies them offline).
#pragma once

#include "core/ids.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "http/crypto.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

/// The cluster's signing keys: the current one first, the previous one still accepted. Immutable once made.
class key_ring {
public:
  struct queue_key {
    std::string id;
    std::string secret; // 32 bytes
  };

  struct admission_key {
    std::string id;
    ed25519_key pair;
  };

  /// New random keys.
  static std::string generate(); // the ring as text, to be sealed
  static std::optional<key_ring> parse(std::string_view text);

  const std::vector<queue_key>& queue() const { return queue_; }

  const std::vector<admission_key>& admission() const { return admission_; }

  /// RFC 7517, the admission keys only.
  std::string jwks() const;

private:
  std::vector<queue_key> queue_;
  std::vector<admission_key> admission_;
};

/// By how much the clocks of those who check tokens may differ.
constexpr std::chrono::seconds clock_grace{30};

/// What a token says. Trust it only from `verify`.
struct claims {
  enum class kind : std::uint8_t { queue, admission };

  claims::kind is = kind::queue;
  std::string audience; // the event's slug
  std::string user;
  ticket_number ticket;
  event_number event; // tells an event from an earlier one of the same slug
  std::uint32_t epoch = 0;
  admission_id id{};  // of an admission token
  wall_time issued{}; // not valid before
  wall_time expires{};
};

/// Remembers which admission tokens were made or verified here, so that the slow check runs once per token.
/// A table of keyed 64-bit hashes, a few places for each, since two tokens in one place would put each other out for ever.
/// Shared by all threads.
class verified_tokens {
public:
  verified_tokens();
  bool contains(std::string_view token) const;
  void add(std::string_view token);

private:
  static constexpr std::size_t slots = 1 << 18;
  static constexpr std::size_t ways = 8; // one cache line

  std::uint64_t seed_;
  std::vector<std::atomic<std::uint64_t>> table_;
};

/// Makes and checks tokens. One per thread.
class token_office {
public:
  /// `issuer` is the cluster's id; tokens of another cluster, or of an earlier epoch, are refused.
  token_office(std::shared_ptr<const key_ring> keys, std::string issuer, std::uint32_t epoch,
               std::shared_ptr<verified_tokens> verified);

  std::string sign(const claims& c);

  /// `now` decides expiry, with 30 seconds of grace for clocks; `may_be_expired` for reading one's own reservations.
  result<claims> verify(std::string_view token, wall_time now, bool may_be_expired = false);

private:
  /// A token that was read before, whole: its bytes are compared.
  struct known_token {
    std::string bytes;
    claims says;
  };

  static constexpr std::size_t known_max = 1 << 16; // some 600 bytes each, once used

  std::string signing_input(const claims& c) const;
  result<claims> check(std::string_view token);
  result<claims> read(std::string_view payload, claims::kind kind) const;

  std::shared_ptr<const key_ring> keys_;
  std::string issuer_;
  std::uint32_t epoch_;
  std::shared_ptr<verified_tokens> verified_;
  std::vector<hmac_sha256> macs_;          // by queue key
  std::vector<std::string> queue_headers_; // encoded, by key: a token's header must be one of these to the byte
  std::vector<std::string> admission_headers_;
  std::vector<known_token> known_; // by hash
  std::uint64_t seed_ = 0;         // of that hash
};

} // namespace sluice::http
