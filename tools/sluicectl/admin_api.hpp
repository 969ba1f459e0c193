// The admin API as commands see it: paths in, documents out, refusals as failures a person can act on.
#pragma once

#include "codec/document.hpp"
#include "http_client.hpp"
#include "output.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::ctl {

/// What every command is told.
struct settings {
  std::string url = "http://127.0.0.1:8080";
  std::filesystem::path key_file;
  tls_trust trust;
  bool json = false;
  unsigned timeout_seconds = 0; // 0: 30, and 600 for what reads a whole log
};

/// A key, or a word on why there is none.
struct found_key {
  std::string text;
  std::string note;
};

/// The key from --key-file, SLUICE_ADMIN_KEY, SLUICE_ADMIN_KEY_FILE, or below `folder` var/admin.key or else the only
/// var/*/admin.key, these two for a node on this machine only. Never from the command line, where others could read it.
found_key find_admin_key(const settings& s, const node_address& node, const std::filesystem::path& folder);

/// Percent-encodes everything but the unreserved characters.
std::string url_part(std::string_view text);

class admin_api {
public:
  explicit admin_api(const settings& s);

  struct answer {
    unsigned status = 0;
    std::string text;
    codec::document body;
  };

  /// 2xx comes back; anything else is thrown. `doing` shows on a terminal while it takes long.
  answer get(const std::string& target, const std::string& doing = {}, bool slow = false);
  answer send(verb method, const std::string& target, const std::string& body = {}, const std::string& doing = {});
  /// Whatever the status.
  answer try_get(const std::string& target);

  bool has_key() const { return !key_.text.empty(); }

  const node_address& address() const { return client_.address(); }

private:
  answer exchange(verb method, const std::string& target, const std::string& body, const std::string& doing, bool slow);
  [[noreturn]] void refuse(const answer& a) const;

  settings settings_;
  http_client client_;
  found_key key_;
};

} // namespace sluice::ctl
