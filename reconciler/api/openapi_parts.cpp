#include "reconciler/api/openapi.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::openapi {
namespace {

struct Refused {
  std::string_view status, doc;
};
constexpr Refused kRefused[] = {
    {"400", "The request itself is wrong; detail and hint say what."},
    {"401", "No token, or one that is not accepted."},
    {"403", "The token's role may not do this."},
    {"404", "There is no such project, kind or object."},
    {"409", "Others changed the same objects, or a policy stands against it."},
    {"410", "The revision is no longer kept: list again."},
    {"412", "The condition of If-Match or If-None-Match does not hold: read again."},
    {"413", "A named bound was passed."},
    {"422", "The objects are wrong; problems has each of them."},
    {"429", "Too much at once: wait for Retry-After."},
    {"500", "A mistake of the control plane."},
    {"503", "Not now: wait for Retry-After. What was asked may have been done."},
    {"507", "The disk of the control plane is full."},
};

Value refusal(const Refused& refused) {
  Value out = Value::map({{"description", refused.doc}});
  if (refused.status == "429" || refused.status == "503")
    out.set("headers", Value::map({{"Retry-After", Value::map({{"$ref", "#/components/headers/Retry-After"}})}}));
  out.set("content",
          Value::map({{"application/problem+json", Value::map({{"schema", reference("Problem")}})}}));
  return out;
}

}  // namespace

Value text(std::string_view doc) {
  Value out = Value::map({{"type", "string"}});
  if (!doc.empty()) out.set("description", doc);
  return out;
}
Value number() { return Value::map({{"type", "integer"}}); }
Value truth() { return Value::map({{"type", "boolean"}}); }
Value time() { return Value::map({{"type", "string"}, {"format", "date-time"}}); }
Value reference(std::string_view schema) {
  return Value::map({{"$ref", "#/components/schemas/" + std::string(schema)}});
}
Value list_of(Value items) { return Value::map({{"type", "array"}, {"items", std::move(items)}}); }
Value words(std::initializer_list<std::string_view> values) {
  Value list = Value::list();
  for (std::string_view value : values) list.push_back(value);
  return Value::map({{"type", "string"}, {"enum", std::move(list)}});
}
Value object(std::initializer_list<Value::Entry> entries) {
  Value properties = Value::map(), required = Value::list();
  for (const auto& [name, schema] : entries) {
    const bool may_lack = name.ends_with('?');
    const std::string_view plain = may_lack ? name.substr(0, name.size() - 1) : name;
    properties.set(plain, schema);
    if (!may_lack) required.push_back(plain);
  }
  Value out = Value::map({{"type", "object"}, {"properties", std::move(properties)}});
  if (!required.empty()) out.set("required", std::move(required));
  return out;
}

void add(Value& paths, const Operation& operation) {
  Value out = Value::map({{"operationId", operation.id}, {"summary", operation.doc}});
  Value parameters = Value::list();
  for (size_t at = 0; (at = operation.path.find('{', at)) != std::string::npos; ++at) {
    const std::string name = operation.path.substr(at + 1, operation.path.find('}', at) - at - 1);
    parameters.push_back(Value::map({{"$ref", "#/components/parameters/" + name}}));
  }
  for (const Parameter& one : operation.parameters)
    parameters.push_back(Value::map({{"name", one.name},
                                     {"in", one.in},
                                     {"required", one.required},
                                     {"description", one.doc},
                                     {"schema", one.schema.is_null() ? text() : one.schema}}));
  if (!parameters.empty()) out.set("parameters", std::move(parameters));
  if (!operation.body.empty()) {
    Value json = Value::map({{"schema", reference(operation.body)}});
    if (!operation.example.is_null()) json.set("example", operation.example);
    Value content = Value::map({{"application/json", std::move(json)}});
    if (operation.yaml)
      content.set("application/yaml",
                  Value::map({{"schema", text("One or more documents, separated by lines of ---.")}}));
    out.set("requestBody", Value::map({{"required", true}, {"content", std::move(content)}}));
  }
  Value responses = Value::map();
  for (const Answer& answer : operation.answers) {
    Value one = Value::map({{"description", answer.doc}});
    if (!answer.headers.empty()) {
      Value& headers = one.set("headers", Value::map());
      for (std::string_view name : answer.headers)
        headers.set(name, Value::map({{"$ref", "#/components/headers/" + std::string(name)}}));
    }
    if (!answer.schema.empty())
      one.set("content", Value::map({{answer.type, Value::map({{"schema", reference(answer.schema)}})}}));
    // A second shape under one status: a list or, watched, lines.
    if (Value* before = responses.find(answer.status)) {
      for (Value::Member& member : one.find("content")->mutable_members())
        before->find("content")->set(member.key, std::move(member.value));
    } else {
      responses.set(answer.status, std::move(one));
    }
  }
  const auto refuse = [&](std::string_view status) {
    for (const Refused& refused : kRefused)
      if (refused.status == status && !responses.find(status)) responses.set(status, refusal(refused));
  };
  for (std::string_view status : operation.refusals) refuse(status);
  if (!operation.open)
    for (std::string_view status : {"400", "401", "403", "404", "429", "500", "503"}) refuse(status);
  responses.set("default", refusal({"", "Refused for another reason."}));
  out.set("responses", std::move(responses));
  if (operation.open) out.set("security", Value::list());
  Value* path = paths.find(operation.path);
  if (!path) path = &paths.set(operation.path, Value::map());
  path->set(operation.method, std::move(out));
}

