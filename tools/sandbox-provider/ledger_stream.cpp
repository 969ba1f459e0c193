#include "sandbox-provider/ledger_stream.hpp"

#include "http/response.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

namespace sluice::sandbox {

namespace {

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::chrono::seconds patience{30};

class ledger_stream : public std::enable_shared_from_this<ledger_stream> {
public:
  ledger_stream(http::tcp_socket socket, const std::filesystem::path& file, std::uint64_t size)
      : socket_{std::move(socket)}, timer_{socket_.get_executor()}, in_{file, std::ios::binary}, left_{size} {}

  void start() {
    piece_ = "HTTP/1.1 200 OK\r\nDate: ";
    piece_ += http::http_date();
    piece_ += "\r\nContent-Type: application/x-ndjson\r\nContent-Length: " + std::to_string(left_);
    piece_ += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
    send();
  }

private:
  void send() {
    timer_.expires_after(patience);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      boost::system::error_code ignored;
      if (!cancelled)
        self->socket_.close(ignored);
    });
    boost::asio::async_write(socket_, boost::asio::buffer(piece_),
                             [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
                               self->timer_.cancel();
                               if (!ec)
                                 self->next();
                             });
  }

  void next() {
    piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_bytes)));
    if (piece_.empty() || !in_.read(piece_.data(), static_cast<std::streamsize>(piece_.size()))) {
      boost::system::error_code ignored;
      socket_.shutdown(http::tcp_socket::shutdown_both, ignored);
      return;
    }
    left_ -= piece_.size();
    send();
  }

  http::tcp_socket socket_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      timer_;
  std::ifstream in_;
  std::uint64_t left_;
  std::string piece_;
};

} // namespace

void stream_ledger(http::tcp_socket socket, const std::filesystem::path& file, std::uint64_t size) {
  std::make_shared<ledger_stream>(std::move(socket), file, size)->start();
}

} // namespace sluice::sandbox
