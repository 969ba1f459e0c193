// What a machine shares with a checkpoint being written is copied before it changes.
#pragma once

#include <atomic>
#include <memory>

namespace sluice::domain {

/// `held`, which is not null, as its owner's own from here on: a copy if somebody else still reads it. Others only ever let
/// go of it, on any thread; only its owner hands it out.
template <class Chunk>
Chunk& unshared(std::shared_ptr<Chunk>& held) {
  if (held.use_count() > 1)
    held = std::make_shared<Chunk>(*held);
  else
    std::atomic_thread_fence(std::memory_order_acquire); // pairs with the checkpoint writer letting go of it
  return *held;
}

} // namespace sluice::domain
