// Streams, and clients that do not read them.
#include "http/push_stream.hpp"

#include <boost/asio/buffer.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <string>

using namespace sluice;
using namespace sluice::http;
using namespace std::chrono_literals;

namespace {

class talker final : public push_stream {
public:
  using push_stream::push_stream;

  void look(std::chrono::steady_clock::time_point) override {}

  void say(std::string_view json) { send("status", "1", json); }
};

/// One stream over a real socket, and its client's end.
struct conversation {
  asio::io_context context{1};
  edge shared;
  read_models models;
  push_hub hub{shared, models};
  tcp_socket client{context};
  std::shared_ptr<talker> stream;

  conversation() {
    asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type> door{
        context, asio::ip::tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
    client.open(asio::ip::tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size{4096});
    client.connect(door.local_endpoint());
    tcp_socket accepted{context};
    door.accept(accepted);
    stream = std::make_shared<talker>(hub, client_socket{std::move(accepted), std::shared_ptr<ssl_ctx_st>{}});
    stream->begin("test");
  }
};

} // namespace

TEST_CASE("stream: a client that takes nothing for long is cut off", "[http][stream]") {
  conversation c;
  auto now = std::chrono::steady_clock::now();
  CHECK_FALSE(c.stream->is_busy(now + 1h, 10s));     // it took all there was
  c.stream->say(std::string(16 * 1024 * 1024, 'x')); // more than any buffer on the way
  now = std::chrono::steady_clock::now();
  CHECK(c.stream->is_busy(now, 10s));
  CHECK(c.stream->is_busy(now + 9s, 10s));
  CHECK_FALSE(c.stream->over());
  c.stream->is_busy(now + 11s, 10s);
  CHECK(c.stream->over());
}

TEST_CASE("stream: a client that takes a little now and then is not", "[http][stream]") {
  conversation c;
  c.stream->say(std::string(16 * 1024 * 1024, 'x'));
  auto began = std::chrono::steady_clock::now();
  REQUIRE(c.stream->is_busy(began, 10s));
  c.client.non_blocking(true);
  std::string some(64 * 1024, '\0');
  std::size_t taken = 0;
  for (int turn = 0; turn < 2'000 && taken < 4 * 1024 * 1024; ++turn) {
    boost::system::error_code ec;
    taken += c.client.read_some(asio::buffer(some), ec);
    c.context.run_one_for(1ms);
  }
  REQUIRE(taken >= 4 * 1024 * 1024);
  auto gained = std::chrono::steady_clock::now() - began;
  c.stream->is_busy(began + 10s, 10s); // ten seconds after the beginning, less than that after the last it took
  CHECK_FALSE(c.stream->over());
  c.stream->is_busy(began + gained + 11s, 10s);
  CHECK(c.stream->over());
}
