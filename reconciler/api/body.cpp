// Requests to documents and orders.
#include "reconciler/api/body.hpp"
#include <charconv>
#include "reconciler/api/api.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"
#include "specs/lines.hpp"
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

constexpr size_t kMaxName = 128;  // of managers, sets and idempotency keys
bool is_word(std::string_view text, std::string_view also) {
  if (text.empty() || text.size() > kMaxName) return false;
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
        also.find(c) == std::string_view::npos)
      return false;
  return true;
}

tl::unexpected<Refusal> bad_parameter(const std::string& name, const std::string& must, const std::string& value) {
  return refuse(400, "CONFIG_INVALID", name + " must be " + must + ", not " + printable(value, 60));
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
    std::string source = request.parameter("source");
    if (source.empty()) source = kBody;
    for (Value& document : stream.documents) out.sources.push_back({std::move(document), source});
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
    if (!object) return not_documents("documents[" + std::to_string(out.sources.size()) + "] has no object");
    locate(*object, entry["lines"]);  // a JSON body says nothing about where its fields were written; its sender may
    out.sources.push_back({std::move(*object), printable(entry["source"].text(), 1'000)});
    if (out.sources.size() > kMaxDocuments) {
      return refuse(413, "TOO_LARGE", "more than " + std::to_string(kMaxDocuments) + " documents",
                    "apply them in parts");
    }
  }
  return out;
}

Attempt<ApplyOrder> read_order(const http::Request& request, const std::string& project, const std::string& caller) {
  ApplyOrder out;
  out.project = project;
  const auto flag = [&](const char* name, bool& into) -> Attempt<void> {
    const std::string text = request.parameter(name);
    if (!text.empty() && text != "true" && text != "false") return bad_parameter(name, "true or false", text);
    into = text == "true";
    return {};
  };
  const std::string dry = request.parameter("dryRun");
  if (!dry.empty() && dry != "server") return refuse(400, "CONFIG_INVALID", "dryRun can only be server");
  out.dry_run = !dry.empty();
  out.manager = request.parameter("fieldManager");
  if (out.manager.empty()) out.manager = "trovectl";
  if (!is_word(out.manager, "-_./@") )
    return bad_parameter("fieldManager", "1 to 128 letters, digits and - _ . / @", out.manager);
  if (auto ok = flag("force", out.force_conflicts); !ok) return tl::unexpected(ok.error());
  out.set.name = request.parameter("set");
  if (!out.set.name.empty() && !is_word(out.set.name, "-_."))
    return bad_parameter("set", "1 to 128 letters, digits and - _ .", out.set.name);
  if (auto ok = flag("prune", out.set.prune); !ok) return tl::unexpected(ok.error());
  if (out.set.prune && out.set.name.empty())
    return refuse(400, "CONFIG_INVALID", "prune needs a set", "name it: set=NAME; what was applied in that set before and is "
                  "not in this one any more goes");
  if (const std::string text = request.parameter("maxDelete"); !text.empty()) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.set.max_delete);
    if (error != std::errc() || end != text.data() + text.size() || out.set.max_delete > kMaxDocuments)
      return bad_parameter("maxDelete", "a number up to " + std::to_string(kMaxDocuments), text);
  }
  std::string_view confirm;
  const std::string confirmed = request.parameter("confirm");
  for (confirm = confirmed; !confirm.empty();) {
    const size_t end = std::min(confirm.find(','), confirm.size());
    const std::string_view one = confirm.substr(0, end);
    const size_t slash = std::min(one.find('/'), one.size());
    const Kind* kind = find_kind(one.substr(0, slash));
    if (!kind || slash + 1 >= one.size())
      return bad_parameter("confirm", "kind/name, separated by commas", std::string(one));
    out.set.confirmed.insert({project, std::string(kind->name), std::string(one.substr(slash + 1))});
    confirm.remove_prefix(std::min(end + 1, confirm.size()));
  }
  if (const std::string text = request.parameter("breakGlass"); !text.empty()) {
    const auto until = parse_duration(text);
    if (!until || until->count() <= 0 || *until > kLongestBreakGlass)
      return bad_parameter("breakGlass", "a time up to 7d, for example 4h", text);
    out.until = until;
    out.manager = "break-glass:" + caller;
  }
  if (const std::string key = request.header("idempotency-key"); !key.empty()) {
    if (!is_word(key, "-_.:+/="))
      return bad_parameter("Idempotency-Key", "1 to 128 letters, digits and - _ . : + / =", key);
    out.once.key = sha256_hex(caller + '\n' + key);
    std::string whole = request.method + ' ' + request.path + '\n';
    for (const auto& [name, value] : request.query) whole += name + '=' + value + '&';
    out.once.digest = sha256_hex(whole + '\n' + request.header("content-type") + '\n' + request.header("if-match") +
                                 '\n' + request.body);
  }
  return out;
}

}  // namespace trove
