#include "providers/guest/machine/block.hpp"
#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include "providers/guest/engines/files.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostDevices = 256;
constexpr size_t kMostSerial = 4096;  // a file of sysfs

std::string trimmed(std::string_view text) {
  const auto dull = [](char c) { return c == ' ' || c == '\n' || c == '\0' || c == '\t'; };
  while (!text.empty() && dull(text.front())) text.remove_prefix(1);
  while (!text.empty() && dull(text.back())) text.remove_suffix(1);
  return std::string(text);
}

bool is_serial_of(const std::string& serial, const std::string& volume_id) {
  return serial.size() >= kFewestSerial && serial.size() <= volume_id.size() &&
         volume_id.compare(0, serial.size(), serial) == 0;
}

// All that the kernel calls the serial number of one disk.
std::vector<std::string> serials(const std::string& disk) {
  std::vector<std::string> found;
  for (const char* file : {"/serial", "/device/serial"}) {  // virtio, NVMe
    if (auto text = read_file(disk + file, kMostSerial)) found.push_back(trimmed(*text));
  }
  // SCSI: a page of "unit serial number" with four bytes of header.
  auto page = read_file(disk + "/device/vpd_pg80", kMostSerial);
  if (page && page->size() > 4 && static_cast<unsigned char>((*page)[1]) == 0x80)
    found.push_back(trimmed(page->substr(4)));
  return found;
}

// "virtio-<serial>", "scsi-0QEMU_QEMU_HARDDISK_<serial>": names that udev made of the same numbers.
bool is_link_of(const std::string& link, const std::string& volume_id) {
  const size_t at = link.find(volume_id.substr(0, kFewestSerial));
  return at != std::string::npos && at > 0 && (link[at - 1] == '-' || link[at - 1] == '_') &&
         is_serial_of(link.substr(at), volume_id);
}

