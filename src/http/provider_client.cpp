#include "http/provider_client.hpp"

#include "codec/document.hpp"
#include "core/text_id.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <optional>

#include <pthread.h>

namespace sluice::http {

namespace {

constexpr std::chrono::milliseconds tick_every{20};
constexpr std::uint64_t answer_bytes_max = 64 * 1024;

std::string_view verb_of(domain::charge_step step) {
  switch (step) {
  case domain::charge_step::authorise:
    return "authorise";
  case domain::charge_step::capture:
    return "capture";
  case domain::charge_step::cancel:
    return "void";
  case domain::charge_step::refund:
    break;
  }
  return "refund";
}

std::string request_text(const actors::provider_request& r, const std::string& host) {
  auto reference = to_text(r.reservation);
  if (r.inquire)
    return "GET /v1/payments/" + reference + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  std::string body;
  codec::json_writer w{body};
  w.begin_object().field("amount", r.amount).field("currency", r.currency);
  if (r.step == domain::charge_step::authorise)
    w.field("card", r.card);
  w.end_object();
  std::string text = "POST /v1/payments/" + reference + "/";
  text += verb_of(r.step);
  text += " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nIdempotency-Key: " + reference + "-";
  text += verb_of(r.step);
  text += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  return text;
}

actors::provider_result::payment_state state_from(std::string_view word) {
  using state = actors::provider_result::payment_state;
  if (word == "AUTHORISED")
    return state::authorised;
  if (word == "DECLINED")
    return state::declined;
  if (word == "CAPTURED")
    return state::captured;
  if (word == "VOIDED")
    return state::voided;
  if (word == "REFUNDED")
    return state::refunded;
  return state::none;
}

/// The provider is not trusted more than any client: what does not parse is no answer.
actors::provider_result read_answer(const actors::provider_request& r, unsigned status, const std::string& body) {
  using verdict = actors::provider_result::verdict;
  actors::provider_result result;
  auto parsed = codec::parse_json(body);
  const auto* state = parsed ? parsed->find("state") : nullptr;
  if (state != nullptr)
    result.payment = state_from(state->text);
  if (parsed)
    if (const auto* code = parsed->find("code"); code && is_valid_name(code->text))
      result.reason = code->text;
  bool understood = result.payment != actors::provider_result::payment_state::none;
  if (r.inquire && status == 404)
    result.outcome = verdict::not_found;
  else if (status == 200 && understood)
    result.outcome = verdict::done;
  else if (!r.inquire && (status == 402 || status == 409) && understood)
    result.outcome = verdict::refused;
  return result;
}

} // namespace

/// One connection, one call at a time.
class provider_client::line : public std::enable_shared_from_this<line> {
public:
  explicit line(provider_client& owner) : owner_{owner}, socket_{owner.context_} {}

  bool busy() const { return wanted_.has_value(); }

  std::chrono::steady_clock::time_point deadline() const { return wanted_->deadline; }

  void begin(wanted w) {
    wanted_ = std::move(w);
    out_ = request_text(wanted_->request, host());
    done_ = 0;
    parser_.emplace();
    parser_->body_limit(answer_bytes_max);
    parser_->eager(true);
    in_size_ = 0;
    if (connected_ && went_away())
      reopen();
    if (connected_)
      return write();
    socket_.async_connect(owner_.settings_.at, [self = shared_from_this()](const boost::system::error_code& ec) {
      if (ec)
        return self->fail();
      self->connected_ = true;
      boost::system::error_code ignored;
      self->socket_.non_blocking(true, ignored);
      self->socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
      self->write();
    });
  }

  void time_out() {
    ++owner_.figures_.timeouts;
    fail();
  }

  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    connected_ = false;
  }

private:
  std::string host() const {
    const auto& at = owner_.settings_.at;
    return at.address().to_string() + ":" + std::to_string(at.port());
  }

  /// The provider may have closed an idle connection: better to notice before a charge is sent into it.
  bool went_away() {
    char byte = 0;
    boost::system::error_code ec;
    socket_.receive(asio::buffer(&byte, 1), tcp_socket::message_peek, ec);
    return ec != asio::error::would_block;
  }

  void reopen() {
    close();
    socket_ = tcp_socket{owner_.context_};
  }

