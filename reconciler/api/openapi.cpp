// OpenAPI 3.1, made from the same tables as everything else that knows the fields. A new route is one call of add().
#include "reconciler/api/openapi.hpp"
#include "reconciler/api/api.hpp"
#include "specs/decode.hpp"

namespace trove {
namespace {

using openapi::add;
using openapi::list_of;
using openapi::number;
using openapi::object;
using openapi::reference;
using openapi::text;
using openapi::truth;
using openapi::words;

const std::string kProject = "/apis/trove/v1alpha1/projects/{project}";

Value bounded(int64_t least, int64_t most) {
  return Value::map({{"type", "integer"}, {"minimum", least}, {"maximum", most}});
}

// What is answered: as handed in, and what the server adds; a generated name has become a name, an empty spec is left out.
Value served(const Kind& kind) {
  Value schema = json_schema(kind);
  schema.erase("$schema");
  return schema;
}

void add_kind(const Kind& kind, Value& paths, Value& schemas) {
  const std::string name(kind.name), all = kProject + '/' + std::string(kind.plural), one = all + "/{name}";
  schemas.set(name, served(kind));
  schemas.set(name + "List", object({{"apiVersion", text()},
                                     {"kind", words({"List"})},
                                     {"revision", text("all pages are as of it, and a watch may begin there")},
                                     {"continue?", text("for the next page; absent = this was the last")},
                                     {"items", list_of(reference(name))}}));
  // One line of a watch.
  Value ghost = object({{"apiVersion", text()},
                        {"kind", text()},
                        {"metadata", object({{"name", text()}, {"project", text()}})}});
  Value shapes = Value::list();
  shapes.push_back(object({{"type", words({"ADDED", "MODIFIED"})}, {"revision", text()}, {"object", reference(name)}}));
  shapes.push_back(object({{"type", words({"DELETED"})}, {"revision", text()}, {"object", std::move(ghost)}}));
  shapes.push_back(object({{"type", words({"BOOKMARK"})},
                           {"revision", text("a watch may be resumed from it")},
                           {"object", Value::map({{"type", "object"}})}}));
  shapes.push_back(object({{"type", words({"ERROR"})},
                           {"revision", text()},
                           {"object", object({{"code", text()}, {"message", text()}, {"hint", text()}})}}));
  schemas.set(name + "Change", Value::map({{"oneOf", std::move(shapes)}}));

  add(paths, {.method = "get",
              .path = all,
              .id = "list" + name,
              .doc = "Lists in pages of one moment, or watches.",
              .parameters = {{"limit", "query", "At most so many objects.", bounded(1, kMaxPage)},
                             {"continue", "query", "From the page before."},
                             {"labelSelector", "query", "For example app=orders,tier!=dev,env in (a,b),!old."},
                             {"fieldSelector", "query", "For example status.phase=HEALTHY,metadata.name!=x."},
                             {"watch", "query", "true: a stream of changes, one JSON object a line.", truth()},
                             {"resourceVersion", "query", "Where the watch begins: the revision of a list or a line."}},
              .answers = {{"200", "a page; watched: lines", name + "List"},
                          {"200", "", name + "Change", "application/jsonl"}},
              .refusals = {"410"}});
  add(paths, {.method = "get",
              .path = one,
              .id = "get" + name,
              .doc = "Shows one.",
              .parameters = {{"managedFields", "query", "true: with who owns which field.", truth()},
                             {"at", "query", "A time: the spec as it was then."}},
              .answers = {{"200", "the object", name, "application/json", {"ETag"}}}});
  add(paths, {.method = "put",
              .path = one,
              .id = "put" + name,
              .doc = "Creates or replaces one.",
              .parameters = {{"If-Match", "header", "The ETag that must still hold; * = it must exist."},
                             {"If-None-Match", "header", "* = it must not exist."},
                             {"fieldManager", "query", "Who owns the fields then."},
                             {"Idempotency-Key", "header", "The same key again: the same answer, done once."}},
              .body = name,
              .answers = {{"200", "the object", name, "application/json", {"ETag"}},
                          {"201", "the object, which is new", name, "application/json", {"ETag"}}},
              .refusals = {"409", "412", "413", "422", "507"}});
  add(paths, {.method = "delete",
              .path = one,
              .id = "delete" + name,
              .doc = "Marks one for deletion; it goes once what belongs to it has gone.",
              .parameters = {{"If-Match", "header", "The ETag that must still hold."}},
              .answers = {{"202", "the object", name}},
              .refusals = {"409", "412", "507"}});
  if (kind.name != "Secret")
    add(paths, {.method = "post",
                .path = one + "/rollback",
                .id = "rollback" + name,
                .doc = "Plans the way back to what a generation said.",
                .parameters = {{"to", "query", "The generation.", bounded(1, 1'000'000'000), true},
                               {"dryRun", "query", "server: the plan is not kept.", words({"server"})},
                               {"fieldManager", "query", "Who owns the fields then."},
                               {"force", "query", "true: takes over what others own.", truth()}},
                .answers = {{"201", "the plan, which is kept", "Plan", "application/json", {"Location"}},
                            {"200", "the plan, which is not kept", "Plan"}},
                .refusals = {"409", "422", "507"}});
  add(paths, {.method = "get",
              .path = one + "/plan",
              .id = "planOf" + name,
              .doc = "What is still to be done for one object.",
              .answers = {{"200", "the plan", "ObjectPlan"}}});
  add(paths, {.method = "get",
              .path = one + "/events",
              .id = "eventsOf" + name,
              .doc = "What happened, oldest first.",
              .parameters = {{"limit", "query", "The newest so many.", bounded(1, 1'000)}},
              .answers = {{"200", "the events", "Events"}}});
  add(paths, {.method = "get",
              .path = one + "/history",
              .id = "historyOf" + name,
              .doc = "Every generation of the spec.",
              .answers = {{"200", "the generations", "History"}}});
}

// What may be said about how a set is applied.
std::vector<openapi::Parameter> orders() {
  return {{"dryRun", "query", "server: everything but writing.", words({"server"})},
          {"fieldManager", "query", "Who owns these fields; trovectl when it is left out."},
          {"force", "query", "true: takes over what others own.", truth()},
          {"breakGlass", "query", "For how long fields are taken over, up to 7d; then they go back."},
          {"set", "query", "The set that these objects are."},
          {"prune", "query", "true: what was in the set and is not handed in goes.", truth()},
          {"maxDelete", "query", "More than so many are not pruned.", bounded(0, kMaxDocuments)},
          {"confirm", "query", "kind/name,…: may be pruned although a database stops or data goes."},
          {"source", "query", "The name of the file, of a YAML body."},
          {"Idempotency-Key", "header", "The same key again: the same answer, done once."}};
}

Value example_set() {
  Value volume = Value::map({{"apiVersion", kApiVersion}, {"kind", "Volume"}});
  volume.set_path("metadata.name", "data");
  volume.set_path("spec.size", 5);
  Value documents = Value::list();
  documents.push_back(Value::map({{"source", "data.yaml"}, {"object", std::move(volume)}}));
  return Value::map({{"documents", std::move(documents)}});
}

}  // namespace

Attempt<http::Response> Api::openapi() const {
  Value paths = Value::map(), schemas = Value::map();
  for (const Kind& kind : all_kinds()) add_kind(kind, paths, schemas);
  openapi::add_schemas(schemas);
  add(paths, {.method = "post",
              .path = kProject + "/apply",
              .id = "apply",
              .doc = "Creates and changes objects: all or none.",
              .parameters = orders(),
              .body = "Documents",
              .yaml = true,
              .example = example_set(),
              .answers = {{"200", "what became of each", "ApplyResult"}},
              .refusals = {"409", "413", "422", "507"}});
  const auto plan_parameters = [] {
    auto all = orders();
    std::erase_if(all, [](const openapi::Parameter& one) { return one.name == "Idempotency-Key"; });
    return all;
  };
  add(paths, {.method = "post",
              .path = kProject + "/plans",
              .id = "plan",
              .doc = "What an apply and deletions would do. The plan is kept for a week, to be carried out exactly.",
              .parameters = plan_parameters(),
              .body = "Documents",
              .yaml = true,
              .example = example_set(),
              .answers = {{"201", "the plan, which is kept", "Plan", "application/json", {"Location"}},
                          {"200", "the plan, which is not kept: a dry run, or the caller may only read", "Plan"}},
              .refusals = {"409", "413", "422", "507"}});
  add(paths, {.method = "get",
              .path = kProject + "/plans/{plan}",
              .id = "getPlan",
              .doc = "A plan that was kept.",
              .answers = {{"200", "the plan", "Plan"}}});
  add(paths, {.method = "post",
              .path = kProject + "/plans/{plan}/apply",
              .id = "applyPlan",
              .doc = "Does exactly what the plan shows, or refuses with 409 and names what moved since.",
              .answers = {{"200", "what became of each", "ApplyResult"}},
              .refusals = {"409", "422", "507"}});
  add(paths, {.method = "get",
              .path = kProject + "/drift",
              .id = "drift",
              .doc = "What was changed outside, and what is done about it.",
              .answers = {{"200", "the differences", "Drifts"}}});
  add(paths, {.method = "get",
              .path = "/apis/trove/v1alpha1/drift",
              .id = "driftOfAll",
              .doc = "The same of every project that the token sees.",
              .answers = {{"200", "the differences", "Drifts"}}});
  add(paths, {.method = "post",
              .path = kProject + "/secrets/{name}/reveal",
              .id = "reveal",
              .doc = "Shows the values of a Secret, and records who asked.",
              .answers = {{"200", "the values", "SecretData"}}});
  add(paths, {.method = "get",
              .path = kProject + "/gitsources/{name}/sync",
              .id = "gitState",
              .doc = "When a GitSource was and will be looked at, and where reality or a break-glass edit differs from it.",
              .parameters = {{"drift", "query", "true: with the differences.", truth()}},
              .answers = {{"200", "its state", "GitState"}}});
  add(paths, {.method = "post",
              .path = kProject + "/gitsources/{name}/sync",
              .id = "gitSync",
              .doc = "Fetches and applies now; with approve: carries out the plan that waits.",
              .body = "GitConfirm",
              .answers = {{"202", "its state", "GitState"}}});
  add(paths, {.method = "post",
              .path = "/git/v1/hooks/{project}/{name}",
              .id = "gitHook",
              .doc = "For Git servers: asks for a fetch. Signed as GitHub, Gitea or GitLab do it.",
              .body = "GitHook",
              .answers = {{"202", "a fetch was asked for", "GitHookResult"}},
              .refusals = {"404", "413", "429"},
              .open = true});
  for (std::string_view id : {"healthz", "readyz"})
    add(paths, {.method = "get",
                .path = "/" + std::string(id),
                .id = std::string(id),
                .doc = id == "healthz" ? "The process answers." : "The store can be used and the cloud is observed.",
                .answers = {{"200", "fine", "Health"}},
                .refusals = {"503"},
                .open = true});
  add(paths, {.method = "get",
              .path = "/version",
              .id = "version",
              .doc = "Which program this is.",
              .answers = {{"200", "the version", "Version"}},
              .open = true});
  add(paths, {.method = "get",
              .path = "/metrics",
              .id = "metrics",
              .doc = "Figures of all projects, for Prometheus.",
              .answers = {{"200", "the figures", "Text", "text/plain"}}});
  add(paths, {.method = "get",
              .path = "/leaks",
              .id = "leaks",
              .doc = "What carries trove's mark in the cloud and belongs to nobody.",
              .answers = {{"200", "the leaks", "Leaks"}}});
  add(paths, {.method = "get",
              .path = "/openapi.json",
              .id = "openapi",
              .doc = "This document.",
              .answers = {{"200", "the document", "OpenApi"}}});

  const auto in_path = [](std::string_view name, std::string_view doc) {
    return Value::map({{"name", name}, {"in", "path"}, {"required", true}, {"description", doc}, {"schema", text()}});
  };
  Value parameters = Value::map({{"project", in_path("project", "Name of the project.")},
                                 {"name", in_path("name", "Name of the object.")},
                                 {"plan", in_path("plan", "Id of the plan: pl-….")}});
  Value scheme = Value::map({{"bearer", Value::map({{"type", "http"}, {"scheme", "bearer"}})}});
  Value body = Value::map();
  body.set("openapi", "3.1.0");
  body.set("info",
           Value::map({{"title", "trove"},
                       {"version", options_.version},
                       {"description", "Declarative databases."},
                       {"license", Value::map({{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}})}}));
  body.set("paths", std::move(paths));
  body.set("components", Value::map({{"schemas", std::move(schemas)},
                                     {"parameters", std::move(parameters)},
                                     {"headers", openapi::headers()},
                                     {"securitySchemes", std::move(scheme)}}));
  Value needs = Value::list();
  needs.push_back(Value::map({{"bearer", Value::list()}}));
  body.set("security", std::move(needs));
  return json_response(200, body);
}

}  // namespace trove
