// The sandbox provider: its books, its file, and each way it can misbehave, over real sockets.
#include "sandbox-provider/service.hpp"

#include "support/temp_folder.hpp"

#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <future>
#include <memory>

#include <sys/socket.h>

using namespace sluice;
using namespace sluice::sandbox;
using namespace std::chrono_literals;

namespace {

wish asks(const std::string& reference, step s, std::int64_t amount = 500, const std::string& key = {}) {
  wish w;
  w.reference = reference;
  w.step = s;
  w.amount = amount;
  w.currency = "EUR";
  w.card = "4242424242424242";
  w.key = key.empty() ? reference + std::string{word_of(s)} : key;
  w.request = w.key + std::to_string(amount);
  return w;
}

/// Decides and applies; the answer given.
answer take(ledger& books, const wish& w, std::string_view decline = {}) {
  auto decided = books.decide(w, decline);
  if (!decided.effect)
    return decided.refusal;
  books.apply(*decided.effect);
  return ledger::answer_of(*decided.effect);
}

/// What came back: the status and the body, or nothing in time, or a cut connection.
struct outcome {
  unsigned status = 0;
  std::string body;
  bool silent = false;
  bool cut = false;

  bool says(std::string_view text) const { return body.find(text) != std::string::npos; }
};

/// A provider in this process, with the ledger of `folder`.
class provider {
public:
  explicit provider(const std::filesystem::path& folder) : file_{folder} {
    file_.replay([&](const entry& e) { books_.apply(e); });
    edge_.limits.connections_max = 100;
    thread_ = std::make_unique<http::io_thread>(
        edge_, http::asio::ip::tcp::endpoint{boost::asio::ip::make_address("127.0.0.1"), 0});
    service_ = std::make_unique<service>(*thread_, books_, file_);
    thread_->set_handler(*service_);
    at_ = thread_->endpoint();
    thread_->start("provider");
  }

  ~provider() {
    thread_->stop();
    thread_->join();
    file_.stop();
  }

  outcome send(const std::string& method, const std::string& path, const std::string& body = {},
               const std::string& key = {}, std::chrono::milliseconds patience = 3s) {
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket socket{context};
    socket.connect(at_);
    timeval wait{static_cast<time_t>(patience.count() / 1000),
                 static_cast<suseconds_t>(patience.count() % 1000 * 1000)};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    auto text = method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                (key.empty() ? "" : "Idempotency-Key: " + key + "\r\n") +
                (body.empty() ? "" : "Content-Type: application/json\r\n") +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    boost::asio::write(socket, boost::asio::buffer(text));
    std::string got;
    char piece[4096];
    outcome o;
    for (;;) {
      auto n = ::recv(socket.native_handle(), piece, sizeof(piece), 0);
      if (n < 0)
        o.silent = errno == EAGAIN;
      if (n <= 0)
        break;
      got.append(piece, static_cast<std::size_t>(n));
    }
    o.cut = got.empty() && !o.silent;
    if (got.size() > 12)
      o.status = static_cast<unsigned>(std::stoul(got.substr(9, 3)));
    if (auto split = got.find("\r\n\r\n"); split != std::string::npos)
      o.body = got.substr(split + 4);
    return o;
  }

  outcome authorise(const std::string& reference, const std::string& card, std::chrono::milliseconds patience = 3s) {
    return send("POST", "/v1/payments/" + reference + "/authorise",
                R"({"amount":500,"currency":"EUR","card":")" + card + "\"}", reference + "-a", patience);
  }

  outcome step(const std::string& reference, const std::string& verb, std::chrono::milliseconds patience = 3s) {
    return send("POST", "/v1/payments/" + reference + "/" + verb, R"({"amount":500,"currency":"EUR"})",
                reference + "-" + verb, patience);
  }

  outcome ask(const std::string& reference) { return send("GET", "/v1/payments/" + reference); }

private:
  ledger books_;
  ledger_file file_;
  http::edge edge_;
  std::unique_ptr<http::io_thread> thread_;
  std::unique_ptr<service> service_;
  http::asio::ip::tcp::endpoint at_;
};

} // namespace

TEST_CASE("sandbox: a payment goes forward, and only forward", "[tools][sandbox]") {
  ledger books;
  CHECK(take(books, asks("p", step::capture)).status == 404);
  CHECK(take(books, asks("p", step::authorise)).state == payment_state::authorised);
  CHECK(take(books, asks("p", step::refund)).code == "NOT_CAPTURED");
  CHECK(take(books, asks("p", step::capture, 501)).code == "AMOUNT_TOO_HIGH");
  CHECK(take(books, asks("p", step::capture)).state == payment_state::captured);
  CHECK(take(books, asks("p", step::capture, 500, "another key")).code == "ALREADY_CAPTURED");
  CHECK(take(books, asks("p", step::cancel)).code == "ALREADY_CAPTURED");
  CHECK(take(books, asks("p", step::refund)).state == payment_state::refunded);
  CHECK(books.sums().captured.amounts.at("EUR") == 500);
  CHECK(books.sums().refunded.count == 1);
  CHECK(books.sums().double_captures == 0);
}