  void write() {
    boost::system::error_code ec;
    auto size = socket_.write_some(asio::buffer(out_.data() + done_, out_.size() - done_), ec);
    if (ec && ec != asio::error::would_block)
      return fail();
    done_ += ec ? 0 : size;
    if (done_ < out_.size()) {
      socket_.async_wait(tcp_socket::wait_write, [self = shared_from_this()](const boost::system::error_code& failed) {
        if (failed)
          return self->fail();
        self->write();
      });
      return;
    }
    read();
  }

  void read() {
    socket_.async_read_some(asio::buffer(in_.data() + in_size_, in_.size() - in_size_),
                            [self = shared_from_this()](const boost::system::error_code& ec, std::size_t size) {
                              if (ec)
                                return self->fail();
                              self->in_size_ += size;
                              self->parse();
                            });
  }

  void parse() {
    if (!wanted_)
      return close();
    boost::system::error_code ec;
    std::size_t used = 0;
    while (used < in_size_ && !parser_->is_done()) {
      auto taken = parser_->put(asio::const_buffer{in_.data() + used, in_size_ - used}, ec);
      used += taken;
      if (ec == beast::http::error::need_more)
        ec = {};
      else if (ec)
        return fail();
      if (taken == 0)
        break;
    }
    in_size_ -= used;
    std::copy(in_.begin() + static_cast<std::ptrdiff_t>(used),
              in_.begin() + static_cast<std::ptrdiff_t>(used + in_size_), in_.begin());
    if (!parser_->is_done())
      return in_size_ == in_.size() ? fail() : read();
    finish(read_answer(wanted_->request, parser_->get().result_int(), parser_->get().body()), parser_->keep_alive());
  }

  void fail() {
    if (!wanted_)
      return close();
    ++owner_.figures_.failures;
    finish({}, false);
  }

  void finish(actors::provider_result result, bool usable) {
    auto w = std::move(*wanted_);
    wanted_.reset();
    if (!usable)
      close();
    auto self = shared_from_this();
    owner_.released(*this, usable);
    w.done(std::move(result));
  }

  provider_client& owner_;
  tcp_socket socket_;
  std::optional<wanted> wanted_;
  std::string out_;
  std::size_t done_ = 0;
  std::array<char, 8192> in_{};
  std::size_t in_size_ = 0;
  std::optional<beast::http::response_parser<beast::http::string_body>> parser_;
  bool connected_ = false;
};

provider_client::provider_client(const settings& s) : settings_{s}, tick_{context_} {
  thread_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "payments");
    auto stay = asio::make_work_guard(context_);
    on_tick();
    context_.run();
  }};
}

provider_client::~provider_client() {
  stop();
}

void provider_client::stop() {
  if (!thread_.joinable())
    return;
  asio::post(context_, [this] {
    stopping_ = true;
    context_.stop();
  });
  thread_.join();
}

void provider_client::call(actors::provider_request request, std::function<void(actors::provider_result)> done) {
  auto deadline = std::chrono::steady_clock::now() + request.deadline;
  asio::post(context_,
             [this, w = wanted{std::move(request), std::move(done), deadline}]() mutable { submit(std::move(w)); });
}

void provider_client::submit(wanted w) {
  if (waiting_.size() >= settings_.waiting_max) {
    ++figures_.failures;
    return w.done({});
  }
  waiting_.push_back(std::move(w));
  pump();
}

void provider_client::pump() {
  while (!waiting_.empty()) {
    auto free = std::find_if(lines_.begin(), lines_.end(), [](const auto& l) { return !l->busy(); });
    if (free == lines_.end()) {
      if (lines_.size() >= settings_.connections_max)
        break;
      lines_.push_back(std::make_shared<line>(*this));
      free = std::prev(lines_.end());
    }
    auto w = std::move(waiting_.front());
    waiting_.pop_front();
    (*free)->begin(std::move(w));
  }
  figures_.waiting = waiting_.size();
  figures_.connections = lines_.size();
}

void provider_client::released(line& l, bool usable) {
  if (!usable)
    std::erase_if(lines_, [&](const auto& known) { return known.get() == &l; });
  asio::post(context_, [this] { pump(); });
}

void provider_client::on_tick() {
  auto now = std::chrono::steady_clock::now();
  auto all = lines_;
  for (auto& l : all)
    if (l->busy() && l->deadline() <= now)
      l->time_out();
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    auto w = std::move(waiting_.front());
    waiting_.pop_front();
    ++figures_.timeouts;
    w.done({});
  }
  tick_.expires_after(tick_every);
  tick_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && !stopping_)
      on_tick();
  });
}

} // namespace sluice::http
