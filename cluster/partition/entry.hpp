// One entry of a partition's log: what gathered while the entry before it was being written.
#pragma once

#include "cluster/partition/types.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::partition {

/// A command as it comes back out of the log.
struct logged_command {
  entity_ref to;
  origin from;
  std::string_view body; // valid while `log_entry::owner` lives
  std::optional<note_source> note;
  std::optional<note_source> ack;
  bool is_step = false;
};

struct log_entry {
  entry_time now;
  std::uint32_t feature_level = 0;
  std::vector<logged_command> commands;
  std::shared_ptr<const void> owner;
};

std::string encode_entry(const entry_time& now, std::uint32_t feature_level, const std::vector<proposal>& proposals);

/// Empty when the bytes are no entry of this version: fatal, since no entry may be skipped.
std::optional<log_entry> decode_entry(const std::string& bytes);

} // namespace sluice::partition