Result<UniqueFd> open_device(const std::string& device, int flags) {
  UniqueFd fd(open(device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
  if (!fd) {
    return fail(errno == ENOENT ? Code::not_found : Code::unavailable,
                errno == EBUSY ? device + " is in use" : "cannot open " + device + ": " + strerror(errno));
  }
  return fd;
}

Result<int64_t> bytes_of(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return fail(Code::unavailable, std::string("cannot look at the disk: ") + strerror(errno));
  if (S_ISREG(info.st_mode)) return static_cast<int64_t>(info.st_size);
  uint64_t bytes = 0;
  if (!S_ISBLK(info.st_mode)) return fail(Code::invalid, "this is no disk");
  if (ioctl(fd, BLKGETSIZE64, &bytes) != 0)
    return fail(Code::unavailable, std::string("cannot measure the disk: ") + strerror(errno));
  return static_cast<int64_t>(bytes);
}

Result<void> read_at(int fd, int64_t at, char* into, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t n = pread(fd, into + done, size - done, at + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return fail(Code::unavailable,
                  std::string("cannot read the disk: ") + (n < 0 ? strerror(errno) : "it ends too early"));
    done += static_cast<size_t>(n);
  }
  return {};
}

Result<std::string> edges_of(int fd) {
  auto size = bytes_of(fd);
  if (!size) return tl::unexpected<Error>(size.error());
  if (*size < static_cast<int64_t>(2 * kEdgeBytes)) return fail(Code::invalid, "the disk is smaller than 2 MiB");
  std::string edges(2 * kEdgeBytes, '\0');
  auto done = read_at(fd, 0, edges.data(), kEdgeBytes);
  if (done) done = read_at(fd, *size - static_cast<int64_t>(kEdgeBytes), edges.data() + kEdgeBytes, kEdgeBytes);
  if (!done) return tl::unexpected<Error>(done.error());
  return edges;
}

struct EndProbe {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};

std::string value_of(blkid_probe probe, const char* name) {
  const char* data = nullptr;
  size_t size = 0;
  if (blkid_probe_lookup_value(probe, name, &data, &size) != 0 || !data) return "";
  return trimmed({data, size});
}

}  // namespace

bool is_volume_id(std::string_view id) {
  if (id.size() != 36) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = id[i];
    if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

std::vector<std::string> block_devices(const Places& places) {
  auto names = names_in(places.sys + "/block");
  if (names.size() > kMostDevices) names.resize(kMostDevices);
  return names;
}

Result<std::string> find_volume_device(const Places& places, const std::string& volume_id) {
  if (!is_volume_id(volume_id)) return fail(Code::invalid, "\"" + volume_id + "\" is not the id of a volume");
  std::set<std::string> found;
  const auto names = block_devices(places);
  for (const auto& name : names) {
    for (const auto& serial : serials(places.sys + "/block/" + name)) {
      if (is_serial_of(serial, volume_id)) found.insert(name);
    }
  }
  const std::string by_id = places.dev + "/disk/by-id";
  for (const auto& link : names_in(by_id)) {
    if (!is_link_of(link, volume_id)) continue;
    std::error_code error;
    const auto target = std::filesystem::canonical(by_id + "/" + link, error);
    if (!error && std::find(names.begin(), names.end(), target.filename().string()) != names.end()) {
      found.insert(target.filename().string());
    }
  }
  if (found.empty()) return fail(Code::not_found, "the volume " + volume_id + " is not attached yet");
  if (found.size() > 1)
    return fail(Code::conflict, "two disks say that they are the volume " + volume_id + ": " + *found.begin() +
                                    " and " + *found.rbegin());
  return places.dev + "/" + *found.begin();
}

Found inspect_device(const std::string& device, bool exclusively) {
  Found found;
  auto fd = open_device(device, exclusively ? O_EXCL : 0);
  if (!fd) return found.what = fd.error().message, found;
  std::unique_ptr<std::remove_pointer_t<blkid_probe>, EndProbe> probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), fd->get(), 0, 0) != 0) {
    return found.what = "a disk that cannot be looked at", found;
  }
  // A superblock with a wrong checksum is somebody's damaged data, and by no means blank.
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID |
                                                     BLKID_SUBLKS_USAGE | BLKID_SUBLKS_BADCSUM);
  blkid_probe_enable_partitions(probe.get(), 1);
  errno = 0;
  const int verdict = blkid_do_safeprobe(probe.get());
  if (verdict == -2) {
    found.content = Found::Content::foreign;
    return found.what = "more than one kind of data", found;
  }
  if (verdict < 0)
    return found.what = std::string("a disk that cannot be read") + (errno ? std::string(": ") + strerror(errno) : ""),
           found;
  if (verdict == 0) {
    found.type = value_of(probe.get(), "TYPE");
    found.label = value_of(probe.get(), "LABEL");
    found.uuid = value_of(probe.get(), "UUID");
    const std::string table = value_of(probe.get(), "PTTYPE");
    const bool damaged = !value_of(probe.get(), "SBBADCSUM").empty();
    found.content = found.type == "ext4" && table.empty() && !damaged ? Found::Content::ext4 : Found::Content::foreign;
    found.what = !found.type.empty() ? std::string(damaged ? "damaged " : "") + "data of the type " + found.type : "";
    if (!table.empty()) found.what += (found.what.empty() ? "" : " and ") + ("a partition table of the type " + table);
    if (found.what.empty()) found.what = "data of an unknown type";
    return found;
  }
  auto edges = edges_of(fd->get());
  if (!edges) return found.what = edges.error().message, found;
  const bool blank = std::all_of(edges->begin(), edges->end(), [](char c) { return c == 0; });
  found.content = blank ? Found::Content::blank : Found::Content::foreign;
  found.what = blank ? "nothing" : "data of an unknown type";
  return found;
}

Result<int64_t> device_bytes(const std::string& device) {
  auto fd = open_device(device, 0);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return bytes_of(fd->get());
}

Result<std::string> read_edges(const std::string& device) {
  auto fd = open_device(device, 0);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return edges_of(fd->get());
}

int64_t ext4_bytes(const std::string& device) {
  auto fd = open_device(device, 0);
  unsigned char block[1024];
  if (!fd || !read_at(fd->get(), 1024, reinterpret_cast<char*>(block), sizeof block)) return 0;
  const auto word = [&](size_t at) {
    return static_cast<uint64_t>(block[at]) | static_cast<uint64_t>(block[at + 1]) << 8 |
           static_cast<uint64_t>(block[at + 2]) << 16 | static_cast<uint64_t>(block[at + 3]) << 24;
  };
  constexpr uint64_t k64Bit = 0x80;  // INCOMPAT_64BIT: the high half of the count is there
  if (block[0x38] != 0x53 || block[0x39] != 0xEF || word(0x18) > 6) return 0;
  const uint64_t blocks = word(0x04) | (word(0x60) & k64Bit ? word(0x150) << 32 : 0);
  return static_cast<int64_t>(blocks << (10 + word(0x18)));
}

}  // namespace trove::guest
