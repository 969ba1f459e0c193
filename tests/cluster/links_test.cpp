// Lines between nodes over real sockets: who is let in, what arrives, what happens when the other end is gone or slow.
#include "cluster/link/links.hpp"

#include "sluice/peer.pb.h"
#include "support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <deque>
#include <random>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::link {

namespace {

using namespace std::chrono_literals;

std::string item(const std::string& text) {
  proto::PeerItem i;
  i.mutable_node_answer()->set_text(text);
  return i.SerializeAsString();
}

/// One node's end, remembering what it heard.
class end_point final : public listener {
public:
  end_point(std::uint32_t number, settings s = {}) : number_{number} {
    s.listen = "127.0.0.1:0";
    lines.emplace(s, *this);
    set_self("the-cluster", 1);
    lines->start();
  }

  ~end_point() override { lines->stop(); }

  void set_self(const std::string& cluster, std::uint32_t epoch) {
    lines->set_self({{number_}, name(), disk, 1, cluster, epoch});
  }

  std::string name() const { return "n" + std::to_string(number_); }

  peer as_peer() const { return {{number_}, name(), "127.0.0.1:" + std::to_string(lines->port()), disk}; }

  void received(node_id from, std::uint64_t, const std::string& envelope) override {
    proto::Envelope e;
    std::lock_guard guard{lock};
    if (!e.ParseFromString(envelope))
      return;
    for (const auto& i : e.items())
      if (i.has_node_answer())
        heard.emplace_back(from, i.node_answer().text());
    wake.notify_all();
  }

  void opened(node_id) override { count(opens); }

  void renewed(node_id) override { count(renewals); }

  void lost(node_id) override { count(losses); }

  void asked_to_join(const std::string&, const std::string& request, on_joined done) override {
    done(request == "please" ? "welcome" : "", request == "please" ? "" : "say please");
  }

  template <class Condition>
  bool until(Condition so, std::chrono::milliseconds patience = 5s) {
    std::unique_lock guard{lock};
    return wake.wait_for(guard, patience, so);
  }

  std::uint64_t disk = 7;
  std::mutex lock;
  std::condition_variable wake;
  std::deque<std::pair<node_id, std::string>> heard;
  int opens = 0;
  int losses = 0;
  int renewals = 0;
  std::optional<links> lines;

private:
  void count(int& what) {
    std::lock_guard guard{lock};
    ++what;
    wake.notify_all();
  }

