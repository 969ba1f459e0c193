// The giving end of a slot's way to another partition: reads its groups out of a checkpoint, part by part. No CAF here:
// nodes and the simulator use it.
#pragma once

#include "cluster/partition/types.hpp"
#include "storage/log_store.hpp"

#include <cstddef>
#include <string>

namespace sluice::actors {

/// The part at `wanted.position`, as the step its receiver proposes: about `bytes_max`, a larger piece alone. Empty if
/// the checkpoint is from before the slot was fenced, or the slot is not on its way to `to`, or that is no position.
/// Any position that was handed out works again, with any replica's checkpoint: nothing of the slot changes any more.
std::string read_slot(const storage::checkpoint_image& image, const partition::slot_pull& wanted, partition_id to,
                      std::size_t bytes_max);

} // namespace sluice::actors
