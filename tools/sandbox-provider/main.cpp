// sandbox-provider: a payment provider to test against. A process of its own, so that tests and demos meet real sockets.
#include "sandbox-provider/service.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <string>

#include <sys/resource.h>

namespace {

using namespace sluice;

std::string card_table() {
  std::string text = "Test cards (any other number is approved):\n";
  for (const auto& card : sandbox::test_cards()) {
    auto name = std::string{sandbox::name_of(card.is)};
    name.resize(24, ' ');
    text += "  " + std::string{card.number} + "  " + name + std::string{card.what} + "\n";
  }
  text += "\nControl calls:\n"
          "  POST /control {\"mode\":\"normal|down|slow|flaky\",\"failEvery\":n,\"delayMs\":n,"
          "\"cards\":{\"<number>\":\"<behaviour>\"}}\n"
          "  POST /control {\"die\":\"after-effect\"}  exits once the next effect is durable, before it answers\n"
          "  GET /control, DELETE /control (back to normal), GET /ledger (NDJSON), GET /totals\n";
  return text;
}

http::asio::ip::tcp::endpoint endpoint_from(const std::string& text) {
  auto colon = text.rfind(':');
  boost::system::error_code ec;
  auto address = boost::asio::ip::make_address(text.substr(0, colon), ec);
  int port = colon == std::string::npos ? -1 : std::atoi(text.c_str() + colon + 1);
  if (ec || port < 0 || port > 65535)
    throw CLI::ValidationError{"--listen", "must be an address and a port such as 127.0.0.1:8090"};
  return {address, static_cast<std::uint16_t>(port)};
}

std::size_t connections_max() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  constexpr rlim_t reserve = 64;
  return files.rlim_cur > 2 * reserve ? files.rlim_cur - reserve : files.rlim_cur / 2;
}

int serve(const http::asio::ip::tcp::endpoint& at, const std::filesystem::path& data) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  http::edge edge;
  edge.limits.connections_max = connections_max();
  std::unique_ptr<http::io_thread> thread;
  try {
    http::require_free(at);
    thread = std::make_unique<http::io_thread>(edge, at);
  } catch (const boost::system::system_error& e) {
    std::fprintf(stderr, "sandbox-provider: can not listen on %s:%u: %s\n", at.address().to_string().c_str(), at.port(),
                 e.code().message().c_str());
    return 1;
  }
  sandbox::ledger books;
  sandbox::ledger_file file{data};
  file.replay([&](const sandbox::entry& e) { books.apply(e); });
  sandbox::service service{*thread, books, file};
  thread->set_handler(service);
  thread->start("provider");
  auto bound = thread->endpoint();
  std::printf("listening on %s:%u\n", bound.address().to_string().c_str(), bound.port());
  std::fflush(stdout);

  int received = 0;
  sigwait(&signals, &received);
  // First no more callers, then the last lines: whoever was answered finds his payment again.
  thread->stop();
  thread->join();
  file.stop();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"sandbox-provider: a payment provider that approves, declines, hangs and dies as told."};
  std::string listen = "127.0.0.1:8090";
  std::filesystem::path data = "var/provider";
  app.add_option("--listen", listen, "address and port; port 0 takes any free one")->capture_default_str();
  app.add_option("--data", data, "folder of the ledger")->capture_default_str();
  app.footer(card_table());
  try {
    app.parse(argc, argv);
    return serve(endpoint_from(listen), data);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sandbox-provider: %s\n", e.what());
    return 1;
  }
}
