#include <algorithm>
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string explained(std::string_view what) {
  const auto text = explain(what);
  return text ? *text : "error: " + text.error().message;
}

}  // namespace

TEST_CASE("the explanation of every kind stays as it is") {
  for (const Kind& kind : all_kinds())
    check_golden("explain/" + std::string(kind.short_name) + ".txt", explained(kind.short_name));
}

TEST_CASE("the explanations of some fields and parameters stay as they are") {
  std::string text;
  for (std::string_view what :
       {"inst.spec.flavor", "inst.spec.volume", "inst.spec.volume.size", "inst.spec.datastore.type", "inst.spec.access",
        "user.spec.grants", "user.spec.password.secretRef", "bs.spec.jitter", "inst.metadata", "inst.metadata.labels",
        "cfg.mysql.max_connections", "cfg.postgresql.shared_buffers", "cfg.redis.maxmemory-policy",
        "cfg.memcached.memory-limit", "cfg.mysql.datadir"})
    text += "$ trovectl explain " + std::string(what) + "\n" + explained(what) + "\n";
  check_golden("explain/fields.txt", text);
}

TEST_CASE("every field of every kind explains itself") {
  for (const Kind& kind : all_kinds()) {
    for (const Field& field : kind.fields) {
      const std::string text = explained(std::string(kind.short_name) + ".spec." + std::string(field.path));
      INFO(text);
      CHECK_THAT(text,
                 StartsWith("KIND: " + std::string(kind.name) + "   FIELD: spec." + std::string(field.path) + " <"));
      CHECK_THAT(text, Contains("CHANGE: " + std::string(to_string(field.change))) && Contains("DEFAULT: ") &&
                           Contains("SINCE: v1alpha1"));
      CHECK(text.ends_with('\n'));
    }
  }
}

TEST_CASE("an explanation is found by short and long names and without brackets") {
  CHECK(explained("inst.spec.flavor") == explained("DatabaseInstance.spec.flavor"));
  CHECK(explained("inst.flavor") == explained("databaseinstances.spec.flavor"));
  CHECK(explained("user.spec.grants.on") == explained("user.spec.grants[].on"));
  CHECK(explained("inst.spec") == explained("inst"));
  CHECK(explained("cfg.mysql.max_connections") == explained("cfg.mariadb.max-connections"));
}

TEST_CASE("a wrong path is answered with the likely one") {
  CHECK_THAT(explained("inst.spec.flavr"),
             Contains("error: DatabaseInstance has no field \"spec.flavr\". Did you mean \"inst.spec.flavor\"?"));
  CHECK_THAT(explained("inst.spec.disruptiveChanges"),
             Contains("Did you mean \"inst.spec.maintenance.disruptiveChanges\"?"));
  CHECK_THAT(explained("inst.spec.tls"), Contains("not supported in this release"));
  CHECK_THAT(explained("inst.spec.zzzzzz"), Contains("has no field"));
  CHECK_THAT(explained("instt"), Contains("Did you mean \"inst\"?"));
  CHECK_THAT(explained("restore.spec"), Contains("unknown kind"));
  CHECK_THAT(explained("inst.metadata.lables"), Contains("Did you mean \"inst.metadata.labels\"?"));
  CHECK_THAT(explained("cfg.mysql.max_conections"), Contains("Did you mean \"cfg.mysql.max_connections\"?"));
  CHECK_THAT(explained(""), Contains("unknown kind"));
  CHECK(explain("inst.spec.nope").error().code == Code::not_found);
}

TEST_CASE("no line of an explanation trails off") {
  for (const Kind& kind : all_kinds()) {
    std::istringstream lines(explained(kind.short_name));
    for (std::string line; std::getline(lines, line);) CHECK_FALSE(line.ends_with(' '));
  }
}
