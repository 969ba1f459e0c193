#include "http/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <cstring>

namespace sluice::http {

namespace {

constexpr std::size_t read_size = 4096;
constexpr std::size_t drained_max = 1024 * 1024;
constexpr std::chrono::seconds drain_timeout{2};

} // namespace

void exchange::answer(const response& r) const {
  if (auto to = to_.lock())
    to->answer(turn_, r);
}

bool exchange::alive() const {
  auto to = to_.lock();
  return to && to->awaits(turn_);
}

std::optional<client_socket> exchange::take_over() const {
  if (auto to = to_.lock())
    return to->take_over(turn_);
  return std::nullopt;
}

connection::connection(client_socket socket, connection_owner& owner, std::string peer, bool counted)
    : socket_{std::move(socket)}, owner_{owner}, peer_{std::move(peer)}, counted_{counted} {}

connection::~connection() = default;

void connection::start() {
  boost::system::error_code ignored;
  socket_.next_layer().set_option(asio::ip::tcp::no_delay{true}, ignored);
  enter(phase::idle);
  // A client that connects and says nothing gets no longer than one that dawdles over its header.
  deadline_ = owner_.now() + owner_.limits().header_timeout;
  read_more();
}

void connection::read_more() {
  if (in_.size() < in_size_ + read_size)
    in_.resize(in_size_ + read_size);
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(in_.data() + in_size_, in_.size() - in_size_),
      [self = shared_from_this()](const boost::system::error_code& ec, std::size_t size) { self->on_read(ec, size); });
}

void connection::on_read(const boost::system::error_code& ec, std::size_t size) {
  reading_ = false;
  if (phase_ == phase::closed)
    return;
  if (ec) {
    // The end of the client's side in the middle of a request is no request.
    return close();
  }
  switch (phase_) {
  case phase::idle:
    enter(phase::header);
    break;
  case phase::header:
  case phase::body:
    break;
  case phase::draining:
    drained_ += size;
    return drain();
  default:
    return; // it took too long and was refused meanwhile: what still comes of it is nobody's
  }
  in_size_ += size;
  parse();
}

void connection::parse() {
  if (!parser_)
    parser_.emplace(owner_.limits());
  boost::system::error_code ec;
  std::size_t used = 0;
  while (used < in_size_ && !parser_->is_done()) {
    auto taken = parser_->parse(in_.data() + used, in_size_ - used, ec);
    used += taken;
    if (ec == beast::http::error::need_more) {
      ec = {};
      break;
    }
    if (ec)
      return refuse(parser_->refusal(ec));
    if (parser_->is_header_done() && !header_checked_ && !header_complete())
      return;
    if (taken == 0)
      break;
  }
  if (parser_->is_header_done() && !header_checked_ && !header_complete())
    return;
  if (used > 0) {
    in_size_ -= used;
    std::memmove(in_.data(), in_.data() + used, in_size_);
  }
  if (parser_->is_done())
    return dispatch();
  // Chunked bodies announce no length: hold them to the route's limit as they come.
  if (header_checked_ && is_too_large(parser_->get().body.size()))
    return refuse(terms_->beyond);
  // What is left unused is part of a line: of a chunk's header, or a trailer, which have no other limit.
  if (in_size_ > owner_.limits().header_bytes_max)
    return refuse(errc::bad_request);
  read_more();
}

/// A few routes take more than the others; most bodies are small enough for any.
bool connection::is_too_large(std::uint64_t body) {
  if (body <= owner_.limits().body_bytes_max)
    return false;
  if (!terms_)
    terms_ = owner_.terms_for(parser_->get());
  return body > terms_->bytes_max;
}

bool connection::header_complete() {
  header_checked_ = true;
  parser_->get().secure = socket_.is_secure();
  parser_->get().local = !counted_;
  if (auto length = parser_->content_length(); length && is_too_large(*length)) {
    refuse(terms_->beyond);
    return false;
  }
  if (parser_->is_done())
    return true;
  enter(phase::body);
  if (parser_->expects_continue() && parser_->is_http11()) {
    boost::system::error_code ignored;
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    socket_.write_some(asio::buffer(go_on), ignored);
  }
  return true;
}

