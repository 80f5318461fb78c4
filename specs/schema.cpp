// The table as JSON Schema 2020-12, for editors and OpenAPI.
#include "specs/decode.hpp"
#include "specs/decode_parts.hpp"

namespace trove {
namespace {

constexpr std::string_view kDialect = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view kLabelPattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

Value texts(const std::vector<std::string_view>& words) {
  Value list = Value::list();
  for (std::string_view word : words) list.push_back(word);
  return list;
}

std::string_view pattern_of(Format format) {
  switch (format) {
    case Format::dns_label: return kLabelPattern;
    case Format::duration: return "^([0-9]+(ms|s|m|h|d))+$";
    case Format::version: return "^[0-9]+(\\.[0-9]+)*$";
    case Format::parameter_name: return "^[a-zA-Z0-9_.-]+$";
    case Format::host_pattern: return "^[a-zA-Z0-9%_.:/-]+$";
    case Format::git_commit: return "^([0-9a-f]{40}|[0-9a-f]{64})$";
    case Format::cidr: return "^[0-9a-fA-F:.]+/[0-9]{1,3}$";
    default: return {};
  }
}

bool has_low(const Field& field) { return field.min != std::numeric_limits<int64_t>::min(); }
bool has_high(const Field& field) { return field.max != std::numeric_limits<int64_t>::max(); }

void set_bounds(const Field& field, std::string_view low, std::string_view high, Value& schema) {
  if (has_low(field)) schema.set(low, field.min);
  if (has_high(field)) schema.set(high, field.max);
}

Value schema_of(const FieldNode& node);

void set_object(const FieldNode& node, Value& schema) {
  schema.set("type", "object");
  schema.set("additionalProperties", false);
  Value properties = Value::map(), required = Value::list(), exclusive = Value::list();
  for (size_t i = 0; i < node.children.size(); ++i) {
    const FieldNode& child = node.children[i];
    properties.set(child.name, schema_of(child));
    if (child.field->required) required.push_back(child.name);
    for (size_t j = 0; j < i && !child.field->one_of.empty(); ++j) {
      if (node.children[j].field->one_of == child.field->one_of)
        exclusive.push_back(
            Value::map({{"not", Value::map({{"required", texts({node.children[j].name, child.name})}})}}));
    }
  }
  schema.set("properties", std::move(properties));
  if (!required.empty()) schema.set("required", std::move(required));
  if (!exclusive.empty()) schema.set("allOf", std::move(exclusive));
}

void set_string(const Field& field, Value& schema) {
  // A version may also be written as a number; its digits count as written.
  if (field.format == Format::version) schema.set("type", texts({"string", "number"}));
  else schema.set("type", "string");
  if (!field.values.empty()) schema.set("enum", texts(field.values));
  if (const auto pattern = pattern_of(field.format); !pattern.empty()) schema.set("pattern", pattern);
  // Our bounds count bytes and the schema's characters: only the upper one is true of both for every accepted text.
  if (field.format != Format::duration && field.format != Format::dns_label) {
    if (has_low(field) && field.min > 0) schema.set("minLength", 1);
    if (has_high(field)) schema.set("maxLength", field.max);
  }
}

Value schema_of(const FieldNode& node) {
  const Field& field = *node.field;
  Value schema = Value::map();
  if (!field.doc.empty()) schema.set("description", field.doc);
  switch (field.type) {
    case FieldType::string: set_string(field, schema); break;
    case FieldType::integer:
      schema.set("type", "integer");
      set_bounds(field, "minimum", "maximum", schema);
      break;
    case FieldType::boolean: schema.set("type", "boolean"); break;
    case FieldType::object: set_object(node, schema); break;
    case FieldType::list:
      schema.set("type", "array");
      schema.set("items", schema_of(node.item()));
      set_bounds(field, "minItems", "maxItems", schema);
      break;
    case FieldType::string_map:
    case FieldType::scalar_map: {
      schema.set("type", "object");
      Value entry = Value::map();
      if (field.type == FieldType::string_map) entry.set("type", "string");
      else entry.set("type", texts({"string", "number", "boolean"}));
      if (has_high(field)) entry.set("maxLength", field.max);
      schema.set("additionalProperties", std::move(entry));
      schema.set("propertyNames", Value::map({{"pattern", pattern_of(field.format)}}));
      schema.set("maxProperties", static_cast<int64_t>(decoding::kMostMapEntries));
    }
  }
  if (!node.default_value.is_null()) schema.set("default", node.default_value);
  schema.set("x-change", to_string(field.change));
  if (!field.unit.empty()) schema.set("x-unit", field.unit);
  if (!field.reference.empty()) schema.set("x-reference", field.reference);
  if (field.grows_only) schema.set("x-grows-only", true);
  if (field.sensitive) schema.set("writeOnly", true);
  return schema;
}

Value words_schema(std::string_view doc, int64_t longest) {
  return Value::map({{"description", doc},
                     {"type", "object"},
                     {"maxProperties", static_cast<int64_t>(decoding::kMostMapEntries)},
                     {"additionalProperties", Value::map({{"type", "string"}, {"maxLength", longest}})}});
}

Value metadata_schema(const Kind& kind) {
  const auto text = [](std::string_view doc) { return Value::map({{"description", doc}, {"type", "string"}}); };
  const auto served = [](std::string_view type) { return Value::map({{"type", type}, {"readOnly", true}}); };
  Value name = text("Name of the object, unique for its kind in its project.");
  name.set("pattern", kLabelPattern);
  Value properties = Value::map({{"name", std::move(name)}});
  if (kind.spec_immutable) properties.set("generateName", text("Start of a name that the server completes."));
  properties.set("project", text("Project that the object belongs to; by default that of the login."));
  properties.set("labels", words_schema("Short words to select objects by.", decoding::kMostLabelValue));
  properties.set("annotations", words_schema("Free text for people and programs.", decoding::kMostAnnotation));
  for (std::string_view key : {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"})
    properties.set(key, served("string"));
  properties.set("generation", served("integer"));
  for (std::string_view key : {"ownerReferences", "finalizers", "managedFields"}) properties.set(key, served("array"));
  Value schema =
      Value::map({{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}});
  if (kind.spec_immutable)
    schema.set("anyOf", Value::list({Value::map({{"required", texts({"name"})}}),
                                     Value::map({{"required", texts({"generateName"})}})}));
  else
    schema.set("required", texts({"name"}));
  return schema;
}

Value document_schema(const Kind& kind) {
  Value spec = Value::map({{"description", kind.doc}});
  set_object(field_tree(kind), spec);
  Value properties =
      Value::map({{"apiVersion", Value::map({{"const", kApiVersion}})}, {"kind", Value::map({{"const", kind.name}})}});
  properties.set("metadata", metadata_schema(kind));
  properties.set("spec", std::move(spec));
  properties.set("status",
                 Value::map({{"description", "Written by trove; ignored when it is applied."}, {"readOnly", true}}));
  return Value::map({{"title", kind.name},
                     {"description", kind.doc},
                     {"type", "object"},
                     {"additionalProperties", false},
                     {"required", texts({"apiVersion", "kind", "metadata", "spec"})},
                     {"properties", std::move(properties)}});
}

}  // namespace

Value json_schema(const Kind& kind) {
  Value schema = Value::map({{"$schema", kDialect}});
  Value document = document_schema(kind);
  for (Value::Member& member : document.mutable_members()) schema.set(member.key, std::move(member.value));
  return schema;
}

Value json_schema_of_all() {
  Value definitions = Value::map(), any = Value::list();
  for (const Kind& kind : all_kinds()) {
    definitions.set(kind.name, document_schema(kind));
    any.push_back(Value::map({{"$ref", "#/$defs/" + std::string(kind.name)}}));
  }
  return Value::map(
      {{"$schema", kDialect}, {"title", kApiVersion}, {"oneOf", std::move(any)}, {"$defs", std::move(definitions)}});
}

}  // namespace trove
