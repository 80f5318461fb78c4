// Makes the file system of a new volume: the one place that overwrites a disk. A blank one is formatted. So is one that
// a crash left half made, and this is how we know it: before the first byte is written, an intent on the root disk
// names the volume, the file system's UUID and its time of birth. With these mkfs writes the same bytes each time, so
// it can be told whether everything at the disk's ends is either still zero or what we were about to write. A file
// system that was ever mounted, and whatever another machine wrote in between, fails that and is left alone. Used by
// one thread at a time.
#pragma once
#include <string>
#include "providers/guest/machine/block.hpp"
#include "specs/core/time.hpp"

namespace trove::guest {

inline constexpr const char* kVolumeLabel = "trove-data";

class Formatter {
 public:
  // `clock` and `rng` are borrowed.
  Formatter(const Places& places, std::string volume_id, const Clock& clock, Rng& rng)
      : places_(places), volume_id_(std::move(volume_id)), clock_(clock), rng_(rng) {}

  // Is this what our own interrupted format() left? Costs a read of a file when there is no intent.
  bool half_made(const std::string& device, const Found& found, const Cancel& cancel);
  // Preconditions: `found` is blank, or half_made() said yes just now. The intent is gone when it succeeded.
  Result<void> format(const std::string& device, const Found& found, const Cancel& cancel);

 private:
  struct Intent {
    std::string uuid;
    int64_t seconds = 0;
  };
  std::string intent_file() const { return places_.state + "/format.json"; }
  Result<Intent> read_intent() const;
  Result<void> make(const std::string& target, const Intent& intent, const Cancel& cancel) const;

  const Places places_;
  const std::string volume_id_;
  const Clock& clock_;
  Rng& rng_;
};

}  // namespace trove::guest
