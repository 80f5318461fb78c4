// Block devices as they are: which there are, which one a volume is, what one holds. Only looks; nothing here writes to
// a device. libblkid hides in block.cpp. Thread-safe: no state.
#pragma once
#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include "providers/guest/engines/process.hpp"
#include "providers/guest/machine/places.hpp"
#include "specs/core/result.hpp"

namespace trove::guest {

inline constexpr size_t kEdgeBytes = 1u << 20;  // of a disk's begin and end: zero when it is blank
inline constexpr size_t kFewestSerial = 20;     // characters: what virtio keeps of a volume's id

bool is_volume_id(std::string_view id);  // 36 characters of a UUID
// Whole disks ("vda"), sorted; at most 256.
std::vector<std::string> block_devices(const Places& places);
// The disk whose serial number is the volume's id or at least its first 20 characters: by what the kernel says of the
// disk, never by name, order or size. not_found: none. conflict: two.
Result<std::string> find_volume_device(const Places& places, const std::string& volume_id);

struct Found {
  enum class Content {
    blank,       // nothing known to libblkid, and zeros at both ends
    ext4,        // and nothing else beside it
    foreign,     // anything else; `what` says so
    unreadable,  // could not be looked at; `what` says why
  };
  Content content = Content::unreadable;
  std::string what;               // "an xfs file system", for people
  std::string type, label, uuid;  // of a file system; "" = none
};
// `exclusively`: a disk that is mounted or part of something (LVM, RAID, multipath) is unreadable.
Found inspect_device(const std::string& device, bool exclusively);
Result<int64_t> device_bytes(const std::string& device);
// kEdgeBytes of the begin and of the end.
Result<std::string> read_edges(const std::string& device);
// Size of the ext4 that the device holds by its superblock; 0 = none.
int64_t ext4_bytes(const std::string& device);

}  // namespace trove::guest
