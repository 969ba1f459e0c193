// How a command ends when it does not end well: an exit code a script can act on, one line a person can act on.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace sluice::ctl {

/// Documented in --help; scripts rely on them.
enum class exit_code : int {
  ok = 0,
  refused = 1,     // by the node, or by a check before anything was sent
  usage = 2,       // the command line itself
  unreachable = 3, // no node there, or the connection broke
  not_ready = 4,   // a node is there and can not answer now; the same command may work later
};

/// One mistake and its place: in a file, or in what was sent.
struct mistake {
  std::string file; // empty: not from a file
  int line = 0;     // 0: unknown
  std::string pointer;
  std::string detail;

  friend bool operator==(const mistake&, const mistake&) = default;
};

/// Thrown by commands, shown by main. Nothing is half done when it is thrown before the first request was sent.
class failure : public std::exception {
public:
  failure(exit_code code, std::string message, std::vector<mistake> mistakes = {}, std::string problem = {})
      : code_{code}, message_{std::move(message)}, mistakes_{std::move(mistakes)}, problem_{std::move(problem)} {}

  const char* what() const noexcept override { return message_.c_str(); }

  exit_code code() const { return code_; }

  const std::string& message() const { return message_; }

  const std::vector<mistake>& mistakes() const { return mistakes_; }

  /// The node's own problem+json, empty when the failure is ours.
  const std::string& problem() const { return problem_; }

private:
  exit_code code_;
  std::string message_;
  std::vector<mistake> mistakes_;
  std::string problem_;
};

} // namespace sluice::ctl
