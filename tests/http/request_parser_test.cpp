#include "http/request_parser.hpp"

#include <boost/beast/http/error.hpp>

#include <catch2/catch.hpp>

#include <optional>
#include <random>

using namespace sluice;
using namespace sluice::http;

namespace {

/// Feeds `text` in pieces of `step` bytes; the refusal, or the request.
struct outcome {
  std::optional<errc> refused;
  std::optional<request> got;
};

outcome parse(const std::string& text, std::size_t step = 4096) {
  server_limits limits;
  request_parser p{limits};
  std::string buffer;
  std::size_t sent = 0;
  for (;;) {
    boost::system::error_code ec;
    auto used = buffer.empty() ? 0 : p.parse(buffer.data(), buffer.size(), ec);
    if (ec && ec != beast::http::error::need_more)
      return {p.refusal(ec), {}};
    buffer.erase(0, used);
    if (p.is_done())
      return {{}, std::move(p.get())};
    if (sent == text.size())
      return {};
    auto size = std::min(step, text.size() - sent);
    buffer.append(text, sent, size);
    sent += size;
  }
}

const std::string host = "Host: x\r\n";

} // namespace

TEST_CASE("request_parser: a plain request, however it is cut up", "[http][parser]") {
  std::string text = "POST /a/b?c=d%20e&f HTTP/1.1\r\n" + host +
                     "Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}";
  for (std::size_t step : {1u, 7u, 4096u}) {
    auto o = parse(text, step);
    REQUIRE(o.got);
    CHECK(o.got->method == method::post);
    CHECK(o.got->path == "/a/b");
    CHECK(o.got->parameter("c") == "d e");
    CHECK(o.got->parameter("f") == "");
    CHECK_FALSE(o.got->parameter("g"));
    CHECK(o.got->idempotency_key == "k");
    CHECK(o.got->body == "{}");
  }
}

TEST_CASE("request_parser: chunked bodies are put together", "[http][parser]") {
  auto o =
      parse("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5);
  REQUIRE(o.got);
  CHECK(o.got->body == "abcde");
}

TEST_CASE("request_parser: what two servers could read differently is refused", "[http][parser]") {
  auto refused = [](const std::string& text) {
    INFO(text);
    auto o = parse(text);
    REQUIRE(o.refused);
    CHECK_FALSE(o.got);
    return *o.refused;
  };
  auto with = [](const std::string& fields) { return "POST / HTTP/1.1\r\n" + host + fields + "\r\nabcdef"; };
  for (const auto& fields :
       {"Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n", "Content-Length: -1\r\n", "Content-Length: +3\r\n", "Content-Length: 0x3\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "Transfer-Encoding : chunked\r\n",
        "X-Folded: a\r\n b\r\n", "X: a\nb: c\r\n", "X\0Y: a\r\n", ": no name\r\n", "Host: y\r\n"})
    CHECK(refused(with(fields)) == errc::bad_request);
  CHECK(refused(with("Transfer-Encoding: chunked, identity\r\n")) == errc::not_implemented);
  CHECK(refused(with("Transfer-Encoding: xchunked\r\n")) == errc::not_implemented);
  CHECK(refused(with("Expect: 200-maybe\r\n")) == errc::expectation_failed);
  auto chunked = "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(refused(chunked + "fffffffffffffffff\r\n") == errc::bad_request);
  CHECK(refused(chunked + "3;ext=1\r\nabc\r\n0\r\n\r\n") == errc::bad_request);
  CHECK(refused(chunked + "0\r\nX-Trailer: 1\r\n\r\n") == errc::bad_request);
  CHECK(refused(chunked + "zz\r\n") == errc::bad_request);
  CHECK(refused("GET / HTTP/1.1\r\n\r\n") == errc::bad_request); // no host
  CHECK(refused("GET http://x/ HTTP/1.1\r\n" + host + "\r\n") == errc::bad_request);
  CHECK(refused("CONNECT x:1 HTTP/1.1\r\n" + host + "\r\n") == errc::not_implemented);
  CHECK(refused("GET / HTTP/2.0\r\n" + host + "\r\n") == errc::bad_request);
  CHECK(refused("GET /\r\n\r\n") == errc::bad_request);
  CHECK(refused("G\x01T / HTTP/1.1\r\n\r\n") == errc::bad_request);
  CHECK(refused("GET / HTTP/1.1\n" + host + "\r\n") == errc::bad_request);
}

TEST_CASE("request_parser: limits have their own answers", "[http][parser]") {
  CHECK(parse("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n").refused == errc::uri_too_long);
  CHECK(parse("GET /" + std::string(40'000, 'a')).refused == errc::uri_too_long);
  CHECK(parse("GET / HTTP/1.1\r\n" + host + "X: " + std::string(9'000, 'a') + "\r\n\r\n").refused ==
        errc::header_too_large);
  std::string many = "GET / HTTP/1.1\r\n" + host;
  for (int i = 0; i < 150; ++i)
    many += "X-" + std::to_string(i) + ": a\r\n";
  CHECK(parse(many + "\r\n").refused == errc::header_too_large);
  std::string large = "GET / HTTP/1.1\r\n" + host;
  for (int i = 0; i < 10; ++i)
    large += "X: " + std::string(4'000, 'a') + "\r\n";
  CHECK(parse(large + "\r\n").refused == errc::header_too_large);
}

TEST_CASE("request_parser: percent escapes hide nothing", "[http][parser]") {
  CHECK(percent_decoded("a%2Fb") == "a/b");
  CHECK_FALSE(percent_decoded("a%00"));
  CHECK_FALSE(percent_decoded("a%2"));
  CHECK_FALSE(percent_decoded("%zz"));
  CHECK(percent_decoded("%C3%BC") == "\xC3\xBC");
  CHECK_FALSE(percent_decoded("%FF")); // no text of a command may be that
  CHECK_FALSE(percent_decoded("%C3"));
}

TEST_CASE("request_parser: random bytes never do harm", "[http][parser]") {
  std::mt19937_64 r{11};
  const std::string seed =
      "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
  for (int i = 0; i < 30'000; ++i) {
    auto bent = seed;
    for (auto n = 1 + r() % 6; n > 0; --n)
      bent[r() % bent.size()] = static_cast<char>(r());
    parse(bent, 1 + r() % 64);
  }
  SUCCEED();
}
