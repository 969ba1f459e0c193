#include "disk_writer.hpp"

#include "core/planted.hpp"
#include "storage/snapshot_sink.hpp"

namespace sluice::simulation {

void disk_writer::submit(storage::log_batch batch, std::uint64_t write_id) {
  waiting_.push_back({batch.partition, write_id, batch.checkpoint ? batch.checkpoint->number : 0,
                      batch.checkpoint_attempt.value_or(0), batch.install.has_value()});
  batches_.push_back(std::move(batch));
  sync();
}

void disk_writer::append_feed(partition_id partition, log_index index, std::string record) {
  feed_.push_back({partition, index, std::move(record)});
}

void disk_writer::sync() {
  if (syncing_ || batches_.empty())
    return;
  syncing_ = true;
  auto takes = run_.dice.about(run_.settings.sync_time);
  if (run_.strikes(fault::slow_disk, run_.settings.slow_sync))
    takes += run_.dice.between(10 * ms, 800 * ms);
  if (run_.stormy && run_.time.now() < slow_until_)
    takes += run_.dice.between(20 * ms, 300 * ms);
  // What gathers until the write begins is in it: it begins at once, and lands at the end.
  auto tell = [this, done = std::exchange(waiting_, {})] {
    for (const auto& d : done)
      done_(d);
  };
  if (is_planted(planted::skips_fsync))
    clock_.after(0, tell);
  clock_.after(takes, [this, batches = std::exchange(batches_, {}), tell] {
    disk_.write(batches);
    clock_.after(run_.dice.between(0, 50), [this, tell] {
      if (!is_planted(planted::skips_fsync))
        tell();
      write_feed();
      syncing_ = false;
      sync();
    });
  });
}

void disk_writer::write_feed() {
  for (const auto& f : std::exchange(feed_, {}))
    disk_.append_feed(f.partition, f.index, f.record);
}

void disk_writer::begun(partition_id partition, std::uint64_t checkpoint) {
  begun_[partition] = checkpoint;
  next_job();
}

void disk_writer::put(partition_id partition, std::uint64_t checkpoint, entity_ref of, record_pieces pieces) {
  jobs_.push_back({job::kind::put, partition, checkpoint, std::move(of), std::move(pieces), {}, {}, {}});
  next_job();
}

void disk_writer::apply(const storage::chunk_place& at, std::uint64_t checkpoint, storage::snapshot_chunk chunk,
                        std::function<void(bool)> done) {
  jobs_.push_back({job::kind::apply, at.partition, checkpoint, {}, {}, at, std::move(chunk), std::move(done)});
  next_job();
}

void disk_writer::end(partition_id partition, std::uint64_t checkpoint) {
  jobs_.push_back({job::kind::end, partition, checkpoint, {}, {}, {}, {}, {}});
  next_job();
}

void disk_writer::in_force(partition_id partition) {
  jobs_.push_back({job::kind::clean, partition, 0, {}, {}, {}, {}, {}});
  next_job();
}

void disk_writer::next_job() {
  if (working_ || jobs_.empty())
    return;
  const auto& first = jobs_.front();
  if (first.what != job::kind::clean && first.checkpoint > begun_[first.partition])
    return; // no piece before its attempt is durable
  working_ = true;
  auto takes = first.what == job::kind::end ? run_.dice.about(2 * run_.settings.sync_time) : run_.dice.between(1, 300);
  clock_.after(takes, [this] { run_job(); });
}

void disk_writer::run_job() {
  auto j = std::move(jobs_.front());
  jobs_.pop_front();
  working_ = false;
  switch (j.what) {
  case job::kind::put: {
    std::vector<storage::piece_write> pieces;
    for (auto& piece : j.pieces) {
      storage::piece_write w{j.of, piece.number, {}};
      if (piece.bytes)
        w.bytes = piece.bytes();
      written_[j.partition].emplace_back(j.of, piece.number);
      pieces.push_back(std::move(w));
    }
    if (!pieces.empty())
      disk_.put_pieces(j.partition, j.checkpoint, pieces);
    break;
  }
  case job::kind::apply:
    j.done(storage::apply_chunk(disk_, j.at, j.checkpoint, j.chunk));
    break;
  case job::kind::end:
    write_feed(); // facts of entries up to the cut must be in the feed before those entries may go
    if (!is_planted(planted::unflushed))
      disk_.flush();
    clock_.after(run_.dice.between(0, 200),
                 [this, partition = j.partition, checkpoint = j.checkpoint] { flushed_(partition, checkpoint); });
    break;
  case job::kind::clean:
    disk_.clean(j.partition, std::exchange(written_[j.partition], {}));
    break;
  }
  next_job();
}

} // namespace sluice::simulation
