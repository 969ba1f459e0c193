// One HTTP request as the routes see it.
#pragma once

#include "core/errc.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

enum class method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

std::string_view name_of(method m);

/// Values are copies: they stay valid while the request is answered asynchronously.
struct request {
  http::method method = method::other;
  std::string target; // as sent
  std::string path;   // up to '?', still percent-encoded
  std::string query;  // after '?'
  unsigned version = 11;

  // The header fields some route looks at; empty if absent.
  std::string authorization;
  std::string queue_token;
  std::string idempotency_key;
  std::string content_type;
  std::string accept;
  std::string if_none_match;
  std::string prefer;
  std::string request_id;
  std::string user_agent;
  bool has_idempotency_key = false;
  bool has_content_encoding = false;
  bool secure = false; // came over TLS
  bool local = false;  // from this machine

  std::string body;

  void clear() { *this = request{}; }

  /// The value of a query parameter, percent-decoded; empty optional if absent or malformed.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// Percent-decoding; empty on a malformed escape, a NUL, or what is not UTF-8: no text of a command may be that.
std::optional<std::string> percent_decoded(std::string_view text);

} // namespace sluice::http