void add_schemas(Value& schemas) {
  // A list's items and a watch's objects are those of a kind; see the schemas <Kind>List and <Kind>Change.
  schemas.set("Problem",
              object({{"type", text()},
                      {"title", text()},
                      {"status", number()},
                      {"code", words({"CONFIG_INVALID", "CONFIG_IMMUTABLE", "REF_NOT_FOUND", "NOT_FOUND", "CONFLICT",
                                      "EXPIRED", "POLICY_DENIED", "TOO_LARGE", "UNAVAILABLE", "INTERNAL",
                                      "CLOUD_UNAUTHENTICATED", "CLOUD_UNAUTHORIZED"})},
                      {"actor", words({"User", "CloudOperator", "System"})},
                      {"detail", text()},
                      {"path?", text("the field")},
                      {"hint?", text("what to do next")},
                      {"problems?", list_of(object({{"document?", number()},
                                                    {"line?", number()},
                                                    {"column?", number()},
                                                    {"path", text()},
                                                    {"message", text()},
                                                    {"hint?", text()},
                                                    {"code", text()}}))}}));
  // Codes may come: a program must know what to do with one that it does not know (the status says it).
  Value& code = *schemas.find("Problem")->find("properties")->find("code");
  code.set("examples", *code.find("enum"));
  code.erase("enum");
  schemas.set("Documents",
              object({{"documents?", list_of(object({{"source?", text("where it was read, for problems and for who owns what")},
                                                     {"lines?", Value::map({{"type", "object"}, {"description", "JSON pointer to line"}})},
                                                     {"object", reference("AnyObject")}}))},
                      {"remove?", list_of(object({{"kind", text()}, {"name", text()}}))}}));
  Value any = Value::list();
  for (const Kind& kind : all_kinds()) any.push_back(reference(kind.name));
  schemas.set("AnyObject", Value::map({{"oneOf", std::move(any)}}));
  schemas.set("ApplyResult",
              object({{"revision", text()},
                      {"results", list_of(object({{"kind", text()},
                                                  {"name", text()},
                                                  {"result", text("created, configured, unchanged, pruned, kept, deleted")},
                                                  {"generation", number()},
                                                  {"warnings", list_of(text())},
                                                  {"message?", text("of what was pruned or kept: why")}}))},
                      {"plan?", text("the plan that was carried out")}}));
  Value actions = list_of(object({{"step", number()},
                                  {"object", text()},
                                  {"action", text()},
                                  {"detail", text()},
                                  {"change", text("what it does to the database: none, live, RESTART, …")},
                                  {"interrupts?", text()},
                                  {"expected?", object({{"p50Ms", number()}, {"p95Ms", number()}, {"n", number()}})}}));
  Value waiting = list_of(object({{"object", text()}, {"reason", text()}, {"message", text()}}));
  schemas.set("Plan",
              object({{"project", text()},
                      {"revision", text()},
                      {"observedAt", text()},
                      {"complete", truth()},
                      {"objects", list_of(object({{"op", words({"create", "update", "delete", "forget", "unchanged", "blocked"})},
                                                  {"kind", text()},
                                                  {"name", text()},
                                                  {"changes", list_of(object({{"path", text()},
                                                                              {"before", Value::map()},
                                                                              {"after", Value::map()},
                                                                              {"change", text()}}))},
                                                  {"notes", list_of(text())}}))},
                      {"actions", actions},
                      {"waiting", waiting},
                      {"checks?", list_of(object({{"check", words({"quota", "flavor"})},
                                                  {"ok", Value::map({{"description", "null: not known"}})},
                                                  {"message", text()}}))},
                      {"id?", text("of a plan that is kept")},
                      {"author?", text()},
                      {"createdAt?", time()},
                      {"expiresAt?", time()},
                      {"digest", text("of what it rests on and what it does")},
                      {"facts", Value::map({{"type", "object"}, {"description", "what it rests on in the world"}})},
                      {"summary", object({{"add", number()},
                                          {"change", number()},
                                          {"destroy", number()},
                                          {"forget", number()}})}}));
  schemas.set("ObjectPlan", object({{"project", text()},
                                    {"object", text()},
                                    {"revision", text()},
                                    {"observedAt", text()},
                                    {"complete", truth()},
                                    {"actions", std::move(actions)},
                                    {"waiting", std::move(waiting)}}));
  schemas.set("Event", object({{"time", time()},
                               {"type", words({"Normal", "Warning"})},
                               {"object", text()},
                               {"project", text()},
                               {"kind", text()},
                               {"name", text()},
                               {"action", text()},
                               {"by", text()},
                               {"message", text()}}));
  schemas.set("Events", object({{"items", list_of(reference("Event"))}}));
  schemas.set("HistoryEntry", object({{"generation", number()},
                                      {"time", time()},
                                      {"author", text()},
                                      {"plan?", text("that it carried out")},
                                      {"doneAt?", time()},
                                      {"spec", Value::map({{"type", "object"}})}}));
  schemas.set("History", object({{"items", list_of(reference("HistoryEntry"))}}));
  schemas.set("SecretData", object({{"data", Value::map({{"type", "object"},
                                                         {"additionalProperties", text()}})}}));
  schemas.set("Leaks", object({{"items", list_of(object({{"what", text()},
                                                         {"id", text()},
                                                         {"name", text()},
                                                         {"mark", text()},
                                                         {"since", time()},
                                                         {"removedAt?", time()}}))}}));
  schemas.set("GitState", Value::map({{"type", "object"}}));
  schemas.set("GitConfirm", object({{"confirm?", list_of(text("kind/name, or a commit"))},
                                    {"approve?", text("The plan that waits, to carry it out; not together with confirm.")}}));
  schemas.set("GitHook", Value::map({{"type", "object"}}));
  schemas.set("GitHookResult", object({{"result", text()}}));
  schemas.set("Drifts", object({{"items", list_of(object({{"project", text()},
                                                          {"kind", text()},
                                                          {"name", text()},
                                                          {"path", text()},
                                                          {"desired?", Value::map()},
                                                          {"actual?", Value::map()},
                                                          {"by?", text()},
                                                          {"requestId?", text()},
                                                          {"since", time()},
                                                          {"policy", words({"Correct", "Report", "Ignore"})},
                                                          {"waitsFor?", text()},
                                                          {"correctsIn?", text()}}))}}));
  schemas.set("Health", object({{"status", text()}}));
  schemas.set("Version", object({{"name", text()}, {"version", text()}, {"apiVersion", text()}}));
  schemas.set("Text", text());
  schemas.set("OpenApi", object({{"openapi", text()},
                                 {"info", Value::map({{"type", "object"}})},
                                 {"paths", Value::map({{"type", "object"}})}}));
}

Value headers() {
  const auto header = [](std::string_view doc, Value schema) {
    return Value::map({{"description", doc}, {"schema", std::move(schema)}});
  };
  Value out = Value::map();
  out.set("ETag", header("Of the object's spec: hand it back in If-Match.", text()));
  out.set("Location", header("Where the plan is.", text()));
  out.set("Retry-After", header("Seconds to wait.", number()));
  return out;
}

}  // namespace trove::openapi
