// The few primitives tokens and keys need, on OpenSSL's EVP interfaces.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

/// From the kernel; stops the process if it has none to give.
void fill_random(void* to, std::size_t size);

template <std::size_t Size>
std::array<std::uint8_t, Size> random_bytes() {
  std::array<std::uint8_t, Size> bytes;
  fill_random(bytes.data(), bytes.size());
  return bytes;
}

std::string base64url(std::string_view bytes);
void append_base64url(std::string& out, std::string_view bytes);
/// Empty on anything but unpadded base64url in canonical form (unused bits zero): one value has one text.
std::optional<std::string> from_base64url(std::string_view text);

std::string sha256_hex(std::string_view bytes);

/// SHA-256 of more than fits in memory.
class sha256_stream {
public:
  sha256_stream();
  ~sha256_stream();
  sha256_stream(const sha256_stream&) = delete;
  sha256_stream& operator=(const sha256_stream&) = delete;

  void add(std::string_view bytes);
  /// Of what was added so far; more may follow.
  std::string hex_so_far() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Compares without telling by its time where the difference is.
bool equal_secrets(std::string_view a, std::string_view b);

/// HMAC-SHA256 with one key, reused: several times faster than starting over. Not thread-safe.
class hmac_sha256 {
public:
  explicit hmac_sha256(std::string_view key);
  ~hmac_sha256();
  hmac_sha256(hmac_sha256&&) noexcept;
  hmac_sha256& operator=(hmac_sha256&&) noexcept;

  std::array<char, 32> sign(std::string_view text);

private:
  struct context;
  std::unique_ptr<context> context_;
};

/// An Ed25519 key pair from its 32-byte seed. Thread-safe.
class ed25519_key {
public:
  explicit ed25519_key(std::string_view seed);
  ~ed25519_key();
  ed25519_key(ed25519_key&&) noexcept;
  ed25519_key& operator=(ed25519_key&&) noexcept;

  std::string sign(std::string_view text) const; // 64 bytes, the same for the same text
  bool verify(std::string_view text, std::string_view signature) const;
  std::string public_key() const; // 32 bytes

private:
  struct pair;
  std::unique_ptr<pair> pair_;
};

/// AES-256-GCM with a random nonce in front and the tag behind.
std::string seal(std::string_view key, std::string_view plain);
/// Empty when the key is another or the bytes were touched.
std::optional<std::string> unseal(std::string_view key, std::string_view sealed);

} // namespace sluice::http
