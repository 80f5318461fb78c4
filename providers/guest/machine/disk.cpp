#include "providers/guest/machine/disk.hpp"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include "providers/guest/agent/volume.hpp"
#include "providers/guest/engines/files.hpp"
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

constexpr Millis kCheckDeadline{6 * 3'600'000};  // e2fsck of a large volume
constexpr Millis kGrowDeadline{3'600'000};
constexpr int kCorrected = 1, kCorrectedReboot = 2;  // exit codes of e2fsck that mean well
constexpr unsigned long kFlags = MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME;

std::string parent_of(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

// A file system that went read-only, or whose disk is gone beneath it, still looks mounted: so write. The file has no
// name.
Result<void> try_writing(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  const bool wrote = fd && write(fd.get(), "trove", 5) == 5 && fsync(fd.get()) == 0;
  if (wrote || errno == ENOSPC || errno == EDQUOT) return {};  // full is the engine's to say
  return fail(Code::unavailable, std::string("the volume cannot be written: ") + strerror(errno));
}

}  // namespace

Disk::Mounted Disk::mounted(const std::string& device) const {
  struct stat here {
  }, above{}, disk{};
  if (stat(places_.mount_point.c_str(), &here) != 0 || stat(parent_of(places_.mount_point).c_str(), &above) != 0 ||
      here.st_dev == above.st_dev) {
    return Mounted::nothing;
  }
  return stat(device.c_str(), &disk) == 0 && S_ISBLK(disk.st_mode) && disk.st_rdev == here.st_dev ? Mounted::ours
                                                                                                  : Mounted::other;
}

Result<void> Disk::clear_mount_point(const std::string& device) {
  const std::string& here = places_.mount_point;
  if (mounted(device) == Mounted::other) {
    struct stat info {};
    if (stat(here.c_str(), &info) != 0)
      return fail(Code::unavailable, std::string("cannot look at ") + here + ": " + strerror(errno));
    const std::string number = std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev));
    if (exists(places_.sys + "/dev/block/" + number)) {
      return fail(Code::denied, "another disk (" + number + ") is mounted at " + here);
    }
    // The volume was taken away and came back under another number; what is mounted is the shadow of its first coming.
    log::warning("a disk that is gone is taken off the mount point", {{"device", number}});
    if (umount2(here.c_str(), MNT_DETACH) == 0) return {};
  } else if (umount2(here.c_str(), UMOUNT_NOFOLLOW) == 0) {
    return {};
  }
  return fail(Code::unavailable, "cannot unmount " + here + " to check it: " + strerror(errno));
}

Result<void> Disk::check(const std::string& device, const Cancel& cancel) const {
  const std::string program = find_program({"/usr/sbin/e2fsck", "/sbin/e2fsck"});
  if (program.empty()) return fail(Code::not_found, "e2fsck is not installed");
  auto tool = Tool::start(
      {.argv = {program, "-p", device}, .user = current_os_user(), .log_file = places_.state + "/disk.log"});
  if (!tool) return tl::unexpected<Error>(tool.error());
  auto done = (*tool)->finish(kCheckDeadline, cancel);
  const int code = (*tool)->exit_code();
  if (done) return {};
  if (code == kCorrected || code == kCorrectedReboot) {
    log::warning("the volume's file system was repaired", {{"volume", volume_id_}, {"said", done.error().message}});
    return {};
  }
  return fail(code < 0 ? Code::unavailable : Code::denied,
              "the volume " + volume_id_ + " needs a repair by hand: " + done.error().message, "e2fsck -f " + device);
}

Result<bool> Disk::has_marker(const std::string& device) const {
  const std::string here = places_.state + "/look";
  if (auto made = make_directory(here, 0700); !made) return tl::unexpected<Error>(made.error());
  // Without its journal: to replay it would write.
  if (mount(device.c_str(), here.c_str(), "ext4", MS_RDONLY | kFlags, "noload") != 0) {
    return fail(Code::denied, std::string("its ext4 cannot be looked at: ") + strerror(errno));
  }
  struct stat info {};
  const bool found = lstat((here + "/" + kMarkerName).c_str(), &info) == 0 && S_ISREG(info.st_mode);
  if (umount2(here.c_str(), UMOUNT_NOFOLLOW) != 0)
    return fail(Code::unavailable, std::string("cannot unmount ") + here + ": " + strerror(errno));
  return found;
}

