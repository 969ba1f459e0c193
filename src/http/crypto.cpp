#include "http/crypto.hpp"

#include "core/assert.hpp"
#include "core/text_id.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <span>

namespace sluice::http {

namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;

} // namespace

namespace {

void draw_random(unsigned char* to, std::size_t size) {
  SLUICE_ASSERT(RAND_bytes(to, static_cast<int>(size)) == 1, "the system has no random numbers to give");
}

} // namespace

void fill_random(void* to, std::size_t size) {
  // Ids are drawn with every request, and each draw would ask the kernel whether this process has forked.
  constexpr std::size_t small = 32;
  thread_local std::array<unsigned char, 1024> drawn;
  thread_local std::size_t left = 0;
  auto* bytes = static_cast<unsigned char*>(to);
  if (size > small)
    return draw_random(bytes, size);
  if (left < size) {
    draw_random(drawn.data(), drawn.size());
    left = drawn.size();
  }
  left -= size;
  std::copy_n(drawn.data() + left, size, bytes);
  OPENSSL_cleanse(drawn.data() + left, size); // nothing is given twice, nor found in memory later
}

void append_base64url(std::string& out, std::string_view bytes) {
  auto at = out.size();
  out.resize(at + (bytes.size() * 4 + 2) / 3);
  char* to = out.data() + at; // not +=, which checks for room at every character
  auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    auto word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = digits[word >> 18];
    *to++ = digits[word >> 12 & 63];
    *to++ = digits[word >> 6 & 63];
    *to++ = digits[word & 63];
  }
  if (bytes.size() - i == 1) {
    *to++ = digits[byte(i) >> 2];
    *to++ = digits[byte(i) << 4 & 63];
  } else if (bytes.size() - i == 2) {
    auto word = byte(i) << 8 | byte(i + 1);
    *to++ = digits[word >> 10];
    *to++ = digits[word >> 4 & 63];
    *to++ = digits[word << 2 & 63];
  }
}

std::string base64url(std::string_view bytes) {
  std::string text;
  append_base64url(text, bytes);
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  static const auto values = [] {
    std::array<signed char, 256> table;
    table.fill(-1);
    for (std::size_t i = 0; i < digits.size(); ++i)
      table[static_cast<unsigned char>(digits[i])] = static_cast<signed char>(i);
    return table;
  }();
  if (text.size() % 4 == 1)
    return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  int bits = 0;
  for (char c : text) {
    auto value = values[static_cast<unsigned char>(c)];
    if (value < 0)
      return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(held >> bits);
      held &= (1u << bits) - 1;
    }
  }
  if (held != 0)
    return std::nullopt;
  return bytes;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex(digest);
}

struct sha256_stream::state {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  ~state() { EVP_MD_CTX_free(context); }
};

sha256_stream::sha256_stream() : state_{std::make_unique<state>()} {
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
}

sha256_stream::~sha256_stream() = default;

void sha256_stream::add(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string sha256_stream::hex_so_far() const {
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  state ending;
  EVP_MD_CTX_copy_ex(ending.context, state_->context);
  EVP_DigestFinal_ex(ending.context, digest.data(), &size);
  return hex(digest);
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// ---- HMAC ------------------------------------------------------------------------------------------------------------

struct hmac_sha256::context {
  EVP_MAC_CTX* mac = nullptr;

  ~context() { EVP_MAC_CTX_free(mac); }
};

hmac_sha256::hmac_sha256(std::string_view key) : context_{std::make_unique<context>()} {
  auto* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  SLUICE_ASSERT(algorithm != nullptr, "OpenSSL offers no HMAC");
  context_->mac = EVP_MAC_CTX_new(algorithm);
  EVP_MAC_free(algorithm);
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                             OSSL_PARAM_construct_end()};
  SLUICE_ASSERT(EVP_MAC_init(context_->mac, bytes_of(key), key.size(), parameters) == 1, "HMAC key not accepted");
}

hmac_sha256::~hmac_sha256() = default;
hmac_sha256::hmac_sha256(hmac_sha256&&) noexcept = default;
hmac_sha256& hmac_sha256::operator=(hmac_sha256&&) noexcept = default;

std::array<char, 32> hmac_sha256::sign(std::string_view text) {
  std::array<char, 32> tag{};
  std::size_t size = 0;
  // A null key keeps the one set before: the expensive part is done once.
  bool ok = EVP_MAC_init(context_->mac, nullptr, 0, nullptr) == 1 &&
            EVP_MAC_update(context_->mac, bytes_of(text), text.size()) == 1 &&
            EVP_MAC_final(context_->mac, reinterpret_cast<unsigned char*>(tag.data()), &size, tag.size()) == 1;
  SLUICE_ASSERT(ok && size == tag.size(), "HMAC failed");
  return tag;
}

// ---- Ed25519 ---------------------------------------------------------------------------------------------------------

struct ed25519_key::pair {
  EVP_PKEY* key = nullptr;

  ~pair() { EVP_PKEY_free(key); }
};

ed25519_key::ed25519_key(std::string_view seed) : pair_{std::make_unique<pair>()} {
  pair_->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(seed), seed.size());
  SLUICE_ASSERT(pair_->key != nullptr, "Ed25519 key not accepted");
}

