// A machine's places in a directory of its own, and disks that are files behind loop devices, with the serial numbers
// that a test gives them in a /sys of its own. Owned by the test's thread; everything is taken down with it.
#pragma once
#include <sys/mount.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/machine/places.hpp"
#include "specs/core/digest.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove::guest {

inline const std::string kVolumeId = "6d1f5a0e-1111-4222-8333-123456789abc";

class MachineBed {
 public:
  MachineBed() {
    places = {.join_file = dir / "join.json",
              .state = dir / "state",
              .mount_point = dir / "trove/data-volume",
              .sys = dir / "sys",
              .dev = "/dev"};
    for (const auto& path : {places.state, places.sys, places.sys + "/block"}) make_directory(path, 0711);
  }
  ~MachineBed() {
    umount2(places.mount_point.c_str(), MNT_DETACH);
    umount2((dir / "m").c_str(), MNT_DETACH);
    for (const auto& [device, file] : files_) run({"losetup", "-d", "/dev/" + device});
  }

  // False, with a word to the log, where there is no root or no loop device: then the test has nothing to look at.
  bool can_use_disks() {
    const bool can =
        geteuid() == 0 && run({"losetup", "-f"}).code == 0 && run({"sh", "-c", "command -v mkfs.ext4"}).code == 0;
    if (!can) WARN("skipped: needs root, loop devices and e2fsprogs");
    return can;
  }
  // "loop3"; `serial` as the kernel would show it, "" = none.
  std::string attach_file(const std::string& name, int64_t bytes, const std::string& serial) {
    const std::string file = dir / name;
    if (!exists(file)) must({"truncate", "-s", std::to_string(bytes), file});
    std::string device = must({"losetup", "-f", "--show", file});
    while (!device.empty() && device.back() == '\n') device.pop_back();
    device = device.substr(5);
    files_[device] = file;
    must({"mkdir", "-p", places.sys + "/block/" + device});
    if (!serial.empty()) guest::write_file(places.sys + "/block/" + device + "/serial", serial, 0600);
    return device;
  }
  void detach(const std::string& device) {
    must({"losetup", "-d", "/dev/" + device});
    files_.erase(device);
    remove_tree(places.sys + "/block/" + device);
  }
  std::string dev(const std::string& device) const { return "/dev/" + device; }
  const std::string& file_of(const std::string& device) const { return files_.at(device); }
  // Of every byte of the disk.
  std::string checksum(const std::string& device) { return must({"sha256sum", "/dev/" + device}).substr(0, 64); }
  std::string must(std::vector<std::string> argv) {
    Exit exit = run(argv, {.input = ""});
    INFO(argv[0] + ": " + exit.err + exit.out);
    REQUIRE(exit.code == 0);
    return exit.out;
  }

  TempDir dir;
  Places places;

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace trove::guest
