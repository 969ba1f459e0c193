#include "http/tokens.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace sluice;
using namespace sluice::http;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const key_ring> new_ring() {
  return std::make_shared<const key_ring>(*key_ring::parse(key_ring::generate()));
}

const auto now = wall_time_from_ms(1'800'000'000'000);

claims queue_claims() {
  claims c;
  c.audience = "demo";
  c.user = "김철수 \"quoted\"";
  c.ticket = {42};
  c.event = {7};
  c.issued = now;
  c.expires = now + 1h;
  return c;
}

claims admission_claims() {
  auto c = queue_claims();
  c.is = claims::kind::admission;
  c.id.bytes[3] = 9;
  return c;
}

token_office office(const std::shared_ptr<const key_ring>& ring, const std::string& issuer = "here",
                    std::uint32_t epoch = 1) {
  return {ring, issuer, epoch, std::make_shared<verified_tokens>()};
}

} // namespace

TEST_CASE("tokens: what was signed reads back, and the same claims give the same bytes", "[http][tokens]") {
  auto o = office(new_ring());
  for (auto c : {queue_claims(), admission_claims()}) {
    auto token = o.sign(c);
    CHECK(o.sign(c) == token);
    auto who = o.verify(token, now);
    REQUIRE(who);
    CHECK(who->is == c.is);
    CHECK(who->user == c.user);
    CHECK(who->ticket == c.ticket);
    CHECK(who->event == c.event);
    CHECK(who->id == c.id);
    CHECK(who->expires == c.expires);
  }
}

TEST_CASE("tokens: another node verifies an admission it did not make", "[http][tokens]") {
  auto ring = new_ring();
  auto token = office(ring).sign(admission_claims());
  auto other = office(ring);
  CHECK(other.verify(token, now));
  CHECK(other.verify(token, now)); // from the table of those verified
}

TEST_CASE("tokens: expired, early, foreign or outdated ones are refused", "[http][tokens]") {
  auto ring = new_ring();
  auto o = office(ring);
  auto token = o.sign(queue_claims());
  CHECK(o.verify(token, now + 1h + 29s));
  CHECK(o.verify(token, now + 1h + 31s).why().code == errc::token_expired);
  CHECK(o.verify(token, now + 24h * 365, true));
  auto early = admission_claims();
  early.issued = now + 5min;
  CHECK_FALSE(o.verify(o.sign(early), now));
  CHECK_FALSE(office(new_ring()).verify(token, now));
  CHECK_FALSE(office(ring, "elsewhere").verify(token, now));
  CHECK_FALSE(office(ring, "here", 2).verify(token, now)); // restored: the epoch moved on
}

TEST_CASE("tokens: a header of the sender's choosing is never looked at", "[http][tokens]") {
  auto ring = new_ring();
  auto o = office(ring);
  auto token = o.sign(queue_claims());
  auto payload = token.substr(token.find('.') + 1);
  payload = payload.substr(0, payload.find('.'));
  for (auto header : {R"({"alg":"none"})", R"({"alg":"HS256","typ":"queue+jwt","kid":"../../etc/passwd"})",
                      R"({"alg":"HS256","typ":"admission+jwt","kid":"x"})", R"({"alg":"EdDSA","jwk":{}})", ""}) {
    auto signed_part = base64url(header) + "." + payload;
    auto tag = hmac_sha256{ring->admission()[0].pair.public_key()}.sign(signed_part); // the old trick
    CHECK_FALSE(o.verify(signed_part + "." + base64url({tag.data(), tag.size()}), now));
    CHECK_FALSE(o.verify(signed_part + ".", now));
  }
  // An admission's claims under the queue's signature are no admission.
  auto admission = o.sign(admission_claims());
  auto stolen = admission.substr(admission.find('.') + 1);
  stolen = token.substr(0, token.find('.') + 1) + stolen.substr(0, stolen.find('.'));
  auto tag = hmac_sha256{ring->queue()[0].secret}.sign(stolen);
  auto who = o.verify(stolen + "." + base64url({tag.data(), tag.size()}), now);
  CHECK((!who || who->is == claims::kind::queue));
}

TEST_CASE("tokens: no bent token passes", "[http][tokens]") {
  auto o = office(new_ring());
  std::mt19937_64 r{3};
  for (auto c : {queue_claims(), admission_claims()}) {
    auto token = o.sign(c);
    int rounds = c.is == claims::kind::queue ? 20'000 : 300; // Ed25519 is checked each time
    for (int i = 0; i < rounds; ++i) {
      auto bent = token;
      switch (r() % 3) {
      case 0:
        bent[r() % bent.size()] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."[r() % 65];
        break;
      case 1:
        bent.resize(r() % bent.size());
        break;
      default:
        bent.insert(r() % bent.size(), 1, static_cast<char>(r()));
      }
      if (bent != token)
        REQUIRE_FALSE(o.verify(bent, now));
    }
  }
  CHECK_FALSE(o.verify(std::string(70'000, 'a'), now));
  CHECK_FALSE(o.verify("", now));
  CHECK_FALSE(o.verify("..", now));
}

TEST_CASE("crypto: sealed keys open with their own key only", "[http][tokens]") {
  std::string key(32, 'k');
  auto sealed = seal(key, "secret");
  CHECK(unseal(key, sealed) == "secret");
  CHECK_FALSE(unseal(std::string(32, 'x'), sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto bent = sealed;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    CHECK_FALSE(unseal(key, bent));
  }
  CHECK_FALSE(unseal(key, "short"));
}

TEST_CASE("crypto: base64url has one text per value", "[http][tokens]") {
  CHECK(base64url("\xff\xfe") == "__4");
  CHECK(from_base64url("__4") == "\xff\xfe");
  CHECK_FALSE(from_base64url("__5")); // unused bits set
  CHECK_FALSE(from_base64url("__4="));
  CHECK_FALSE(from_base64url("a"));
}
