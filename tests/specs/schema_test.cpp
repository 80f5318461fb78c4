#include "specs/json.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;

namespace {

// The part of JSON Schema that we write, checked the plain way.
bool is_type(const Value& value, std::string_view type) {
  if (type == "object") return value.is_map();
  if (type == "array") return value.is_list();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_int();
  if (type == "number") return value.is_number();
  return type == "boolean" && value.is_bool();
}

bool allows(const Value& schema, const Value& value) {
  const Value& type = schema["type"];
  if (type.is_string() && !is_type(value, type.text())) return false;
  if (type.is_list()) {
    bool any = false;
    for (const Value& one : type.items()) any = any || is_type(value, one.text());
    if (!any) return false;
  }
  if (const Value* wanted = schema.find("const"); wanted && !(*wanted == value)) return false;
  if (const Value* words = schema.find("enum")) {
    bool any = false;
    for (const Value& word : words->items()) any = any || word == value;
    if (!any) return false;
  }
  if (value.is_int() &&
      (value.int_or(0) < schema["minimum"].int_or(INT64_MIN) || value.int_or(0) > schema["maximum"].int_or(INT64_MAX)))
    return false;
  for (const Value& key : schema["required"].items()) {
    if (!value.find(key.text())) return false;
  }
  for (const Value& part : schema["allOf"].items()) {
    if (const Value* unwanted = part.find("not"); unwanted && allows(*unwanted, value)) return false;
  }
  for (const Value::Member& member : value.members()) {
    if (const Value* property = schema["properties"].find(member.key)) {
      if (!allows(*property, member.value)) return false;
    } else if (const Value* more = schema.find("additionalProperties")) {
      if (more->is_bool() ? !more->bool_or(true) : !allows(*more, member.value)) return false;
    }
  }
  for (const Value& item : value.items()) {
    if (const Value* items = schema.find("items"); items && !allows(*items, item)) return false;
  }
  return true;
}

// Every object closes its properties, everything that users write is described.
void check_shape(const Value& schema, const std::string& path) {
  INFO(path);
  if (schema["type"] == Value("object")) CHECK(schema.find("additionalProperties") != nullptr);
  for (const Value::Member& member : schema["properties"].members()) check_shape(member.value, path + "." + member.key);
  if (const Value* items = schema.find("items")) check_shape(*items, path + "[]");
}

}  // namespace

TEST_CASE("the schema of every kind accepts its example and refuses a slip") {
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    const Value schema = json_schema(kind);
    CHECK(schema["$schema"] == Value("https://json-schema.org/draft/2020-12/schema"));
    check_shape(schema, std::string(kind.name));
    Value document = decode(kind.example).documents.at(0);
    CHECK(allows(schema, document));
    document.set_path("spec.volumme", 1);
    CHECK_FALSE(allows(schema, document));
  }
}

TEST_CASE("a schema carries change class bounds defaults and references") {
  const Value schema = json_schema(*find_kind("inst"));
  const Value& spec = schema["properties"]["spec"]["properties"];
  CHECK(spec["flavor"]["x-change"] == Value("REBOOT"));
  const Value& size = spec["volume"]["properties"]["size"];
  CHECK(size["minimum"] == Value(1));
  CHECK(size["maximum"] == Value(16384));
  CHECK(size["x-grows-only"] == Value(true));
  CHECK(size["x-unit"] == Value("GiB"));
  CHECK(spec["volumeRef"]["x-reference"] == Value("Volume"));
  CHECK(spec["deletionPolicy"]["default"] == Value("Retain"));
  CHECK(spec["deletionPolicy"]["enum"] == Value::list({"Retain", "Delete"}));
  CHECK(spec["access"]["properties"]["allowedCidrs"]["items"]["type"] == Value("string"));
  CHECK_FALSE(spec["flavor"]["description"].text().empty());
  CHECK(json_schema(*find_kind("sec")).at_path("properties.spec.properties.data.writeOnly") == Value(true));
}

TEST_CASE("a schema knows what excludes each other and what a version may be") {
  const Value schema = json_schema(*find_kind("inst"));
  const auto spec = [&](std::string_view text) { return decode(document("DatabaseInstance", text)).documents.at(0); };
  CHECK(allows(schema, spec("{datastore: {type: mysql, version: 8.0}, flavor: s, volume: {size: 1}}")));
  CHECK(allows(schema, spec("{datastore: {type: mysql, version: \"8.0\"}, flavor: s, volumeRef: {name: a}}")));
  CHECK_FALSE(allows(schema, spec("{datastore: {type: mysql}, flavor: s, volume: {size: 1}, volumeRef: {name: a}}")));
  CHECK_FALSE(allows(schema, spec("{datastore: {type: mysql}, flavor: s, volume: {size: 0}}")));
  CHECK_FALSE(allows(schema, spec("{datastore: {type: oracle}, flavor: s}")));
  CHECK_FALSE(allows(schema, spec("{flavor: s}")));
}

TEST_CASE("the bundle defines every kind once and refers to it") {
  const Value bundle = json_schema_of_all();
  CHECK(bundle["$defs"].size() == all_kinds().size());
  CHECK(bundle["oneOf"].size() == all_kinds().size());
  for (const Kind& kind : all_kinds()) CHECK(bundle["$defs"][kind.name]["title"] == Value(kind.name));
  CHECK(bundle["oneOf"].items()[0]["$ref"] == Value("#/$defs/DatabaseInstance"));
  CHECK(parse_json(dump_json(bundle)).has_value());
}
