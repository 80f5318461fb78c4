// A machine's data volume, on loop devices: what is formatted, what is refused without a byte changed, what grows.
#include "providers/guest/machine/disk.hpp"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include "machine_bed.hpp"
#include "providers/guest/machine/uevents.hpp"
#include "specs/core/real.hpp"
#include "specs/json.hpp"
#include "tests/support/clock.hpp"

namespace trove::guest {

namespace {

constexpr int64_t kSize = 64 << 20;

struct World : MachineBed {
  Disk make(const std::string& id = kVolumeId) { return Disk(places, id, clock, rng); }
  bool mounted() {
    struct stat here {
    }, above{};
    return stat(places.mount_point.c_str(), &here) == 0 && stat(dir.path().c_str(), &above) == 0 &&
           here.st_dev != above.st_dev;
  }
  void unmount() { must({"umount", places.mount_point}); }
  void write_at(const std::string& device, int64_t at, const std::string& bytes) {
    UniqueFd fd(open(dev(device).c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(pwrite(fd.get(), bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    REQUIRE(fsync(fd.get()) == 0);
  }
  // Refused in these words, and nothing was written, not to the disk and not below the mount point.
  void refuses(const std::string& device, const std::string& words) {
    const std::string before = checksum(device);
    Disk disk = make();
    auto ready = disk.ready(cancel);
    REQUIRE_FALSE(ready);
    INFO(ready.error().message);
    CHECK(ready.error().message.find(words) != std::string::npos);
    CHECK(checksum(device) == before);
    CHECK_FALSE(mounted());
    CHECK_FALSE(exists(places.state + "/format.model"));
  }
  // As far as a crash in the middle of mkfs lets it come: an intent, and some blocks of what mkfs would have written.
  void half_make(const std::string& device, const std::string& volume) {
    Disk disk = make();
    REQUIRE(disk.ready(cancel));
    unmount();
    const std::string uuid = must({"blkid", "-p", "-s", "UUID", "-o", "value", dev(device)}).substr(0, 36);
    guest::write_file(places.state + "/format.json",
                      dump_json(Value::map({{"volume", volume}, {"uuid", uuid}, {"seconds", clock.wall().ms / 1000}})),
                      0600);
    must({"dd", "if=/dev/zero", "of=" + dev(device), "bs=1M", "count=64", "conv=fsync", "status=none"});
    const std::string model = dir / "model";
    must({"truncate", "-s", std::to_string(kSize), model});
    must({"env", "E2FSPROGS_FAKE_TIME=" + std::to_string(clock.wall().ms / 1000), "mkfs.ext4", "-q", "-m", "1", "-b",
          "4096", "-L", kVolumeLabel, "-U", uuid, "-E",
          "hash_seed=" + uuid + ",lazy_itable_init=1,lazy_journal_init=1,nodiscard", model});
    // Not its first block: the superblock comes last.
    must({"dd", "if=" + model, "of=" + dev(device), "bs=4096", "skip=1", "seek=1", "count=200", "conv=fsync,notrunc",
          "status=none"});
  }

  static bool has_capability(int number) {
    const auto status = guest::read_file("/proc/self/status", 64 << 10);
    const size_t at = status ? status->find("CapEff:") : std::string::npos;
    return at != std::string::npos && (strtoull(status->c_str() + at + 7, nullptr, 16) >> number & 1) != 0;
  }

  FakeClock clock;
  RealRng rng;
  Cancel cancel;
};

}  // namespace

TEST_CASE("a volume is found by its serial number, never by its name") {
  MachineBed bed;
  bed.places.dev = bed.dir / "dev";
  const std::string block = bed.places.sys + "/block/";
  const auto disk = [&](const std::string& name, const std::string& file, const std::string& text) {
    bed.must({"mkdir", "-p", block + name + "/device"});
    if (!file.empty()) guest::write_file(block + name + "/" + file, text, 0600);
  };
  const auto found = [&] { return find_volume_device(bed.places, kVolumeId); };
  disk("vda", "", "");
  disk("vdb", "serial", "a-serial-that-is-long-enough-but-other");
  disk("vdc", "serial", kVolumeId.substr(0, 19));  // a character short
  disk("vdd", "serial", "");
  REQUIRE_FALSE(found());
  CHECK(found().error().code == Code::not_found);
  CHECK(found().error().message == "the volume " + kVolumeId + " is not attached yet");

  SECTION("virtio keeps twenty characters") {
    disk("vde", "serial", kVolumeId.substr(0, 20));
    CHECK(*found() == bed.places.dev + "/vde");
  }
  SECTION("SCSI has a page of it") {
    disk("sda", "device/vpd_pg80", std::string("\0\x80\0\x24", 4) + kVolumeId);
    CHECK(*found() == bed.places.dev + "/sda");
  }
  SECTION("NVMe pads it with spaces") {
    disk("nvme0n1", "device/serial", kVolumeId.substr(0, 20) + "   \n");
    CHECK(*found() == bed.places.dev + "/nvme0n1");
  }
  SECTION("udev's name for it counts, its partitions do not") {
    bed.must({"mkdir", "-p", bed.places.dev + "/disk/by-id"});
    for (const char* name : {"vda", "vda1"}) guest::write_file(bed.places.dev + "/" + name, "", 0600);
    const std::string link = bed.places.dev + "/disk/by-id/virtio-" + kVolumeId.substr(0, 20);
    REQUIRE(symlink("../../vda1", (link + "-part1").c_str()) == 0);
    REQUIRE_FALSE(found());
    REQUIRE(symlink("../../vda", link.c_str()) == 0);
    CHECK(*found() == bed.places.dev + "/vda");
  }
  SECTION("of two that claim it none is taken") {
    disk("vde", "serial", kVolumeId.substr(0, 20));
    disk("vdf", "serial", kVolumeId);
    REQUIRE_FALSE(found());
    CHECK(found().error().code == Code::conflict);
  }
}

TEST_CASE("a blank volume is formatted, mounted and found again") {
  World world;
  if (!world.can_use_disks()) return;
  Disk disk = world.make();
  auto absent = disk.ready(world.cancel);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Code::unavailable);
  CHECK(absent.error().message.find("is not attached yet") != std::string::npos);
  CHECK_FALSE(world.mounted());

  const auto device = world.attach_file("disk", kSize, kVolumeId.substr(0, 20));
  REQUIRE(disk.ready(world.cancel));
  CHECK(world.mounted());
  CHECK_FALSE(exists(world.places.state + "/format.json"));
  const std::string options = world.must({"findmnt", "-n", "-o", "OPTIONS", world.places.mount_point});
  for (const char* option : {"nodev", "nosuid", "noexec", "noatime"}) CHECK(options.find(option) != std::string::npos);
  struct stat info {};
  REQUIRE(stat(world.places.mount_point.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0711);
  guest::write_file(world.places.mount_point + "/data", "kept", 0600);

  REQUIRE(disk.ready(world.cancel));  // mounted already: fine
  world.unmount();
  Disk later = world.make();
  REQUIRE(later.ready(world.cancel));  // by its label, after a check
  CHECK(*guest::read_file(world.places.mount_point + "/data", 10) == "kept");

  // Read-only after an error: taken off, checked, mounted again.
  world.must({"mount", "-o", "remount,ro", world.places.mount_point});
  REQUIRE(later.ready(world.cancel));
  CHECK(guest::write_file(world.places.mount_point + "/data", "again", 0600));
}

TEST_CASE("a volume that came back under another number is mounted again") {
  World world;
  if (!world.can_use_disks()) return;
  const auto first = world.attach_file("disk", kSize, kVolumeId);
  Disk disk = world.make();
  REQUIRE(disk.ready(world.cancel));
  guest::write_file(world.places.mount_point + "/data", "kept", 0600);
  world.must({"sync"});
  remove_tree(world.places.sys + "/block/" + first);  // gone, and its mount is a shadow
  auto gone = disk.ready(world.cancel);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Code::unavailable);
  world.must({"cp", world.file_of(first), world.dir / "copy"});
  world.attach_file("copy", kSize, kVolumeId);
  REQUIRE(disk.ready(world.cancel));
  CHECK(*guest::read_file(world.places.mount_point + "/data", 10) == "kept");
}

TEST_CASE("a disk that is mounted elsewhere, or another one at our place, is left alone") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", kSize, kVolumeId);
  world.must({"mkfs.ext4", "-q", "-L", kVolumeLabel, world.dev(device)});
  world.must({"mkdir", "-p", world.dir / "m", world.places.mount_point});
  world.must({"mount", world.dev(device), world.dir / "m"});
  Disk disk = world.make();
  auto busy = disk.ready(world.cancel);
  REQUIRE_FALSE(busy);
  CHECK(busy.error().message.find("in use") != std::string::npos);
  world.must({"umount", world.dir / "m"});

  const auto other = world.attach_file("other", kSize, "");
  world.must({"mkfs.ext4", "-q", world.dev(other)});
  world.must({"mount", world.dev(other), world.places.mount_point});
  struct stat info {};
  REQUIRE(stat(world.places.mount_point.c_str(), &info) == 0);
  world.must({"mkdir", "-p",
              world.places.sys + "/dev/block/" + std::to_string(major(info.st_dev)) + ":" +
                  std::to_string(minor(info.st_dev))});
  auto wrong = disk.ready(world.cancel);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Code::denied);
  CHECK(world.mounted());
}

TEST_CASE("what is not blank and not ours is refused, and not one byte of it changes") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", kSize, kVolumeId);
  const std::string dev = world.dev(device);
  SECTION("an ext4 of somebody else") {
    world.must({"mkfs.ext4", "-q", "-L", "theirs", dev});
    world.refuses(device, "an ext4 without a marker of ours");
  }
  SECTION("an ext4 of somebody else whose journal waits") {
    world.must({"mkfs.ext4", "-q", dev});
    world.must({"mkdir", world.dir / "m"});
    world.must({"mount", dev, world.dir / "m"});
    guest::write_file(world.dir / "m/file", "x", 0600);
    world.must({"sync", "-f", world.dir / "m/file"});
    world.must({"cp", world.file_of(device), world.dir / "crashed"});
    world.must({"umount", world.dir / "m"});
    world.detach(device);
    world.refuses(world.attach_file("crashed", kSize, kVolumeId), "an ext4 without a marker of ours");
  }
  SECTION("the first bytes of an xfs") {
    world.write_at(device, 0, "XFSB");
    world.refuses(device, "data of");
  }
  SECTION("a partition table") {
    world.must({"sh", "-c", "echo ',,L' | sfdisk -q " + dev});
    world.refuses(device, "a partition table of the type dos");
  }
  SECTION("a GPT") {
    world.must({"sh", "-c", "echo ',,L' | sfdisk -q --label gpt " + dev});
    world.refuses(device, "a partition table of the type gpt");
  }
  SECTION("LUKS") {
    world.write_at(device, 0, std::string("LUKS\xba\xbe\0\1", 8) + std::string(160, '\0') + kVolumeId);
    world.refuses(device, "data of");
  }
  SECTION("LVM") {
    std::string label = "LABELONE";
    world.write_at(device, 512, label);
    world.refuses(device, "data of");
  }
  SECTION("one byte near the begin") {
    world.write_at(device, kEdgeBytes - 1, "x");
    world.refuses(device, "data of an unknown type");
  }
  SECTION("one byte at the end") {
    world.write_at(device, kSize - 1, "x");
    world.refuses(device, "data of an unknown type");
  }
  SECTION("two kinds at once") {
    world.must({"mkfs.ext4", "-q", "-L", kVolumeLabel, dev});
    world.write_at(device, kSize - 65536, std::string("\xfc\x4e\x2b\xa9", 4));
    world.write_at(device, 510, "\x55\xaa");
    world.write_at(device, 446, std::string("\0\x20\x21\0\x83\x28\x20\x08\0\x08\0\0\0\xf0\x01\0", 16));
    world.refuses(device, "holds");
  }
  SECTION("ours, but damaged beyond what is repaired without asking") {
    world.must({"mkfs.ext4", "-q", "-b", "4096", "-L", kVolumeLabel, dev});
    world.must({"debugfs", "-w", "-R", "clri <2>", dev});
    world.must({"debugfs", "-w", "-R", "ssv state 2", dev});
    Disk disk = world.make();
    auto ready = disk.ready(world.cancel);
    REQUIRE_FALSE(ready);
    CHECK(ready.error().message.find("needs a repair by hand: e2fsck ended with code 4") != std::string::npos);
    CHECK_FALSE(world.mounted());
  }
}

TEST_CASE("an ext4 of another label is taken when it carries the marker of our volumes") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", kSize, kVolumeId);
  world.must({"mkfs.ext4", "-q", "-L", "old-name", world.dev(device)});
  world.must({"mkdir", world.dir / "m"});
  world.must({"mount", world.dev(device), world.dir / "m"});
  guest::write_file(world.dir / "m/trove-volume.json", "{}", 0644);
  world.must({"umount", world.dir / "m"});
  Disk disk = world.make();
  REQUIRE(disk.ready(world.cancel));
  CHECK(world.mounted());
}

