// What a machine believes of its user data.
#include "providers/guest/machine/join_file.hpp"
#include <unistd.h>
#include <catch2/catch.hpp>
#include "machine_bed.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

Value good() {
  return Value::map({{"server", "trove-6d1f5a0e-1111-4222-8333-123456789abc-server-0-3"},
                     {"endpoint", "https://192.0.2.7:7781"},
                     {"token", "sesame"},
                     {"volume", kVolumeId},
                     {"ca", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"}});
}
std::string user_data(const Value& files) {
  return "#cloud-config\n" + dump_json(Value::map({{"write_files", files}})) + "\n";
}
Value file(const std::string& path, const std::string& content) {
  return Value::map({{"path", path}, {"permissions", "0600"}, {"owner", "root:root"}, {"content", content}});
}

}  // namespace

TEST_CASE("a join file says who, where and which volume") {
  auto join = parse_join(dump_json(good()) + "\n");
  REQUIRE(join);
  CHECK(join->server == "trove-6d1f5a0e-1111-4222-8333-123456789abc-server-0-3");
  CHECK(join->endpoint == "https://192.0.2.7:7781");
  CHECK(join->token.reveal() == "sesame");
  CHECK(join->volume == kVolumeId);
  Value rootdisk = good();
  rootdisk.set("volume", "");
  rootdisk.erase("ca");
  auto without = parse_join(dump_json(rootdisk));
  REQUIRE(without);
  CHECK(without->volume.empty());
}

TEST_CASE("a hostile join file is refused") {
  const std::vector<std::pair<const char*, Value>> bad = {{"server", ""},
                                                          {"server", "../../etc"},
                                                          {"server", "trove-a\nb"},
                                                          {"server", "trove-" + std::string(60, 'a')},
                                                          {"server", 7},
                                                          {"endpoint", "http://192.0.2.7:7781"},
                                                          {"endpoint", "https://"},
                                                          {"endpoint", "https://a@b:1"},
                                                          {"endpoint", "https://192.0.2.7:7781/x"},
                                                          {"endpoint", "https://a b"},
                                                          {"token", ""},
                                                          {"token", Value::list()},
                                                          {"volume", "/dev/sda"},
                                                          {"volume", "../../../../../../../../../../dev/sda"},
                                                          {"volume", "6d1f5a0e"},
                                                          {"volume", "6D1F5A0E-1111-4222-8333-123456789ABC"},
                                                          {"ca", "none"},
                                                          {"ca", true}};
  for (const auto& [name, value] : bad) {
    Value join = good();
    join.set(name, value);
    INFO(dump_json(join));
    CHECK_FALSE(parse_join(dump_json(join)));
  }
  CHECK_FALSE(parse_join("[]"));
  CHECK_FALSE(parse_join(""));
  Value large = good();
  large.set("ca", "-----BEGIN CERTIFICATE-----" + std::string(kMostJoinBytes, 'A'));
  CHECK_FALSE(parse_join(dump_json(large)));
}

TEST_CASE("user data give up one file's text and nothing else") {
  const std::string text = dump_json(good()) + "\n";
  const Value ours = file("/etc/trove-guest/join.json", text);
  auto found = join_in_user_data(user_data(Value::list({ours})));
  REQUIRE(found);
  CHECK(*found == text);
  CHECK(*join_in_user_data(user_data(Value::list({file("/etc/shadow", "x"), ours}))) == text);

  CHECK_FALSE(join_in_user_data(user_data(Value::list({file("/etc/shadow", "x")}))));
  CHECK_FALSE(join_in_user_data(user_data(Value::list({ours, ours}))));
  Value encoded = ours;
  encoded.set("encoding", "b64");
  CHECK_FALSE(join_in_user_data(user_data(Value::list({encoded}))));
  CHECK_FALSE(join_in_user_data(user_data("text")));
  CHECK_FALSE(join_in_user_data("#!/bin/sh\ntouch /tmp/x\n"));
  CHECK_FALSE(join_in_user_data("#cloud-config-archive\n[]"));
  CHECK_FALSE(join_in_user_data("#cloud-config\nruncmd: [reboot]\n"));
  CHECK_FALSE(join_in_user_data("#cloud-config"));
  CHECK_FALSE(join_in_user_data(""));
  auto large = join_in_user_data(user_data(Value::list({ours})) + std::string(kMostJoinBytes, ' '));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Code::too_large);
}

TEST_CASE("without a join file the config drive is read, and only a disk of its label") {
  MachineBed bed;
  if (!bed.can_use_disks()) return;
  const std::string text = dump_json(good());
  auto none = find_join(bed.places);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::not_found);
  // What a kernel without iso9660 and vfat can mount stands in for them.
  const auto other = bed.attach_file("other", 8 << 20, "");
  const auto drive = bed.attach_file("drive", 8 << 20, "");
  bed.must({"mkfs.ext4", "-q", "-L", "elsewhere", bed.dev(other)});
  bed.must({"mkfs.ext4", "-q", "-L", "CONFIG-2", bed.dev(drive)});
  const std::string here = bed.dir / "m";
  bed.must({"mkdir", here});
  bed.must({"mount", bed.dev(drive), here});
  bed.must({"mkdir", "-p", here + "/openstack/latest"});
  guest::write_file(here + "/openstack/latest/user_data",
                    user_data(Value::list({file("/etc/trove-guest/join.json", text)})), 0600);
  bed.must({"umount", here});
  auto read = read_config_drive(bed.places, {"ext4"});
  REQUIRE(read);
  CHECK(*join_in_user_data(*read) == text);
  CHECK_FALSE(read_config_drive(bed.places));  // an ext4 of that label is no config drive

  guest::write_file(bed.places.join_file, text, 0600);
  auto join = find_join(bed.places);
  REQUIRE(join);
  CHECK(join->token.reveal() == "sesame");
}

}  // namespace trove::guest
