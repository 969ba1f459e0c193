// Does to a stopped node what failing memory might have done: what one partition keeps as its state is another's no more, and
// no checksum tells.   spoil-state STORE-FOLDER PARTITION
#include "sluice/log_entry.pb.h"
#include "storage/rocks_store.hpp"

#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
  using namespace sluice;
  if (count != 3)
    return std::fputs("usage: spoil-state STORE-FOLDER PARTITION\n", stderr), 2;
  storage::rocks_settings settings;
  settings.folder = arguments[1];
  storage::rocks_store store{settings};
  storage::log_batch spoiled;
  spoiled.partition = {static_cast<std::uint32_t>(std::atoi(arguments[2]))};
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