ed25519_key::~ed25519_key() = default;
ed25519_key::ed25519_key(ed25519_key&&) noexcept = default;
ed25519_key& ed25519_key::operator=(ed25519_key&&) noexcept = default;

std::string ed25519_key::sign(std::string_view text) const {
  auto* context = EVP_MD_CTX_new();
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  bool ok = EVP_DigestSignInit(context, nullptr, nullptr, nullptr, pair_->key) == 1 &&
            EVP_DigestSign(context, bytes_of(signature), &size, bytes_of(text), text.size()) == 1;
  EVP_MD_CTX_free(context);
  SLUICE_ASSERT(ok, "Ed25519 signing failed");
  return signature;
}

bool ed25519_key::verify(std::string_view text, std::string_view signature) const {
  auto* context = EVP_MD_CTX_new();
  bool ok = EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, pair_->key) == 1 &&
            EVP_DigestVerify(context, bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
  EVP_MD_CTX_free(context);
  return ok;
}

std::string ed25519_key::public_key() const {
  std::string bytes(32, '\0');
  std::size_t size = bytes.size();
  SLUICE_ASSERT(EVP_PKEY_get_raw_public_key(pair_->key, bytes_of(bytes), &size) == 1, "no Ed25519 public key");
  return bytes;
}

// ---- sealing ---------------------------------------------------------------------------------------------------------

std::string seal(std::string_view key, std::string_view plain) {
  std::string sealed(nonce_size + plain.size() + tag_size, '\0');
  fill_random(sealed.data(), nonce_size);
  auto* context = EVP_CIPHER_CTX_new();
  int size = 0;
  auto* at = bytes_of(sealed) + nonce_size;
  bool ok = EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nullptr, bytes_of(key), bytes_of(sealed)) == 1 &&
            EVP_EncryptUpdate(context, at, &size, bytes_of(plain), static_cast<int>(plain.size())) == 1 &&
            EVP_EncryptFinal_ex(context, at + size, &size) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, tag_size, at + plain.size()) == 1;
  EVP_CIPHER_CTX_free(context);
  SLUICE_ASSERT(ok && key.size() == 32, "sealing failed");
  return sealed;
}

std::optional<std::string> unseal(std::string_view key, std::string_view sealed) {
  if (sealed.size() < nonce_size + tag_size || key.size() != 32)
    return std::nullopt;
  std::string plain(sealed.size() - nonce_size - tag_size, '\0');
  std::string tag{sealed.substr(sealed.size() - tag_size)};
  auto* context = EVP_CIPHER_CTX_new();
  int size = 0;
  bool ok = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nullptr, bytes_of(key), bytes_of(sealed)) == 1 &&
            EVP_DecryptUpdate(context, bytes_of(plain), &size, bytes_of(sealed.substr(nonce_size)),
                              static_cast<int>(plain.size())) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) == 1 &&
            EVP_DecryptFinal_ex(context, bytes_of(plain) + size, &size) == 1;
  EVP_CIPHER_CTX_free(context);
  if (!ok)
    return std::nullopt;
  return plain;
}

} // namespace sluice::http
