#include "http/tokens.hpp"

#include "codec/document.hpp"
#include "core/hash.hpp"
#include "core/text_id.hpp"

#include <algorithm>

namespace sluice::http {

namespace {

constexpr std::size_t token_size_max = 4096;

std::string header_of(std::string_view algorithm, std::string_view type, std::string_view key) {
  std::string json;
  codec::json_writer{json}.begin_object().field("alg", algorithm).field("typ", type).field("kid", key).end_object();
  return base64url(json);
}

std::int64_t seconds(wall_time t) {
  return to_ms(t) / 1000;
}

std::string random_name(char prefix) {
  std::string name(1, prefix);
  name += hex(random_bytes<4>());
  return name;
}

} // namespace

// ---- keys ------------------------------------------------------------------------------------------------------------

std::string key_ring::generate() {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("queue").begin_array();
  w.begin_object().field("kid", random_name('q')).field("secret", hex(random_bytes<32>())).end_object();
  w.end_array().key("admission").begin_array();
  w.begin_object().field("kid", random_name('a')).field("seed", hex(random_bytes<32>())).end_object();
  w.end_array().end_object();
  return text;
}

std::optional<key_ring> key_ring::parse(std::string_view text) {
  auto parsed = codec::parse_json(text);
  if (!parsed)
    return std::nullopt;
  key_ring ring;
  auto each = [&](std::string_view name, std::string_view secret, auto&& add) {
    const auto* list = parsed->find(name);
    if (list == nullptr || list->items.empty())
      return false;
    for (const auto& item : list->items) {
      const auto* id = item.find("kid");
      const auto* value = item.find(secret);
      auto bytes = value ? from_hex(value->text) : std::nullopt;
      if (id == nullptr || !bytes || bytes->size() != 32)
        return false;
      add(id->text, *bytes);
    }
    return true;
  };
  bool ok = each("queue", "secret",
                 [&](const std::string& id, const std::string& bytes) {
                   ring.queue_.push_back({id, bytes});
                 }) &&
            each("admission", "seed", [&](const std::string& id, const std::string& bytes) {
              ring.admission_.push_back({id, ed25519_key{bytes}});
            });
  if (!ok)
    return std::nullopt;
  return ring;
}

std::string key_ring::jwks() const {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("keys").begin_array();
  for (const auto& key : admission_)
    w.begin_object()
        .field("kty", "OKP")
        .field("crv", "Ed25519")
        .field("use", "sig")
        .field("alg", "EdDSA")
        .field("kid", key.id)
        .field("x", base64url(key.pair.public_key()))
        .end_object();
  w.end_array().end_object();
  return text;
}

// ---- verified tokens -------------------------------------------------------------------------------------------------

verified_tokens::verified_tokens() : table_(slots) {
  fill_random(&seed_, sizeof(seed_));
}

bool verified_tokens::contains(std::string_view token) const {
  auto hash = hash_of(token, seed_);
  const auto* place = &table_[hash % (slots / ways) * ways];
  return std::any_of(place, place + ways,
                     [hash](const auto& known) { return known.load(std::memory_order_relaxed) == hash; });
}

void verified_tokens::add(std::string_view token) {
  auto hash = hash_of(token, seed_);
  auto* place = &table_[hash % (slots / ways) * ways];
  auto* free =
      std::find_if(place, place + ways, [](const auto& known) { return known.load(std::memory_order_relaxed) == 0; });
  if (free == place + ways)
    free = place + (hash >> 32) % ways;
  free->store(hash, std::memory_order_relaxed);
}

// ---- tokens ----------------------------------------------------------------------------------------------------------

token_office::token_office(std::shared_ptr<const key_ring> keys, std::string issuer, std::uint32_t epoch,
                           std::shared_ptr<verified_tokens> verified)
    : keys_{std::move(keys)}, issuer_{std::move(issuer)}, epoch_{epoch}, verified_{std::move(verified)},
      known_(known_max) {
  fill_random(&seed_, sizeof(seed_));
  for (const auto& key : keys_->queue()) {
    macs_.emplace_back(key.secret);
    queue_headers_.push_back(header_of("HS256", "queue+jwt", key.id));
  }
  for (const auto& key : keys_->admission())
    admission_headers_.push_back(header_of("EdDSA", "admission+jwt", key.id));
}

std::string token_office::sign(const claims& c) {
  auto token = signing_input(c);
  if (c.is == claims::kind::queue) {
    auto tag = macs_.front().sign(token);
    token += '.';
    append_base64url(token, {tag.data(), tag.size()});
    return token;
  }
  auto signature = keys_->admission().front().pair.sign(token);
  token += '.';
  append_base64url(token, signature);
  verified_->add(token);
  return token;
}

std::string token_office::signing_input(const claims& c) const {
  std::string json;
  json.reserve(256);
  codec::json_writer w{json};
  w.begin_object().field("iss", issuer_).field("aud", c.audience).field("sub", c.user).field("tkt", c.ticket.value);
  if (c.is == claims::kind::admission)
    w.field("jti", to_text(c.id));
  w.field("evn", c.event.value).field("epoch", epoch_).field("iat", seconds(c.issued));
  if (c.is == claims::kind::admission)
    w.field("nbf", seconds(c.issued));
  w.field("exp", seconds(c.expires)).end_object();
  const auto& header = c.is == claims::kind::queue ? queue_headers_.front() : admission_headers_.front();
  std::string input;
  input.reserve(header.size() + json.size() * 4 / 3 + 100);
  input += header;
  input += '.';
  append_base64url(input, json);
  return input;
}

result<claims> token_office::verify(std::string_view token, wall_time now, bool may_be_expired) {
  auto& known = known_[hash_of(token, seed_) % known_max];
  if (known.bytes != token || token.empty()) {
    auto found = check(token);
    if (!found)
      return found;
    known.bytes = token;
    known.says = std::move(*found);
  }
  const auto& c = known.says;
  if (c.issued > now + clock_grace)
    return error{errc::token_invalid, "the token is not valid here"};
  if (!may_be_expired && c.expires + clock_grace <= now)
    return error{errc::token_expired, "the token has expired"};
  return c;
}

result<claims> token_office::check(std::string_view token) {
  error invalid{errc::token_invalid, "the token is not valid here"};
  if (token.size() > token_size_max)
    return invalid;
  auto first = token.find('.');
  auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last || token.find('.', first + 1) != last)
    return invalid;
  auto header = token.substr(0, first);
  auto payload = token.substr(first + 1, last - first - 1);
  auto signed_part = token.substr(0, last);
  auto signature = from_base64url(token.substr(last + 1));
  if (!signature)
    return invalid;
  // The header must be one we write, to the byte: no algorithm, key or type of the sender's choosing is ever looked at.
  for (std::size_t i = 0; i < queue_headers_.size(); ++i) {
    if (header != queue_headers_[i])
      continue;
    auto tag = macs_[i].sign(signed_part);
    if (!equal_secrets({tag.data(), tag.size()}, *signature))
      return invalid;
    return read(payload, claims::kind::queue);
  }
  for (std::size_t i = 0; i < admission_headers_.size(); ++i) {
    if (header != admission_headers_[i])
      continue;
    if (!verified_->contains(token)) {
      if (!keys_->admission()[i].pair.verify(signed_part, *signature))
        return invalid;
      verified_->add(token);
    }
    return read(payload, claims::kind::admission);
  }
  return invalid;
}

