// The data volume of a machine: found by its serial number, formatted when it is blank, checked, mounted, grown. What
// is not blank and not ours is refused and not one byte of it is changed. Called by the reconcile thread (ready) and by
// the thread that watches the kernel (grow): one at a time, by a mutex.
#pragma once
#include <mutex>
#include <string>
#include "providers/guest/machine/format.hpp"

namespace trove::guest {

class Disk {
 public:
  // `clock` and `rng` are borrowed.
  Disk(const Places& places, std::string volume_id, const Clock& clock, Rng& rng)
      : places_(places), volume_id_(std::move(volume_id)), formatter_(places, volume_id_, clock, rng) {}

  // The volume is at the mount point and can be written. unavailable: not attached yet, or not usable now. denied: it
  // is not ours to touch.
  Result<void> ready(const Cancel& cancel);
  // Something is mounted, but it is not the volume any more, or cannot be written.
  bool stale();
  // Makes the file system as large as its disk; true when it grew. Does nothing while it is not mounted; never shrinks.
  Result<bool> grow(const Cancel& cancel);

 private:
  enum class Mounted { nothing, ours, other };
  Mounted mounted(const std::string& device) const;
  // Makes room at the mount point when what is there is not usable any more.
  Result<void> clear_mount_point(const std::string& device);
  Result<void> check(const std::string& device, const Cancel& cancel) const;
  Result<void> mount_it(const std::string& device) const;
  // Whether an ext4 of another label carries the marker of our volumes.
  Result<bool> has_marker(const std::string& device) const;

  const Places places_;
  const std::string volume_id_;
  std::mutex mutex_;  // the rest is used under it
  Formatter formatter_;
  int64_t grown_to_ = 0;  // size of the disk for which resize2fs had nothing more to do
};

}  // namespace trove::guest