Result<void> Disk::mount_it(const std::string& device) const {
  const std::string& here = places_.mount_point;
  for (const auto& path : {parent_of(here), here}) {
    if (auto made = make_directory(path, 0711); !made) return made;
  }
  if (mount(device.c_str(), here.c_str(), "ext4", kFlags, "errors=remount-ro") != 0) {
    return fail(Code::unavailable, "cannot mount the volume " + volume_id_ + ": " + strerror(errno));
  }
  log::info("the volume is mounted", {{"volume", volume_id_}, {"device", device}, {"at", here}});
  return make_directory(here, 0711);  // the root of the file system now
}

Result<void> Disk::ready(const Cancel& cancel) {
  std::lock_guard lock(mutex_);
  auto device = find_volume_device(places_, volume_id_);
  if (!device)
    return fail(device.error().code == Code::not_found ? Code::unavailable : device.error().code,
                device.error().message);
  if (const Mounted at = mounted(*device); at != Mounted::nothing) {
    auto fine = at == Mounted::ours ? try_writing(places_.mount_point) : Result<void>(fail(Code::denied, ""));
    if (fine) return {};
    if (at == Mounted::ours) log::warning("the volume is unmounted and checked", {{"why", fine.error().message}});
    if (auto cleared = clear_mount_point(*device); !cleared) return cleared;
  }
  const Found found = inspect_device(*device, true);
  const std::string name = "the volume " + volume_id_ + " (" + *device + ")";
  if (found.content == Found::Content::unreadable) return fail(Code::unavailable, name + " is not used: " + found.what);
  if (found.content == Found::Content::blank || formatter_.half_made(*device, found, cancel)) {
    if (auto made = formatter_.format(*device, found, cancel); !made) return made;
    return mount_it(*device);
  }
  if (found.content != Found::Content::ext4)
    return fail(Code::denied, name + " holds " + found.what + ": it is not touched");
  if (found.label != kVolumeLabel) {
    auto marked = has_marker(*device);
    if (!marked) return fail(marked.error().code, name + ": " + marked.error().message);
    if (!*marked) return fail(Code::denied, name + " holds an ext4 without a marker of ours: it is not touched");
  }
  if (auto checked = check(*device, cancel); !checked) return checked;
  return mount_it(*device);
}

bool Disk::stale() {
  std::lock_guard lock(mutex_);
  auto device = find_volume_device(places_, volume_id_);
  const Mounted at = mounted(device.value_or(""));
  return at == Mounted::other || (at == Mounted::ours && !try_writing(places_.mount_point));
}

Result<bool> Disk::grow(const Cancel& cancel) {
  std::lock_guard lock(mutex_);
  auto device = find_volume_device(places_, volume_id_);
  if (!device || mounted(*device) != Mounted::ours) return false;
  // virtio tells the kernel of its new size. SCSI disks are asked.
  const std::string rescan = places_.sys + "/block/" + device->substr(device->rfind('/') + 1) + "/device/rescan";
  if (UniqueFd fd(open(rescan.c_str(), O_WRONLY | O_CLOEXEC)); fd) {
    [[maybe_unused]] ssize_t n = write(fd.get(), "1", 1);
  }
  auto disk = device_bytes(*device);
  if (!disk) return tl::unexpected<Error>(disk.error());
  const int64_t before = ext4_bytes(*device);
  if (before <= 0 || *disk <= before || *disk == grown_to_) return false;
  const std::string program = find_program({"/usr/sbin/resize2fs", "/sbin/resize2fs"});
  if (program.empty()) return fail(Code::not_found, "resize2fs is not installed");
  auto done = run_tool({.argv = {program, *device}, .user = current_os_user(), .log_file = places_.state + "/disk.log"},
                       kGrowDeadline, cancel);
  if (!done) return tl::unexpected<Error>(done.error());
  grown_to_ = *disk;  // less than a block group at the end may stay unused
  const int64_t after = ext4_bytes(*device);
  if (after <= before) return false;
  log::info("the volume has grown", {{"volume", volume_id_}, {"from_bytes", before}, {"to_bytes", after}});
  return true;
}

}  // namespace trove::guest