TEST_CASE("sandbox: a void before its authorise closes the reference", "[tools][sandbox]") {
  ledger books;
  CHECK(take(books, asks("p", step::cancel)).state == payment_state::voided);
  CHECK(take(books, asks("p", step::authorise)).code == "ALREADY_VOIDED");
  CHECK(books.sums().tombstones == 1);
}

TEST_CASE("sandbox: a key answers its own request again, and no other", "[tools][sandbox]") {
  ledger books;
  auto first = asks("p", step::authorise);
  CHECK(!*books.remembered(first));
  auto given = take(books, first, "INSUFFICIENT_FUNDS");
  CHECK(given.status == 402);
  REQUIRE(*books.remembered(first));
  CHECK(**books.remembered(first) == given);
  auto other = asks("p", step::authorise, 700, first.key);
  CHECK(books.remembered(other).why().code == errc::idempotency_key_reused);
}

TEST_CASE("sandbox: an entry is one line and reads back", "[tools][sandbox]") {
  entry e{7,  "2030-01-01T00:00:00.000Z", "r\"1", step::authorise, payment_state::declined, "NO", 5, "EUR", "4242", "k",
          "q"};
  auto line = to_line(e);
  CHECK(line.back() == '\n');
  CHECK(entry_from(line) == e);
  for (std::size_t cut = 0; cut + 2 < line.size(); ++cut)
    CHECK(!entry_from(line.substr(0, cut)));
  CHECK(masked("5555444433331111") == "************1111");
  CHECK(masked("4000000000009995") == "4000000000009995");
}

TEST_CASE("sandbox: the ledger survives a restart, keys and all", "[tools][sandbox]") {
  test::temp_folder folder;
  std::string first;
  {
    provider p{folder.path()};
    auto done = p.authorise("r1", "4242424242424242");
    CHECK(done.status == 200);
    first = done.body;
    CHECK(p.step("r1", "capture").says("CAPTURED"));
    CHECK(p.authorise("r2", "4000000000009995").status == 402);
    CHECK_THROWS(ledger_file{folder.path()}); // one provider a folder
  }
  { // the end of a write that a power cut tore
    std::ofstream{folder.path() / "ledger.ndjson", std::ios::app | std::ios::binary} << R"({"seq":4,"at":"20)";
  }
  provider p{folder.path()};
  CHECK(p.ask("r1").says("CAPTURED"));
  CHECK(p.ask("r2").says("DECLINED"));
  CHECK(p.ask("r3").status == 404);
  CHECK(p.authorise("r1", "4242424242424242").body == first);
  CHECK(p.step("r1", "capture").says("CAPTURED"));
  auto other =
      p.send("POST", "/v1/payments/r9/authorise", R"({"amount":1,"currency":"EUR","card":"4242424242424242"})", "r1-a");
  CHECK(other.status == 422);
  CHECK(p.step("r1", "refund").says("REFUNDED"));
  auto books = p.send("GET", "/ledger");
  CHECK(std::count(books.body.begin(), books.body.end(), '\n') == 4);
  CHECK(p.send("GET", "/totals").says(R"("doubleCaptures":0)"));
}

TEST_CASE("sandbox: what is not a payment is refused", "[tools][sandbox]") {
  test::temp_folder folder;
  provider p{folder.path()};
  auto good = R"({"amount":1,"currency":"EUR","card":"4242424242424242"})";
  CHECK(p.send("POST", "/v1/payments/r/authorise", good).status == 400); // no key
  CHECK(p.send("POST", "/v1/payments/r/authorise", "[1", "k").status == 400);
  CHECK(p.send("POST", "/v1/payments/r/authorise", R"({"amount":-1,"currency":"EUR","card":"4242424242424242"})", "k")
            .status == 422);
  CHECK(p.send("POST", "/v1/payments/r/authorise", R"({"amount":1,"currency":"euro","card":"4242424242424242"})", "k")
            .status == 422);
  CHECK(p.send("POST", "/v1/payments/r/authorise", R"({"amount":1,"currency":"EUR","card":"x"})", "k").status == 422);
  CHECK(p.send("POST", "/v1/payments/r/steal", good, "k").status == 404);
  CHECK(p.send("POST", "/v1/payments/a%20b/authorise", good, "k").status == 400);
  CHECK(p.send("GET", "/nothing").status == 404);
  CHECK(p.ask("r").status == 404);
}