  std::uint32_t number_;
};

/// A client that is no node.
class stranger {
public:
  explicit stranger(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
    timeval patience{3, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }

  ~stranger() { ::close(socket_); }

  void send(const std::string& bytes) { (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void send_frame(const std::string& body) {
    auto header = header_of(body);
    send({reinterpret_cast<const char*>(header.data()), header.size()});
    send(body);
  }

  /// All that comes until the other end closes.
  std::string rest() {
    std::string all;
    char some[4096];
    for (ssize_t n = 0; (n = ::recv(socket_, some, sizeof(some), 0)) > 0;)
      all.append(some, static_cast<std::size_t>(n));
    return all;
  }

private:
  int socket_;
};

void introduce(end_point& a, end_point& b) {
  a.lines->set_peers({b.as_peer()});
  b.lines->set_peers({a.as_peer()});
}

} // namespace

TEST_CASE("links: what one node sends arrives at the other, once and in order", "[cluster][links]") {
  end_point a{1};
  end_point b{2};
  introduce(a, b);
  REQUIRE(a.until([&] { return a.opens == 1; }));
  constexpr int many = 20'000;
  for (int i = 0; i < many; ++i)
    REQUIRE(a.lines->send({2}, item(std::to_string(i))));
  REQUIRE(b.until([&] { return b.heard.size() == many; }));
  for (int i = 0; i < many; ++i)
    REQUIRE(b.heard[static_cast<std::size_t>(i)] == std::make_pair(node_id{1}, std::to_string(i)));
  CHECK(a.lines->count().envelopes_sent < many); // gathered
}

TEST_CASE("links: a node that is unknown, of another cluster, epoch or disk is not let in", "[cluster][links]") {
  end_point a{1};
  end_point b{2};
  auto stays_out = [&] {
    a.lines->set_peers({b.as_peer()});
    CHECK_FALSE(a.until([&] { return a.opens > 0; }, 400ms));
  };
  SECTION("unknown") {
    stays_out();
  }
  SECTION("another cluster") {
    b.lines->set_peers({a.as_peer()});
    b.set_self("another", 1);
    stays_out();
  }
  SECTION("another epoch") {
    b.lines->set_peers({a.as_peer()});
    b.set_self("the-cluster", 2);
    stays_out();
  }
  SECTION("not founded yet") {
    b.lines->set_peers({a.as_peer()});
    b.set_self("", 0);
    stays_out();
  }
  SECTION("another disk") {
    auto known = a.as_peer();
    known.disk = 8;
    b.lines->set_peers({known});
    stays_out();
  }
  SECTION("it is not the disk that is known there") {
    b.lines->set_peers({a.as_peer()});
    auto known = b.as_peer();
    known.disk = 8;
    a.lines->set_peers({known});
    CHECK_FALSE(a.until([&] { return a.opens > 0; }, 400ms));
  }
  SECTION("another name") {
    auto known = a.as_peer();
    known.name = "somebody-else";
    b.lines->set_peers({known});
    stays_out();
  }
}

TEST_CASE("links: a lost process is noticed at once, and its successor is found again", "[cluster][links]") {
  end_point a{1};
  auto b = std::make_unique<end_point>(2);
  introduce(a, *b);
  REQUIRE(a.until([&] { return a.opens == 1; }));
  b.reset();
  REQUIRE(a.until([&] { return a.losses > 0; }, 900ms)); // not by silence
  for (int i = 0; i < 900 && a.lines->is_open({2}); ++i) // told when either line is lost; this is about our own
    std::this_thread::sleep_for(1ms);
  CHECK_FALSE(a.lines->is_open({2}));
  CHECK_FALSE(a.lines->send({2}, item("nobody hears this")));
  b = std::make_unique<end_point>(2);
  introduce(a, *b);
  REQUIRE(a.until([&] { return a.opens == 2; }));
  CHECK(a.lines->send({2}, item("hello")));
  CHECK(b->until([&] { return b->heard.size() == 1; }));
}

TEST_CASE("links: every new line of a node is told: what it said since the last one may be lost", "[cluster][links]") {
  end_point a{1};
  end_point b{2};
  introduce(a, b);
  REQUIRE(b.until([&] { return b.opens == 1; }));
  REQUIRE(a.until([&] { return a.opens == 1; }));
  REQUIRE(b.until([&] { return b.renewals == 1; }));
  // The same node dials again before the end of its old line was noticed: what was on its way on that one never comes.
  stranger again{b.lines->port()};
  proto::Hello hello;
  hello.set_protocol(1);
  hello.set_cluster("the-cluster");
  hello.set_epoch(1);
  hello.set_node(1);
  hello.set_name("n1");
  hello.set_disk(a.disk);
  hello.set_to(2);
  again.send_frame(hello.SerializeAsString());
  CHECK(b.until([&] { return b.renewals >= 2; }));
}

TEST_CASE("links: an end that takes nothing costs bounded memory, and is given up", "[cluster][links]") {
  // A listener that lets us in and then never reads: as a stopped process.
  asio::io_context context;
  tcp::acceptor acceptor{context, tcp::endpoint{asio::ip::make_address("127.0.0.1"), 0}};
  settings s;
  s.queue_max = 1024 * 1024;
  s.silent_max = 1500ms;
  end_point a{1, s};
  a.lines->set_peers({{{2}, "n2", "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()), 7}});
  auto socket = acceptor.accept();
  channel frozen{std::move(socket), nullptr};
  proto::Welcome let_in;
  let_in.set_disk(7);
  std::string welcome = let_in.SerializeAsString();
  frozen.read(greeting_max,
              [&](const error_code&, const std::string&) { frozen.write(welcome, [](const error_code&) {}); });
  context.run_for(200ms);
  REQUIRE(a.until([&] { return a.opens == 1; }));
  std::string large = item(std::string(100'000, 'x'));
  int taken = 0;
  while (taken < 2'000 && a.lines->send({2}, large))
    ++taken;
  CHECK(taken < 200); // what the kernel's buffers and the queue hold
  CHECK(a.lines->count().queued <= s.queue_max + large.size());
  CHECK(a.until([&] { return a.losses > 0; }, 4s));
}

TEST_CASE("links: what must not be missed breaks a line that can not take it", "[cluster][links]") {
  settings s;
  s.must_queue_max = 10;
  end_point a{1, s};
  end_point b{2};
  introduce(a, b);
  REQUIRE(a.until([&] { return a.opens == 1; }));
  a.lines->send_or_break({2}, item("longer than ten bytes, as everything"));
  CHECK(a.until([&] { return a.losses >= 1; }));
  CHECK(a.until([&] { return a.opens >= 2; })); // and the next line begins anew
}

TEST_CASE("links: strangers' bytes end their own connection and nothing else", "[cluster][links]") {
  end_point a{1};
  end_point b{2};
  introduce(a, b);
  REQUIRE(a.until([&] { return a.opens == 1; }));
  auto port = b.lines->port();
  std::mt19937 dice{5};
  for (int i = 0; i < 50; ++i) {
    stranger s{port};
    std::string junk(1 + dice() % 400, '\0');
    for (auto& c : junk)
      c = static_cast<char>(dice());
    s.send(junk);
  }
  SECTION("a frame longer than a greeting may be") {
    stranger s{port};
    s.send(std::string("\x7F\xFF\xFF\xFF", 4) + std::string(8, 'x'));
    CHECK(s.rest().empty());
  }
  SECTION("a wrong checksum") {
    stranger s{port};
    std::string body = "hello";
    auto header = header_of(body);
    header[5] ^= 1;
    s.send({reinterpret_cast<const char*>(header.data()), header.size()});
    s.send(body);
    CHECK(s.rest().empty());
  }
  SECTION("a hello that is none") {
    stranger s{port};
    s.send_frame("\xFF\xFF\xFF");
    CHECK(s.rest().empty());
  }
  SECTION("a hello of an unknown node is told why") {
    stranger s{port};
    proto::Hello hello;
    hello.set_protocol(1);
    hello.set_cluster("the-cluster");
    hello.set_epoch(1);
    hello.set_node(9);
    hello.set_name("n9");
    hello.set_to(2);
    s.send_frame(hello.SerializeAsString());
    CHECK(s.rest().find("node 9 is not in this cluster") != std::string::npos);
  }
  CHECK(a.lines->send({2}, item("still here")));
  CHECK(b.until([&] { return b.heard.size() == 1; }));
}

TEST_CASE("links: joining is asked for and answered, or refused with the reason", "[cluster][links]") {
  end_point a{1};
  auto address = "127.0.0.1:" + std::to_string(a.lines->port());
  auto ask = [&](const std::string& request) {
    proto::Hello hello;
    hello.set_protocol(1);
    hello.set_join(request);
    return ask_to_join(address, {}, hello.SerializeAsString(), 3s);
  };
  CHECK(ask("please") == "welcome");
  CHECK_THROWS_WITH(ask("let me in"), "say please");
  CHECK_THROWS(ask_to_join("127.0.0.1:1", {}, "x", 2s));
}

} // namespace sluice::link