result<claims> token_office::read(std::string_view payload, claims::kind kind) const {
  error invalid{errc::token_invalid, "the token is not valid here"};
  auto json = from_base64url(payload);
  if (!json)
    return invalid;
  auto parsed = codec::parse_json(*json);
  if (!parsed)
    return invalid;
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*parsed, "", mistakes};
  constexpr std::int64_t most = 0xFFFF'FFFF;
  claims c;
  c.is = kind;
  std::string issuer;
  std::string id;
  std::int64_t issued = 0;
  std::int64_t expires = 0;
  std::int64_t not_before = 0;
  r.read("iss", issuer, true).read("aud", c.audience, true).read("sub", c.user, true).read("jti", id);
  r.read("tkt", c.ticket.value, 1, most, true).read("evn", c.event.value, 1, most, true);
  r.read("epoch", c.epoch, 0, most, true).read("iat", issued, 0, most * 4, true);
  r.read("nbf", not_before, 0, most * 4).read("exp", expires, 0, most * 4, true);
  if (!mistakes.empty() || issuer != issuer_ || c.epoch != epoch_)
    return invalid;
  if (kind == claims::kind::admission) {
    auto admission = admission_id_from(id);
    if (!admission)
      return invalid;
    c.id = *admission;
  }
  c.issued = wall_time_from_ms(std::max(issued, not_before) * 1000);
  c.expires = wall_time_from_ms(expires * 1000);
  return c;
}

} // namespace sluice::http