void connection::refuse(errc why) {
  // What follows a malformed request can not be told apart from it: answer and close.
  keep_alive_ = false;
  ++turn_;
  enter(phase::answering);
  auto r = owner_.refuse(why, parser_->get());
  r.close = true;
  answer(turn_, r);
}

void connection::dispatch() {
  keep_alive_ = parser_->keep_alive();
  ++turn_;
  enter(phase::answering);
  owner_.handle(parser_->get(), exchange{weak_from_this(), turn_});
}

void connection::answer(std::uint32_t turn, const response& r) {
  if (!awaits(turn))
    return;
  bool head = parser_ && parser_->get().method == method::head;
  bool http11 = !parser_ || parser_->is_http11();
  keep_alive_ = keep_alive_ && !r.close && !owner_.is_draining();
  out_.clear();
  out_done_ = 0;
  append_response(out_, r, http_date(), keep_alive_, http11, head);
  owner_.answered(r.status);
  enter(phase::writing);
  write();
}

void connection::write() {
  // Most answers fit the socket's buffer: write at once, and go through the reactor only if they do not.
  while (out_done_ < out_.size()) {
    boost::system::error_code ec;
    auto size = socket_.write_some(asio::buffer(out_.data() + out_done_, out_.size() - out_done_), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again)
      return socket_.async_wait_writable(
          [self = shared_from_this()](const boost::system::error_code& failed) { self->on_writable(failed); });
    if (ec)
      return close();
    out_done_ += size; // TLS writes a record at a time
  }
  written();
}

void connection::on_writable(const boost::system::error_code& ec) {
  if (phase_ == phase::closed)
    return;
  if (ec)
    return close();
  write();
}

void connection::written() {
  if (!keep_alive_) {
    socket_.shutdown_send();
    enter(phase::draining);
    return drain();
  }
  if (out_.capacity() > 64 * 1024)
    out_ = {};
  parser_.reset();
  terms_.reset();
  header_checked_ = false;
  enter(phase::idle);
  if (in_size_ == 0) {
    if (in_.size() > read_size)
      in_ = {};
    return read_more();
  }
  // Pipelined: the next request is here already. Through the queue, so that one client does not starve the others.
  enter(phase::header);
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->phase_ == phase::header)
      self->parse();
  });
}

void connection::drain() {
  if (reading_)
    return; // goes on when that is through
  // Closing with unread input would reset the connection, and could take the answer with it on its way.
  if (drained_ > drained_max)
    return close();
  in_size_ = 0;
  read_more();
}

std::optional<client_socket> connection::take_over(std::uint32_t turn) {
  if (!awaits(turn))
    return std::nullopt;
  phase_ = phase::closed;
  auto self = shared_from_this();
  owner_.closed(*this);
  return std::move(socket_);
}

void connection::check_deadline(std::chrono::steady_clock::time_point now) {
  if (phase_ == phase::closed || phase_ == phase::answering || now < deadline_)
    return;
  if (phase_ == phase::header || phase_ == phase::body)
    return refuse(errc::request_timeout);
  close();
}

void connection::close() {
  if (phase_ == phase::closed)
    return;
  phase_ = phase::closed;
  socket_.close();
  auto self = shared_from_this();
  owner_.closed(*this);
}

void connection::enter(phase p) {
  phase_ = p;
  const auto& limits = owner_.limits();
  switch (p) {
  case phase::idle:
    deadline_ = owner_.now() + limits.idle_timeout;
    return;
  case phase::header:
    deadline_ = owner_.now() + limits.header_timeout;
    return;
  case phase::body:
    deadline_ = owner_.now() + limits.body_timeout;
    return;
  case phase::writing:
    deadline_ = owner_.now() + limits.write_timeout;
    return;
  case phase::draining:
    deadline_ = owner_.now() + drain_timeout;
    return;
  case phase::answering:
  case phase::closed:
    return;
  }
}

} // namespace sluice::http
