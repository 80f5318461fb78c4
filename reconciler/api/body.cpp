// Request bodies to documents.
#include "reconciler/api/apply.hpp"
#include "specs/json.hpp"
#include "specs/yaml.hpp"

namespace trove {
namespace {

constexpr size_t kMaxBodyNodes = 2'000'000;
constexpr int kMaxBodyDepth = 64;

bool says_yaml(const http::Request& request) {
  std::string type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  return type == "application/yaml" || type == "application/x-yaml" || type == "text/yaml" || type == "text/x-yaml";
}

tl::unexpected<Refusal> not_documents(const std::string& why) {
  return refuse(
      400, "CONFIG_INVALID", why,
      "send {\"documents\": [{\"source\": \"a.yaml\", \"object\": {…}}]}, or YAML with Content-Type: application/yaml");
}

}  // namespace

Attempt<Body> read_body(const http::Request& request) {
  Body out;
  if (says_yaml(request)) {
    YamlStream stream = parse_yaml(request.body, "body", {kMaxApplyBytes, kMaxBodyNodes, kMaxBodyDepth, kMaxDocuments});
    if (!stream.problems.empty()) {
      Findings findings;
      for (Problem& problem : stream.problems) {
        std::string code(code_of(problem));
        findings.emplace_back(std::move(problem), std::move(code));
      }
      return refuse(std::move(findings));
    }
    out.documents = std::move(stream.documents);
    return out;
  }
  auto body = parse_json(request.body, {kMaxApplyBytes, kMaxBodyDepth, kMaxBodyNodes});
  if (!body) {
    if (body.error().code == Code::too_large) return refuse(body.error());
    return not_documents("the body is not JSON: " + body.error().message);
  }
  if (!body->is_map()) return not_documents("the body must be a JSON object");
  Value* documents = body->find("documents");
  if (documents && !documents->is_list()) return not_documents("documents must be a list");
  if (Value* remove = body->find("remove")) out.remove = std::move(*remove);
  if (!documents && out.remove.is_null()) return not_documents("the body holds no documents");
  if (!documents) return out;
  for (Value& entry : documents->mutable_items()) {
    Value* object = entry.find("object");
    if (!object) return not_documents("documents[" + std::to_string(out.documents.size()) + "] has no object");
    out.documents.push_back(std::move(*object));
    if (out.documents.size() > kMaxDocuments) {
      return refuse(413, "TOO_LARGE", "more than " + std::to_string(kMaxDocuments) + " documents",
                    "apply them in parts");
    }
  }
  return out;
}

}  // namespace trove
