// OpenAPI 3.1, made from the same tables as everything else that knows the fields.
#include "reconciler/api/api.hpp"
#include "specs/decode.hpp"

namespace trove {
namespace {

Value reference(const std::string& name) { return Value::map({{"$ref", "#/components/schemas/" + name}}); }

Value content(Value schema, std::string_view type = "application/json") {
  return Value::map({{type, Value::map({{"schema", std::move(schema)}})}});
}
Value answer(std::string_view description, Value schema) {
  return Value::map({{"description", description}, {"content", content(std::move(schema))}});
}
Value parameter(std::string_view name, std::string_view in, std::string_view description,
                std::string_view type = "string") {
  return Value::map({{"name", name},
                     {"in", in},
                     {"required", in == "path"},
                     {"description", description},
                     {"schema", Value::map({{"type", type}})}});
}
Value list_of(std::initializer_list<Value> items) { return Value::list(Value::List(items)); }

// One operation; every one can be refused with a problem.
Value operation(const std::string& id, std::string_view summary, std::string_view status, Value good, Value body = {},
                Value parameters = {}) {
  Value out = Value::map({{"operationId", id}, {"summary", summary}});
  if (!parameters.is_null()) out.set("parameters", std::move(parameters));
  if (!body.is_null()) out.set("requestBody", Value::map({{"required", true}, {"content", content(std::move(body))}}));
  Value problem =
      Value::map({{"description", "refused"}, {"content", content(reference("Problem"), "application/problem+json")}});
  out.set("responses", Value::map({{status, std::move(good)}, {"default", std::move(problem)}}));
  return out;
}

Value any_object() { return Value::map({{"type", "object"}}); }
Value object_schema(std::initializer_list<std::pair<std::string_view, Value>> properties) {
  return Value::map({{"type", "object"}, {"properties", Value::map(properties)}});
}
Value text_schema() { return Value::map({{"type", "string"}}); }
Value array_of(Value items) { return Value::map({{"type", "array"}, {"items", std::move(items)}}); }

void add_kind(const Kind& kind, const std::string& base, Value& paths) {
  const std::string name(kind.name), plural(kind.plural);
  const Value here = list_of({parameter("project", "path", "Name of the project.")});
  const Value one =
      list_of({parameter("project", "path", "Name of the project."), parameter("name", "path", "Name of the object.")});

  Value list = Value::map({{"parameters", here}});
  list.set("get",
           operation("list" + name, "Lists or watches " + plural + ".", "200",
                     answer("a page, or with watch=true a stream of lines", reference("List")), {},
                     list_of({parameter("limit", "query", "At most so many, 1 to 1000.", "integer"),
                              parameter("continue", "query", "From the page before."),
                              parameter("labelSelector", "query", "For example app=orders,tier!=dev."),
                              parameter("watch", "query", "true: a stream of changes.", "boolean"),
                              parameter("resourceVersion", "query", "Where the watch begins: a list's revision.")})));
  paths.set(base + '/' + plural, std::move(list));

  Value object = Value::map({{"parameters", one}});
  object.set("get", operation("get" + name, "Shows one.", "200", answer("the object", reference(name))));
  object.set("put", operation("put" + name, "Creates or replaces one.", "200",
                              answer("the object; 201 when it is new", reference(name)), reference(name),
                              list_of({parameter("If-Match", "header", "The ETag that must still hold."),
                                       parameter("If-None-Match", "header", "* = it must not exist.")})));
  object.set("delete",
             operation("delete" + name, "Marks one for deletion.", "202", answer("the object", reference(name))));
  paths.set(base + '/' + plural + "/{name}", std::move(object));

  for (std::string_view what : {"plan", "events", "history"}) {
    Value more = Value::map({{"parameters", one}});
    more.set("get", operation(std::string(what) + "Of" + name,
                              what == "plan"     ? "What is still to be done."
                              : what == "events" ? "What happened, oldest first."
                                                 : "Every generation of the spec.",
                              "200", answer(what, any_object())));
    paths.set(base + '/' + plural + "/{name}/" + std::string(what), std::move(more));
  }
}

}  // namespace

Attempt<http::Response> Api::openapi() const {
  const std::string base = "/apis/trove/v1alpha1/projects/{project}";
  Value paths = Value::map(), schemas = Value::map();
  for (const Kind& kind : all_kinds()) {
    Value schema = json_schema(kind);
    schema.erase("$schema");
    schemas.set(kind.name, std::move(schema));
    add_kind(kind, base, paths);
  }
  Value problem = object_schema({{"document", Value::map({{"type", "integer"}})},
                                 {"path", text_schema()},
                                 {"message", text_schema()},
                                 {"hint", text_schema()},
                                 {"code", text_schema()}});
  schemas.set("Problem", object_schema({{"type", text_schema()},
                                        {"title", text_schema()},
                                        {"status", Value::map({{"type", "integer"}})},
                                        {"code", text_schema()},
                                        {"actor", text_schema()},
                                        {"detail", text_schema()},
                                        {"path", text_schema()},
                                        {"hint", text_schema()},
                                        {"problems", array_of(std::move(problem))}}));
  schemas.set("List", object_schema({{"apiVersion", text_schema()},
                                     {"kind", text_schema()},
                                     {"revision", text_schema()},
                                     {"continue", text_schema()},
                                     {"items", array_of(any_object())}}));
  schemas.set(
      "Documents",
      object_schema({{"documents", array_of(object_schema({{"source", text_schema()}, {"object", any_object()}}))},
                     {"remove", array_of(object_schema({{"kind", text_schema()}, {"name", text_schema()}}))}}));
  const Value here = list_of({parameter("project", "path", "Name of the project.")});
  Value apply = Value::map({{"parameters", here}});
  apply.set("post", operation("apply", "Creates and changes objects: all or none.", "200",
                              answer("what became of each", any_object()), reference("Documents"),
                              list_of({parameter("dryRun", "query", "server: everything but writing.")})));
  paths.set(base + "/apply", std::move(apply));
  Value plan = Value::map({{"parameters", here}});
  plan.set("post", operation("plan", "What an apply and deletions would do.", "200", answer("the plan", any_object()),
                             reference("Documents")));
  paths.set(base + "/plan", std::move(plan));
  Value drift = Value::map({{"parameters", here}});
  drift.set("get", operation("drift", "What was changed outside, and what is done about it.", "200",
                             answer("the differences", reference("List"))));
  paths.set(base + "/drift", std::move(drift));
  paths.set("/apis/trove/v1alpha1/drift",
            Value::map({{"get", operation("driftOfAll", "The same of every project that the token sees.", "200",
                                          answer("the differences", reference("List")))}}));
  Value reveal = Value::map({{"parameters", list_of({parameter("project", "path", "Name of the project."),
                                                     parameter("name", "path", "Name of the Secret.")})}});
  reveal.set("post", operation("reveal", "Shows the values of a Secret, and records who asked.", "200",
                               answer("the values", any_object())));
  paths.set(base + "/secrets/{name}/reveal", std::move(reveal));
  for (std::string_view path : {"/healthz", "/readyz", "/version", "/openapi.json"}) {
    paths.set(path, Value::map({{"get", operation(std::string(path.substr(1)), "State of the control plane.", "200",
                                                  answer("fine", any_object()))}}));
  }
  Value scheme = Value::map({{"bearer", Value::map({{"type", "http"}, {"scheme", "bearer"}})}});
  Value body = Value::map();
  body.set("openapi", "3.1.0");
  body.set("info",
           Value::map({{"title", "trove"}, {"version", options_.version}, {"description", "Declarative databases."}}));
  body.set("paths", std::move(paths));
  body.set("components", Value::map({{"schemas", std::move(schemas)}, {"securitySchemes", std::move(scheme)}}));
  body.set("security", list_of({Value::map({{"bearer", Value::list()}})}));
  return json_response(200, body);
}

}  // namespace trove
