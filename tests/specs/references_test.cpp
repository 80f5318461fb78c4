#include <map>
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;
using Catch::Matchers::Contains;

namespace {

std::string check(std::string_view yaml, const std::vector<Resource>& stored = {}) {
  Decoded decoded = decode(yaml);
  INFO(decoded.text());
  REQUIRE(decoded.problems.empty());
  Problems problems;
  check_references(decoded.resources, decoded.documents, [&](const Key& key) -> const Resource* {
    for (const Resource& resource : stored) {
      if (resource.key() == key) return &resource;
    }
    return nullptr;
  }, problems);
  return to_string(problems);
}

const std::string kInstance =
    document("DatabaseInstance", "{datastore: {type: mysql}, flavor: s, volume: {size: 1}}", "orders-db");
const std::string kDatabase = document("Database", "{instanceRef: {name: orders-db}}", "orders");
std::string bootstrapped(std::string_view name, std::string_view backup) {
  return document("DatabaseInstance",
                  "{datastore: {type: mysql}, flavor: s, volume: {size: 1}, bootstrapFrom: {backupRef: {name: " +
                      std::string(backup) + "}}}",
                  name);
}
std::string backup_of(std::string_view name, std::string_view instance) {
  return document("Backup", "{instanceRef: {name: " + std::string(instance) + "}}", name);
}

}  // namespace

TEST_CASE("every reference of a spec is found with its place") {
  const Resource instance = good(document("DatabaseInstance",
                                          "{datastore: {type: redis}, flavor: s, volumeRef: {name: v}, "
                                          "configurationRef: {name: c}, bootstrapFrom: {backupRef: {name: b}}}"));
  const auto references = references_of(instance);
  REQUIRE(references.size() == 3);
  CHECK(references[0].path == "spec.volumeRef");
  CHECK(references[0].kind == "Volume");
  CHECK(references[0].name == "v");
  CHECK(references[0].at.line == 4);
  CHECK(references[1].kind == "ConfigurationGroup");
  CHECK(references[2].path == "spec.bootstrapFrom.backupRef");
  const Resource user = good(document("User", "{instanceRef: {name: i}, password: {secretRef: {name: s}}}"));
  REQUIRE(references_of(user).size() == 2);
  CHECK(references_of(user)[1].path == "spec.password.secretRef");
  CHECK(references_of(user)[1].kind == "Secret");
  CHECK(references_of(good(document("Volume", "{size: 1}"))).empty());
}

TEST_CASE("a reference is met by the set or by what is stored") {
  CHECK(check(kDatabase + "---\n" + kInstance) == "");
  CHECK(check(kDatabase, {good(kInstance)}) == "");
  const std::string text = check(kDatabase);
  CHECK_THAT(text, Contains("spec.instanceRef.name: databaseinstance/orders-db does not exist in project \"shop\""));
  CHECK(text.starts_with("4:28"));
}

TEST_CASE("a reference that misses by a letter names the likely one") {
  const std::string other =
      document("DatabaseInstance", "{datastore: {type: mysql}, flavor: s, volume: {size: 1}}", "order-db");
  CHECK_THAT(check(kDatabase + "---\n" + other), Contains("Did you mean \"order-db\"?"));
}

TEST_CASE("a missing reference carries its code and its document") {
  Decoded decoded = decode(document("Volume", "{size: 1}") + "---\n" + kDatabase);
  Problems problems;
  check_references(decoded.resources, decoded.documents, nullptr, problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].code == Code::not_found);
  CHECK(problems[0].document == 1);
}

TEST_CASE("references stay in their project") {
  Decoded decoded = decode(kDatabase + "---\n" + kInstance);
  decoded.resources[1].metadata.project = "other";
  Problems problems;
  check_references(decoded.resources, decoded.documents, nullptr, problems);
  CHECK(problems.size() == 1);
}

TEST_CASE("an instance cannot be filled from a backup of itself that was never made") {
  CHECK_THAT(check(bootstrapped("a", "b") + "---\n" + backup_of("b", "a")),
             Contains("refers back to itself: databaseinstance/a -> backup/b -> databaseinstance/a"));
  CHECK_THAT(check(bootstrapped("a", "b") + "---\n" + backup_of("b", "c") + "---\n" + bootstrapped("c", "d") + "---\n" +
                   backup_of("d", "a")),
             Contains("databaseinstance/a -> backup/b -> databaseinstance/c -> backup/d -> databaseinstance/a"));
}

TEST_CASE("an instance may be made again from an old backup of itself") {
  CHECK(check(bootstrapped("a", "b") + "---\n" + backup_of("b", "a"), {good(backup_of("b", "a"))}) == "");
}

TEST_CASE("two cycles are told once each and what leads into one is not blamed") {
  const std::string text =
      check(bootstrapped("a", "b") + "---\n" + backup_of("b", "a") + "---\n" + bootstrapped("c", "d") + "---\n" +
            backup_of("d", "c") + "---\n" + bootstrapped("e", "b"));
  size_t count = 0;
  for (size_t at = text.find("refers back"); at != std::string::npos; at = text.find("refers back", at + 1)) ++count;
  CHECK(count == 2);
  CHECK_THAT(text, !Contains("databaseinstance/e"));
}

TEST_CASE("a long chain is no cycle and takes no deep stack") {
  std::vector<Resource> set;
  for (int i = 0; i < 20000; ++i) {
    Resource instance;
    instance.kind = "DatabaseInstance";
    instance.metadata.name = "i" + std::to_string(i);
    if (i > 0) instance.spec.set_path("bootstrapFrom.backupRef.name", "b" + std::to_string(i - 1));
    Resource backup;
    backup.kind = "Backup";
    backup.metadata.name = "b" + std::to_string(i);
    backup.spec.set_path("instanceRef.name", instance.metadata.name);
    set.push_back(std::move(instance));
    set.push_back(std::move(backup));
  }
  Problems problems;
  check_references(set, {}, nullptr, problems);
  CHECK(problems.empty());
}
