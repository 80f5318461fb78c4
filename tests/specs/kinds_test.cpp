#include <set>
#include "specs/json.hpp"
#include "specs/kinds/field_tree.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;

TEST_CASE("every kind is found by every spelling that fingers know") {
  REQUIRE(all_kinds().size() == 10);
  std::set<std::string_view> taken;
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    for (std::string_view spelling : {kind.name, kind.plural, kind.short_name}) CHECK(find_kind(spelling) == &kind);
    std::string upper(kind.plural);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    CHECK(find_kind(upper) == &kind);
    CHECK(taken.insert(kind.name).second);
    CHECK(taken.insert(kind.plural).second);
    CHECK(taken.insert(kind.short_name).second);
  }
  CHECK(find_kind("databaseinstance") == find_kind("inst"));
  CHECK(find_kind("") == nullptr);
  CHECK(find_kind("instances") == nullptr);
}

TEST_CASE("every kind carries the common block with its own deletion default") {
  const std::set<std::string_view> kept = {"DatabaseInstance", "Database", "Volume", "Backup"};
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    REQUIRE(find_field(kind, "managementPolicy"));
    CHECK(find_field(kind, "managementPolicy")->default_json == R"("Manage")");
    REQUIRE(find_field(kind, "deletionPolicy"));
    CHECK(find_field(kind, "deletionPolicy")->default_json ==
          (kept.contains(kind.name) ? R"("Retain")" : R"("Delete")"));
    CHECK(kind.stateful == kept.contains(kind.name));
    CHECK(find_field(kind, "suspend")->default_json == "false");
    CHECK(find_field(kind, "drift")->default_json == R"("Correct")");
  }
}

TEST_CASE("every row is sound") {
  for (const Kind& kind : all_kinds()) {
    std::set<std::string_view> paths;
    for (const Field& field : kind.fields) {
      INFO(kind.name << "." << field.path);
      CHECK(paths.insert(field.path).second);
      CHECK_FALSE(field.doc.empty());
      CHECK((field.doc.ends_with('.') || field.doc.ends_with(':')));
      CHECK(field.min <= field.max);
      CHECK(find_field(kind, field.path) == &field);
      REQUIRE(find_node(kind, field.path));
      CHECK(find_node(kind, field.path)->field == &field);
      if (field.change == Change::forbidden) CHECK_FALSE(field.refusal.empty());
      if (!field.reference.empty()) {
        CHECK(find_kind(field.reference) != nullptr);
        CHECK(find_field(kind, std::string(field.path) + ".name") != nullptr);
      }
      if (!field.see.empty()) {
        const auto seen = explain(field.see);
        INFO(field.see);
        CHECK(seen.has_value());
      }
      if (!field.default_json.empty()) CHECK(parse_json(field.default_json).has_value());
    }
  }
}

TEST_CASE("every default decodes as if it were written") {
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    const Resource example = good(kind.example);
    Value document = to_value(example);
    document.set("spec", with_defaults(kind, example.spec));
    Problems problems;
    const auto again = decode_resource(document, "shop", "", 0, problems);
    INFO(to_string(problems));
    REQUIRE(again.has_value());
    CHECK(diff_specs(kind, example.spec, again->spec).empty());
    Problems refused;
    check_update(example, *again, again->spec, refused);
    CHECK(refused.empty());
  }
}

TEST_CASE("the example of every kind decodes to that kind") {
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    CHECK(good(kind.example).kind == kind.name);
  }
}

TEST_CASE("rows are found with and without the brackets of lists") {
  const Kind& user = *find_kind("user");
  REQUIRE(find_node(user, "grants[].on"));
  CHECK(find_node(user, "grants.on") == find_node(user, "grants[].on"));
  CHECK(find_node(user, "grants[].privileges[]")->field->path == "grants[].privileges[]");
  CHECK(find_node(user, "grants.nothing") == nullptr);
  CHECK(find_field(user, "grants.on") == nullptr);
}

TEST_CASE("change classes are spelled as users read them") {
  CHECK(to_string(Change::none) == "none");
  CHECK(to_string(Change::restart) == "RESTART");
  CHECK(to_string(Change::reboot) == "REBOOT");
  CHECK(to_string(Change::rebuild) == "REBUILD");
  CHECK(to_string(Change::forbidden) == "forbidden");
}
