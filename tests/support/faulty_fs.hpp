// A file system under RocksDB that forgets: it counts syncs, and on a power cut drops what was written and not synced.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sluice::test {

/// Wraps the real file system. Every file's length as of its last sync is remembered; `cut_power` truncates files to it
/// (keeping a torn part of the unsynced end if asked to) and removes those never synced. New names are kept: directory
/// syncs are not modelled.
class forgetful_fs final : public rocksdb::FileSystemWrapper {
public:
  explicit forgetful_fs(const std::shared_ptr<rocksdb::FileSystem>& real) : FileSystemWrapper{real} {}

  static const char* kClassName() { return "forgetful_fs"; }

  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* made,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> real;
    auto status = target()->NewWritableFile(name, options, &real, debug);
    if (status.ok()) {
      set_synced(name, 0);
      *made = std::make_unique<file>(*this, name, std::move(real));
    }
    return status;
  }

  // Reused log files would need their old content modelled as well: without them a truncation is the whole truth.
  rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* made,
                                      rocksdb::IODebugContext* debug) override {
    target()->DeleteFile(old, options.io_options, debug);
    return NewWritableFile(name, options, made, debug);
  }

  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    auto status = target()->RenameFile(from, to, options, debug);
    std::lock_guard lock{lock_};
    auto known = synced_.find(from);
    if (status.ok() && known != synced_.end()) {
      synced_[to] = known->second;
      synced_.erase(known);
    }
    return status;
  }

  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    std::lock_guard lock{lock_};
    synced_.erase(name);
    return target()->DeleteFile(name, options, debug);
  }

  /// Call with the store closed: closing writes nothing of ours. `torn`: this many unsynced bytes of each file survive.
  void cut_power(std::uint64_t torn) {
    std::lock_guard lock{lock_};
    for (const auto& [name, length] : synced_) {
      std::uint64_t size = 0;
      if (!target()->GetFileSize(name, {}, &size, nullptr).ok())
        continue;
      if (size > length)
        std::filesystem::resize_file(name, std::min(size, length + torn));
    }
    synced_.clear();
  }

  std::uint64_t syncs() const { return syncs_; }

  std::uint64_t log_syncs() const { return log_syncs_; }

  /// The next operations of this kind fail.
  std::atomic<bool> no_space{false};
  std::atomic<bool> sync_fails{false};

private:
  class file final : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    file(forgetful_fs& owner, std::string name, std::unique_ptr<rocksdb::FSWritableFile>&& real)
        : FSWritableFileOwnerWrapper{std::move(real)}, owner_{owner}, name_{std::move(name)} {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (owner_.no_space)
        return rocksdb::IOStatus::NoSpace("no space left (test)");
      size_ += data.size();
      return target()->Append(data, options, debug);
    }

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* debug) override {
      if (owner_.no_space)
        return rocksdb::IOStatus::NoSpace("no space left (test)");
      size_ += data.size();
      return target()->Append(data, options, info, debug);
    }

    rocksdb::IOStatus Truncate(uint64_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
      size_ = size;
      return target()->Truncate(size, options, debug);
    }

    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return synced(target()->Sync(options, debug));
    }

    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return synced(target()->Fsync(options, debug));
    }

    // What is only flushed may be gone.
    rocksdb::IOStatus RangeSync(uint64_t, uint64_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }

    // Closing does not sync: RocksDB truncates preallocated space then, nothing more.
  private:
    rocksdb::IOStatus synced(rocksdb::IOStatus status) {
      if (owner_.sync_fails)
        return rocksdb::IOStatus::IOError("sync failed (test)");
      ++owner_.syncs_;
      if (name_.ends_with(".log"))
        ++owner_.log_syncs_;
      if (status.ok())
        owner_.set_synced(name_, size_);
      return status;
    }

    forgetful_fs& owner_;
    std::string name_;
    std::uint64_t size_ = 0;
  };

  void set_synced(const std::string& name, std::uint64_t size) {
    std::lock_guard lock{lock_};
    synced_[name] = size;
  }

  std::mutex lock_;
  std::map<std::string, std::uint64_t> synced_;
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> log_syncs_{0};
};

} // namespace sluice::test