TEST_CASE("a file system that a crash left half made is redone only with its intent") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", kSize, kVolumeId);
  SECTION("with the intent") {
    world.half_make(device, kVolumeId);
    Disk disk = world.make();
    REQUIRE(disk.ready(world.cancel));
    CHECK(world.mounted());
    CHECK_FALSE(exists(world.places.state + "/format.json"));
  }
  SECTION("without") {
    world.half_make(device, kVolumeId);
    unlink((world.places.state + "/format.json").c_str());
    world.refuses(device, "data of an unknown type");
  }
  SECTION("with the intent for another volume") {
    world.half_make(device, "6d1f5a0e-1111-4222-8333-123456789abd");
    world.refuses(device, "data of an unknown type");
  }
  SECTION("with the intent, but somebody wrote to it in between") {
    world.half_make(device, kVolumeId);
    world.write_at(device, 600'000, "data of somebody");
    world.refuses(device, "data of an unknown type");
  }
  SECTION("with the intent, and a file system of somebody else by now") {
    world.half_make(device, kVolumeId);
    world.must({"mkfs.ext4", "-q", "-F", world.dev(device)});
    world.refuses(device, "an ext4 without a marker of ours");
  }
  SECTION("an intent that was left behind does not cost data") {
    Disk disk = world.make();
    REQUIRE(disk.ready(world.cancel));
    guest::write_file(world.places.mount_point + "/data", "kept", 0600);
    world.unmount();
    const std::string uuid = world.must({"blkid", "-p", "-s", "UUID", "-o", "value", world.dev(device)}).substr(0, 36);
    guest::write_file(
        world.places.state + "/format.json",
        dump_json(Value::map({{"volume", kVolumeId}, {"uuid", uuid}, {"seconds", world.clock.wall().ms / 1000}})),
        0600);
    REQUIRE(disk.ready(world.cancel));
    CHECK(*guest::read_file(world.places.mount_point + "/data", 10) == "kept");
  }
}

