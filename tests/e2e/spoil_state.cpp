// Does to a stopped node what no checksum tells. What failing memory might have done: the state one partition keeps is
// another's no more. Or what somebody might have done who would like the past to be another: a text in its facts is another
// of the same length.   spoil-state STORE-FOLDER PARTITION [TEXT OTHER-TEXT]
#include "sluice/log_entry.pb.h"
#include "storage/rocks_store.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

using namespace sluice;

namespace {

int spoil_facts(storage::rocks_store& store, partition_id partition, const std::string& text,
                const std::string& other) {
  std::map<log_index, std::string> changed;
  store.scan_feed(partition, 0, [&](log_index index, std::string_view record) {
    auto at = record.find(text);
    if (at != std::string_view::npos)
      changed.emplace(index, std::string{record}.replace(at, text.size(), other));
    return true;
  });
  if (changed.empty() || text.size() != other.size())
    return std::fputs("there is no such text, or the other one is of another length\n", stderr), 1;
  for (auto& [index, record] : changed)
    store.append_feed(partition, index, std::move(record));
  store.flush();
  return 0;
}

int spoil_state(storage::rocks_store& store, partition_id partition) {
  storage::log_batch spoiled;
  spoiled.partition = partition;
  auto found = store.recover(spoiled.partition);
  if (!found.checkpoint)
    return std::fputs("there is no checkpoint\n", stderr), 1;
  proto::PartitionRecord record;
  if (!record.ParseFromString(found.checkpoint->record))
    return std::fputs("the checkpoint's record does not parse\n", stderr), 1;
  record.set_state_hash(record.state_hash() ^ 1);
  spoiled.checkpoint_attempt = found.attempts + 1;
  store.write({spoiled});
  spoiled.checkpoint_attempt.reset();
  spoiled.checkpoint = found.checkpoint;
  spoiled.checkpoint->number = found.attempts + 1;
  spoiled.checkpoint->record = record.SerializeAsString();
  store.write({spoiled});
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 5)
    return std::fputs("usage: spoil-state STORE-FOLDER PARTITION [TEXT OTHER-TEXT]\n", stderr), 2;
  storage::rocks_settings settings;
  settings.folder = arguments[1];
  storage::rocks_store store{settings};
  partition_id partition{static_cast<std::uint32_t>(std::atoi(arguments[2]))};
  return count == 3 ? spoil_state(store, partition) : spoil_facts(store, partition, arguments[3], arguments[4]);
}
