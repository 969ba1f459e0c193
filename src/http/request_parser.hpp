// Boost.Beast's parser, made strict: whatever two implementations could read differently is refused.
#pragma once

#include "http/limits.hpp"
#include "http/request.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <string>

namespace sluice::http {

namespace beast = boost::beast;

/// Parses one request; make a new one (or call `reset`) for the next. Fills a `request` without copying fields nobody
/// looks at.
class request_parser final : public beast::http::basic_parser<true> {
public:
  explicit request_parser(const server_limits& limits);

  request& get() { return request_; }

  /// Parses what is at [data, data + size); returns how much of it was used. `ec` is need_more, an error, or clear.
  std::size_t parse(const char* data, std::size_t size, beast::error_code& ec);

  /// Why the request was refused, once `put` failed.
  errc refusal(const beast::error_code& ec) const;

  /// Set by `Expect: 100-continue`: the client waits before it sends the body.
  bool expects_continue() const { return expects_continue_; }

  bool has_host() const { return hosts_ == 1; }

  bool is_http11() const { return request_.version >= 11; }

private:
  void on_request_impl(beast::http::verb verb, beast::string_view method_text, beast::string_view target, int version,
                       beast::error_code& ec) override;

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}

  void on_field_impl(beast::http::field name, beast::string_view name_text, beast::string_view value,
                     beast::error_code& ec) override;
  void on_header_impl(beast::error_code& ec) override;
  void on_body_init_impl(boost::optional<std::uint64_t> const& length, beast::error_code& ec) override;
  std::size_t on_body_impl(beast::string_view body, beast::error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t, beast::string_view extensions, beast::error_code& ec) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, beast::string_view body, beast::error_code& ec) override;

  void on_finish_impl(beast::error_code&) override {}

  void refuse(errc why, beast::error_code& ec);

  const server_limits& limits_;
  request request_;
  errc why_{errc::bad_request};
  bool refused_ = false;
  bool line_seen_ = false;
  bool expects_continue_ = false;
  std::size_t fields_ = 0;
  unsigned hosts_ = 0;
  unsigned lengths_ = 0;
  bool header_done_ = false;
  const char* begin_ = nullptr; // of the bytes being parsed
  const char* end_ = nullptr;
};

} // namespace sluice::http
