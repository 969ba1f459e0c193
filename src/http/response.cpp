#include "http/response.hpp"

#include "codec/document.hpp"

#include <charconv>
#include <ctime>

namespace sluice::http {

std::string_view reason_of(unsigned status) {
  switch (status) {
  case 100:
    return "Continue";
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 204:
    return "No Content";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 406:
    return "Not Acceptable";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 411:
    return "Length Required";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 415:
    return "Unsupported Media Type";
  case 417:
    return "Expectation Failed";
  case 422:
    return "Unprocessable Content";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 503:
    return "Service Unavailable";
  }
  return "Unknown";
}

namespace {

void append_number(std::string& out, std::uint64_t value) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

} // namespace

void append_response(std::string& out, const response& r, std::string_view date, bool keep_alive, bool http11,
                     bool head_only) {
  out += http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  append_number(out, r.status);
  out += ' ';
  out += reason_of(r.status);
  out += "\r\nDate: ";
  out += date;
  bool bodiless = r.status == 204 || r.status == 304;
  if (!bodiless) {
    out += "\r\nContent-Type: ";
    out += r.content_type;
    out += "\r\nContent-Length: ";
    append_number(out, r.body.size());
  }
  if (!r.cacheable)
    out += "\r\nCache-Control: no-store";
  if (!keep_alive || r.close)
    out += "\r\nConnection: close";
  else if (!http11)
    out += "\r\nConnection: keep-alive";
  out += "\r\n";
  out += r.fields;
  out += "\r\n";
  if (!bodiless && !head_only)
    out += r.body;
}

std::string_view http_date() {
  thread_local std::time_t known = 0;
  thread_local char text[64];
  thread_local std::size_t size = 0;
  auto now = std::time(nullptr);
  if (now != known) {
    known = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text, size};
}

unsigned status_of(errc e) {
  switch (e) {
  case errc::ok:
    return 200;
  case errc::bad_request:
  case errc::bad_json:
  case errc::unknown_field:
  case errc::bad_id:
  case errc::idempotency_key_missing:
  case errc::idempotency_key_invalid:
    return 400;
  case errc::unauthenticated:
  case errc::token_invalid:
  case errc::token_expired:
    return 401;
  case errc::forbidden:
  case errc::join_token_invalid:
  case errc::tls_required:
  case errc::not_admitted:
    return 403;
  case errc::hold_unknown:
  case errc::reservation_unknown:
  case errc::ticket_unknown:
  case errc::not_found:
  case errc::event_unknown:
  case errc::block_unknown:
  case errc::key_unknown:
  case errc::node_unknown:
    return 404;
  case errc::method_not_allowed:
    return 405;
  case errc::not_acceptable:
    return 406;
  case errc::request_timeout:
    return 408;
  case errc::seat_not_available:
  case errc::payment_running:
  case errc::not_cancellable:
  case errc::extension_limit:
  case errc::event_not_open:
  case errc::event_closed:
  case errc::sold_out:
  case errc::idempotency_key_in_use:
  case errc::event_in_sale:
  case errc::event_exists:
  case errc::action_not_allowed:
  case errc::too_many_events:
  case errc::node_name_taken:
  case errc::disk_retired:
  case errc::too_few_nodes:
  case errc::too_many_nodes:
  case errc::version_too_old:
    return 409;
  case errc::hold_lapsed:
  case errc::ticket_expired:
    return 410;
  case errc::length_required:
    return 411;
  case errc::body_too_large:
    return 413;
  case errc::uri_too_long:
    return 414;
  case errc::unsupported_media_type:
    return 415;
  case errc::expectation_failed:
    return 417;
  case errc::limit_per_user:
  case errc::method_not_accepted:
  case errc::seat_unknown:
  case errc::area_unknown:
  case errc::too_many_seats:
  case errc::missing_field:
  case errc::bad_value:
  case errc::idempotency_key_reused:
  case errc::definition_invalid:
    return 422;
  case errc::rate_limited:
    return 429;
  case errc::header_too_large:
    return 431;
  case errc::internal:
    return 500;
  case errc::not_implemented:
    return 501;
  case errc::not_leader:
  case errc::overloaded:
  case errc::timed_out:
  case errc::shutting_down:
  case errc::node_not_ready:
  case errc::line_full:
  case errc::too_many_connections:
  case errc::storage_failed:
    return 503;
  }
  return 500;
}

namespace {

/// The title of an error: the same for every occurrence, as RFC 9457 wants it.
std::string title_of(errc e) {
  std::string title;
  for (char c : code_of(e)) {
    if (c == '_')
      title += ' ';
    else if (title.empty())
      title += c;
    else
      title += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return title;
}

/// When it is worth another try.
int retry_seconds(errc why) {
  switch (why) {
  case errc::line_full:
    return 30;
  case errc::rate_limited: // keys are forgotten after a day, the first ones perhaps soon
    return 3'600;
  default:
    return 1;
  }
}

} // namespace

response problem(errc why, std::string_view detail, std::string_view request_id, std::string_view instance,
                 std::string_view extra) {
  response r;
  r.status = status_of(why);
  r.content_type = "application/problem+json";
  auto code = code_of(why);
  codec::json_writer w{r.body};
  w.begin_object().field("type", "urn:sluice:problem:" + std::string{code}).field("title", title_of(why));
  w.field("status", r.status).field("detail", detail.empty() ? std::string_view{title_of(why)} : detail);
  if (!instance.empty())
    w.field("instance", instance);
  w.field("code", code).field("requestId", request_id);
  bool retry = r.status == 503 || r.status == 429;
  if (retry)
    w.field("retryAfterMs", retry_seconds(why) * 1'000);
  r.body += extra;
  w.end_object();
  if (retry)
    r.field("Retry-After", std::to_string(retry_seconds(why)));
  if (r.status == 401)
    r.field("WWW-Authenticate", "Bearer");
  if (!request_id.empty())
    r.field("X-Request-ID", request_id);
  return r;
}

} // namespace sluice::http
