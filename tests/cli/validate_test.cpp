// Bad input of every sort: a clear error with its place, exit status 2, and never a crash. The corpus is tests/cli/bad;
// what is too large to keep is made here.
#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>
#include "specs/kinds/kind.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {
namespace {

constexpr size_t kErrorBytes = 256 << 10;   // an answer that people can still scroll through

const std::string kVolumeHead = "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\n";

void check_refused(const std::string& file, const Ran& ran) {
  INFO(file << "\n" << ran.err.substr(0, 2000));
  CHECK(ran.status == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err.size() < kErrorBytes);
  CHECK(ran.err.substr(0, 7) == "error: ");
  CHECK(ran.err.find('\x1b') == std::string::npos);
  CHECK(ran.err.find('\0') == std::string::npos);
}

TEST_CASE("each file of the bad corpus is refused with its place") {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(TROVE_SOURCE_DIR) + "/tests/cli/bad")) {
    std::string path = entry.path().string(), name = entry.path().filename().string();
    Ran ran = trovectl({"validate", "-f", path});
    check_refused(name, ran);
    std::string first = ran.err.substr(7, ran.err.find('\n') - 7);
    INFO(first);
    REQUIRE(first.substr(0, path.size() + 1) == path + ":");
    CHECK(std::regex_search(first.substr(path.size()), std::regex("^:[0-9]+:[0-9]+  .+")));
    ++files;
  }
  CHECK(files >= 45);
}

TEST_CASE("the whole corpus at once names every file") {
  std::string folder = std::string(TROVE_SOURCE_DIR) + "/tests/cli/bad";
  Ran ran = trovectl({"validate", "-f", folder});
  check_refused(folder, ran);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    INFO(entry.path());
    CHECK(ran.err.find(entry.path().string() + ":") != std::string::npos);
  }
}

TEST_CASE("apply sends nothing of the bad corpus") {
  CannedServer server;
  CHECK(trovectl({"apply", "-f", std::string(TROVE_SOURCE_DIR) + "/tests/cli/bad"}, {&server}).status == 2);
  CHECK(server.requests().empty());
}

TEST_CASE("ten thousand levels are refused") {
  TempFolder folder;
  const size_t levels = 10'000;
  std::string block;
  for (size_t i = 0; i < 1'000; ++i) block += std::string(i, ' ') + "a:\n";
  for (const std::string& text :
       {std::string(levels, '[') + std::string(levels, ']'), std::string(levels, '['), std::string(levels, '{'),
        kVolumeHead + "spec: " + std::string(levels, '{') + "\n", block, std::string(levels, '-')}) {
    check_refused("deep", trovectl({"validate", "-f", folder.write("deep.yaml", text)}));
  }
  check_refused("deep.json", trovectl({"validate", "-f", folder.write("deep.json", std::string(levels, '['))}));
  std::string nested;
  for (size_t i = 0; i < levels; ++i) nested += "{\"a\":";
  check_refused("nested.json", trovectl({"validate", "-f", folder.write("nested.json", nested)}));
}

TEST_CASE("files beyond the size that is read are refused") {
  TempFolder folder;
  std::string big = kVolumeHead + "spec: {size: 1}\n#" + std::string(10u << 20, 'x');
  check_refused("10 MB", trovectl({"validate", "-f", folder.write("big.yaml", big)}));
  check_refused("10 MB in a pipe", trovectl({"validate", "-f", "-"}, Given{nullptr, big}));
}

TEST_CASE("a megabyte of nonsense is refused without an endless answer") {
  TempFolder folder;
  std::string commas((1u << 20) - 10, ','), lines, keys = kVolumeHead + "spec:\n";
  for (int i = 0; i < 20'000; ++i) lines += "- x\n---\n";
  for (int i = 0; i < 20'000; ++i) keys += "  k" + std::to_string(i) + ": 1\n";
  for (const std::string& text : {commas, lines, keys}) {
    check_refused("nonsense", trovectl({"validate", "-f", folder.write("nonsense.yaml", text)}));
  }
}

TEST_CASE("names of four kilobytes are refused and cut in the answer") {
  TempFolder folder;
  std::string text =
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: " + std::string(4096, 'a') + "}\nspec: {size: 1}\n";
  Ran ran = trovectl({"validate", "-f", folder.write("long.yaml", text)});
  check_refused("long", ran);
  CHECK(ran.err.size() < 2'000);
}

TEST_CASE("what cannot be read is named") {
  TempFolder folder;
  check_refused("missing", trovectl({"validate", "-f", folder.path + "/missing.yaml"}));
  check_refused("empty folder", trovectl({"validate", "-f", folder.path}));
  check_refused("empty file", trovectl({"validate", "-f", folder.write("empty.yaml", "")}));
  check_refused("only comments", trovectl({"validate", "-f", folder.write("comments.yaml", "# nothing\n---\n")}));
  check_refused("no file", trovectl({"validate"}));
  CHECK(trovectl({"validate", "shop.yaml"}).err.find("did you mean -f shop.yaml?") != std::string::npos);
}

TEST_CASE("the examples are valid and so is the example of every kind") {
  for (const char* folder : {"/examples/shop", "/examples/openstack"}) {
    Ran ran = trovectl({"validate", "-f", std::string(TROVE_SOURCE_DIR) + folder});
    INFO(folder << "\n" << ran.err);
    CHECK(ran.status == 0);
  }
  for (const Kind& kind : all_kinds()) {
    Ran one = trovectl({"validate", "-f", "-"}, Given{nullptr, std::string(kind.example)});
    INFO(kind.name << "\n" << one.err);
    CHECK(one.status == 0);
  }
}

}  // namespace
}  // namespace trove::cli::test
