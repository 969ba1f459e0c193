#include "cluster/partition/entry.hpp"

#include "cluster/partition/wire.hpp"

namespace sluice::partition {

void encode(const proposal& p, proto::Command& c) {
  if (p.ack) {
    c.set_note_ack_from(p.ack->partition.value);
    c.set_note_ack(p.ack->sequence);
    return;
  }
  if (p.is_step)
    c.set_is_step(true);
  else
    encode(p.to, *c.mutable_to());
  if (!p.request_id.empty())
    c.set_request_id(p.request_id);
  if (p.from.node) {
    auto& o = *c.mutable_origin();
    o.set_node(p.from.node.value);
    o.set_incarnation(p.from.incarnation);
    o.set_request(p.from.request);
  }
  c.set_body(p.body);
  if (p.note) {
    c.mutable_note()->set_partition(p.note->partition.value);
    c.mutable_note()->set_sequence(p.note->sequence);
  }
}

std::string encode_entry(const entry_time& now, std::uint32_t feature_level, const std::vector<proposal>& proposals) {
  proto::LogEntry out;
  out.set_log_time_ms(static_cast<std::uint64_t>(to_ms(now.log)));
  out.set_wall_time_ms(to_ms(now.wall));
  out.set_feature_level(feature_level);
  out.mutable_commands()->Reserve(static_cast<int>(proposals.size()));
  for (const auto& p : proposals)
    encode(p, *out.add_commands());
  return out.SerializeAsString();
}

std::optional<log_entry> decode_entry(const std::string& bytes) {
  auto in = std::make_shared<proto::LogEntry>();
  if (!in->ParseFromString(bytes))
    return std::nullopt;
  log_entry entry;
  entry.now = {log_time_from_ms(static_cast<std::int64_t>(in->log_time_ms())), wall_time_from_ms(in->wall_time_ms())};
  entry.feature_level = in->feature_level();
  entry.commands.reserve(static_cast<std::size_t>(in->commands_size()));
  for (const auto& c : in->commands()) {
    logged_command command;
    if (c.note_ack() != 0) {
      command.ack = note_source{{c.note_ack_from()}, c.note_ack()};
    } else {
      command.is_step = c.is_step();
      if (!command.is_step)
        command.to = decode(c.to());
      command.body = c.body();
      if (c.has_origin())
        command.from = {{c.origin().node()}, c.origin().incarnation(), c.origin().request()};
      if (c.has_note())
        command.note = note_source{{c.note().partition()}, c.note().sequence()};
    }
    entry.commands.push_back(std::move(command));
  }
  entry.owner = std::move(in);
  return entry;
}

} // namespace sluice::partition
