#include "http/request_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <limits>

namespace sluice::http {

namespace {

method method_of(beast::http::verb verb) {
  switch (verb) {
  case beast::http::verb::get:
    return method::get;
  case beast::http::verb::head:
    return method::head;
  case beast::http::verb::post:
    return method::post;
  case beast::http::verb::put:
    return method::put;
  case beast::http::verb::patch:
    return method::patch;
  case beast::http::verb::delete_:
    return method::delete_;
  case beast::http::verb::options:
    return method::options;
  default:
    return method::other;
  }
}

void assign(std::string& to, beast::string_view from) {
  to.assign(from.data(), from.size());
}

} // namespace

request_parser::request_parser(const server_limits& limits) : limits_{limits} {
  eager(true);
  header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
  body_limit(limits.file_bytes_max); // the route's own limit is checked once the route is known
}

std::size_t request_parser::parse(const char* data, std::size_t size, beast::error_code& ec) {
  begin_ = data;
  end_ = data + size;
  return put(boost::asio::const_buffer{data, size}, ec);
}

errc request_parser::refusal(const beast::error_code& ec) const {
  if (refused_)
    return why_;
  if (ec == beast::http::error::header_limit)
    return line_seen_ ? errc::header_too_large : errc::uri_too_long;
  if (ec == beast::http::error::body_limit)
    return errc::body_too_large;
  return errc::bad_request;
}

void request_parser::on_request_impl(beast::http::verb verb, beast::string_view, beast::string_view target, int version,
                                     beast::error_code& ec) {
  line_seen_ = true;
  if (target.size() > limits_.target_bytes_max)
    return refuse(errc::uri_too_long, ec);
  request_.method = method_of(verb);
  request_.version = static_cast<unsigned>(version);
  assign(request_.target, target);
  if (std::any_of(target.begin(), target.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return refuse(errc::bad_request, ec); // percent-encoded or not at all
  // Origin form only: a proxy's absolute form and CONNECT's authority have no business here.
  if (request_.target.empty() || request_.target.front() != '/')
    return refuse(verb == beast::http::verb::connect ? errc::not_implemented : errc::bad_request, ec);
  auto question = request_.target.find('?');
  request_.path = request_.target.substr(0, question);
  if (question != std::string::npos)
    request_.query = request_.target.substr(question + 1);
}

void request_parser::on_field_impl(beast::http::field name, beast::string_view name_text, beast::string_view value,
                                   beast::error_code& ec) {
  if (header_done_)
    return refuse(errc::bad_request, ec); // trailers
  if (++fields_ > limits_.header_fields_max || name_text.size() + value.size() > limits_.header_line_bytes_max)
    return refuse(errc::header_too_large, ec);
  // A folded value was joined elsewhere: line folding is how requests are smuggled past a stricter neighbour.
  if (!value.empty() && (value.data() < begin_ || value.data() >= end_))
    return refuse(errc::bad_request, ec);
  using field = beast::http::field;
  switch (name) {
  case field::host:
    if (++hosts_ > 1)
      return refuse(errc::bad_request, ec);
    return;
  case field::content_length:
    if (++lengths_ > 1 || value.find(',') != beast::string_view::npos)
      return refuse(errc::bad_request, ec);
    return;
  case field::transfer_encoding:
    if (!beast::iequals(value, "chunked"))
      return refuse(errc::not_implemented, ec);
    if (!is_http11())
      return refuse(errc::bad_request, ec);
    return;
  case field::expect:
    if (!beast::iequals(value, "100-continue"))
      return refuse(errc::expectation_failed, ec);
    expects_continue_ = true;
    return;
  case field::content_encoding:
    request_.has_content_encoding = !beast::iequals(value, "identity");
    return;
  case field::authorization:
    return assign(request_.authorization, value);
  case field::content_type:
    return assign(request_.content_type, value);
  case field::accept:
    return assign(request_.accept, value);
  case field::if_none_match:
    return assign(request_.if_none_match, value);
  case field::prefer:
    return assign(request_.prefer, value);
  case field::user_agent:
    return assign(request_.user_agent, value);
  default:
    break;
  }
  if (beast::iequals(name_text, "X-Queue-Token"))
    return assign(request_.queue_token, value);
  if (beast::iequals(name_text, "X-Request-ID"))
    return assign(request_.request_id, value);
  if (beast::iequals(name_text, "Idempotency-Key")) {
    request_.has_idempotency_key = true;
    assign(request_.idempotency_key, value);
  }
}

void request_parser::on_header_impl(beast::error_code& ec) {
  header_done_ = true;
  if (is_http11() && hosts_ != 1)
    refuse(errc::bad_request, ec);
}

void request_parser::on_body_init_impl(boost::optional<std::uint64_t> const& length, beast::error_code&) {
  if (length && *length <= limits_.body_bytes_max)
    request_.body.reserve(static_cast<std::size_t>(*length));
}

std::size_t request_parser::on_body_impl(beast::string_view body, beast::error_code&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

void request_parser::on_chunk_header_impl(std::uint64_t, beast::string_view extensions, beast::error_code& ec) {
  if (!extensions.empty())
    refuse(errc::bad_request, ec);
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code& ec) {
  return on_body_impl(body, ec);
}

void request_parser::refuse(errc why, beast::error_code& ec) {
  refused_ = true;
  why_ = why;
  ec = beast::http::make_error_code(beast::http::error::bad_field);
}

} // namespace sluice::http