TEST_CASE("sandbox: each test card does what its name says", "[tools][sandbox]") {
  test::temp_folder folder;
  provider p{folder.path()};
  auto shortly = 150ms;

  SECTION("approve, and any unknown card") {
    CHECK(p.authorise("r", "4242424242424242").says("AUTHORISED"));
    CHECK(p.authorise("s", "5555444433331111").says("AUTHORISED"));
    CHECK(p.step("r", "void").says("VOIDED"));
  }
  SECTION("decline") {
    auto o = p.authorise("r", "4000000000009995");
    CHECK(o.status == 402);
    CHECK(o.says("INSUFFICIENT_FUNDS"));
  }
  SECTION("decline at capture") {
    CHECK(p.authorise("r", "4000000000000341").status == 200);
    auto o = p.step("r", "capture");
    CHECK(o.status == 402);
    CHECK(o.says("CAPTURE_DECLINED"));
  }
  SECTION("timeout without effect") {
    CHECK(p.authorise("r", "4000000000000101", shortly).silent);
    CHECK(p.authorise("r", "4000000000000101", shortly).silent);
    CHECK(p.ask("r").status == 404);
  }
  SECTION("timeout after effect") {
    CHECK(p.authorise("r", "4000000000000119", shortly).silent);
    CHECK(p.ask("r").says("AUTHORISED"));
    CHECK(p.authorise("r", "4000000000000119").status == 200);
    CHECK(p.step("r", "capture", shortly).silent);
    CHECK(p.step("r", "capture").says("CAPTURED"));
  }
  SECTION("error without effect") {
    CHECK(p.authorise("r", "4000000000000127").status == 500);
    CHECK(p.ask("r").status == 404);
  }
  SECTION("error after effect") {
    CHECK(p.authorise("r", "4000000000000135").status == 500);
    CHECK(p.ask("r").says("AUTHORISED"));
    CHECK(p.authorise("r", "4000000000000135").status == 200);
  }
  SECTION("error once") {
    CHECK(p.authorise("r", "4000000000000143").status == 500);
    CHECK(p.ask("r").status == 404);
    CHECK(p.authorise("r", "4000000000000143").status == 200);
    CHECK(p.step("r", "capture").status == 500);
    CHECK(p.step("r", "capture").status == 200);
  }
  SECTION("slow") {
    CHECK(p.authorise("r", "4000000000000150", 500ms).silent);
    CHECK(p.authorise("r", "4000000000000150", 4s).status == 200);
  }
  SECTION("cut after effect") {
    CHECK(p.authorise("r", "4000000000000168").cut);
    CHECK(p.ask("r").says("AUTHORISED"));
    CHECK(p.authorise("r", "4000000000000168").status == 200);
  }
  SECTION("garbage after effect") {
    CHECK(p.authorise("r", "4000000000000176").says("not what you asked for"));
    CHECK(p.authorise("r", "4000000000000176").says("AUTHORISED"));
  }
  SECTION("stuck at capture") {
    CHECK(p.authorise("r", "4000000000000184").status == 200);
    CHECK(p.step("r", "capture").status == 500);
    CHECK(p.step("r", "capture").status == 500);
    CHECK(p.step("r", "void").says("VOIDED"));
  }
}

TEST_CASE("sandbox: control calls make the whole provider misbehave, and behave again", "[tools][sandbox]") {
  test::temp_folder folder;
  provider p{folder.path()};
  auto control = [&](const std::string& body) { return p.send("POST", "/control", body).status; };

  SECTION("down") {
    CHECK(control(R"({"mode":"down"})") == 200);
    CHECK(p.authorise("r", "4242424242424242").cut);
    CHECK(p.ask("r").cut);
    CHECK(p.send("DELETE", "/control").status == 204);
    CHECK(p.ask("r").status == 404);
    CHECK(p.authorise("r", "4242424242424242").status == 200);
  }
  SECTION("slow") {
    CHECK(control(R"({"mode":"slow","delayMs":400})") == 200);
    CHECK(p.authorise("r", "4242424242424242", 100ms).silent);
    CHECK(p.authorise("r", "4242424242424242").status == 200);
  }
  SECTION("flaky: every n-th call meets a fault, and money still adds up") {
    CHECK(control(R"({"mode":"flaky","failEvery":2})") == 200);
    int sound = 0;
    for (int i = 0; i < 14; ++i)
      sound += p.authorise("r" + std::to_string(i), "4242424242424242", 150ms).says("AUTHORISED") ? 1 : 0;
    CHECK(sound == 7);
    CHECK(p.send("GET", "/control").says(R"("faults":7)"));
  }
  SECTION("a card with another behaviour") {
    CHECK(control(R"({"cards":{"4242424242424242":"decline"}})") == 200);
    CHECK(p.authorise("r", "4242424242424242").status == 402);
    CHECK(control(R"({"cards":{"4242424242424242":null}})") == 200);
    CHECK(p.authorise("s", "4242424242424242").status == 200);
  }
  SECTION("nonsense changes nothing") {
    CHECK(control(R"({"mode":"sideways"})") == 422);
    CHECK(control(R"({"mode":"down","cards":{"1":"explode"}})") == 422);
    CHECK(control(R"({"die":"now"})") == 422);
    CHECK(control("7") == 400);
    CHECK(p.authorise("r", "4242424242424242").status == 200);
  }
}