TEST_CASE("a volume that was extended grows while it is mounted, and never shrinks") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", kSize, kVolumeId);
  Disk disk = world.make();
  CHECK_FALSE(*disk.grow(world.cancel));  // not mounted
  REQUIRE(disk.ready(world.cancel));
  CHECK_FALSE(*disk.grow(world.cancel));
  guest::write_file(world.places.mount_point + "/data", "kept", 0600);
  const auto total = [&] {
    struct statvfs space {};
    statvfs(world.places.mount_point.c_str(), &space);
    return static_cast<int64_t>(space.f_blocks) * static_cast<int64_t>(space.f_frsize);
  };
  const int64_t before = total();
  CHECK(ext4_bytes(world.dev(device)) == kSize);
  Uevents uevents;
  world.must({"truncate", "-s", std::to_string(3 * kSize), world.file_of(device)});
  world.must({"losetup", "-c", world.dev(device)});
  CHECK(uevents.wait(Millis{5'000}, world.cancel));  // the kernel says so
  auto grown = disk.grow(world.cancel);
  if (!World::has_capability(24)) {  // CAP_SYS_RESOURCE: the kernel asks for it
    WARN("half skipped: resizing needs CAP_SYS_RESOURCE");
    REQUIRE_FALSE(grown);
    CHECK(grown.error().message.find("Permission denied to resize") != std::string::npos);
    return;
  }
  INFO((grown ? std::string() : grown.error().message));
  REQUIRE(grown);
  CHECK(*grown);
  CHECK(total() > 2 * before);
  CHECK(*guest::read_file(world.places.mount_point + "/data", 10) == "kept");
  CHECK_FALSE(*disk.grow(world.cancel));
}

TEST_CASE("of the kernel's messages those about disks count") {
  using namespace std::string_literals;
  CHECK(is_about_disks("change@/devices/pci0000:00/virtio1/block/vda\0ACTION=change\0SUBSYSTEM=block\0RESIZE=1\0"s));
  CHECK(is_about_disks("change@/devices/x\0SUBSYSTEM=scsi\0SDEV_UA=CAPACITY_DATA_HAS_CHANGED\0"s));
  CHECK_FALSE(is_about_disks("add@/devices/x\0SUBSYSTEM=net\0"s));
  CHECK_FALSE(is_about_disks("change@/devices/x\0SUBSYSTEM=scsi\0"s));
  CHECK_FALSE(is_about_disks(""));
  CHECK_FALSE(is_about_disks("SUBSYSTEM=bloc"));
}

}  // namespace trove::guest
