// Whole requests through the REST API, in memory: records "WHO METHOD TARGET", header lines, an empty line and a body,
// with a line "%%" between. WHO is one letter: admin, member or reader of shop, other (a member of elsewhere), guest,
// or - for nobody. What must hold: answers are well formed, a refusal changes nothing, nobody sees or changes another
// project, secrets stay hidden, and what was applied can be applied again without a change.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include "specs/yaml.hpp"
#include "tests/api/fixture.hpp"
#include "tests/fuzz/documents.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kRequests = 12;
constexpr size_t kLongestAnswer = 4u << 20;
constexpr std::string_view kTheirs = "ELSEWHERE-canary";  // stands in an object of another project
constexpr const char* kBase = "/apis/trove/v1alpha1/projects/shop";

const Sealer& sealer() {
  static const Sealer the = [] {
    char directory[] = "/tmp/trove-fuzz-XXXXXX";
    expect(mkdtemp(directory) != nullptr, "a temporary directory can be made");
    SeededRng rng;
    auto opened = Sealer::open(std::string(directory) + "/key", true, rng);
    std::filesystem::remove_all(directory);
    expect(opened.has_value(), "a key can be made");
    return *opened;
  }();
  return the;
}

struct World {
  World() {
    ApiOptions options{.objects = objects,
                       .applier = applier,
                       .sealer = sealer(),
                       .rng = rng,
                       .clock = clock,
                       .plans = plans,
                       .guests = guests,
                       .object_store = &object_store,
                       .loop = loop,
                       .version = "1.2.3"};
    options.tokens = std::string(kAdmin) + "\n" + kMember + " shop member jana\n" + kReader + " shop reader rita\n" +
                     kOther + " elsewhere member otto\n";
    api.emplace(std::move(options));
  }

  FakeClock clock;
  SeededRng rng;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Objects objects{*store, clock};
  Applier applier{objects, sealer(), rng, clock};
  FakePlans plans;
  FakeGuests guests;
  FakeObjects object_store;
  FakeLoop loop;
  std::optional<Api> api;
};

std::string token_of(char who) {
  switch (who) {
    case 'a':
      return kAdmin;
    case 'm':
      return kMember;
    case 'r':
      return kReader;
    case 'o':
      return kOther;
    case 'g':
      return "guest-token";
    default:
      return "";
  }
}

void set_target(http::Request& request, std::string_view target) {
  request.path = take(target, "?");
  while (!target.empty()) {
    std::string_view pair = take(target, "&");
    const std::string name(take(pair, "="));
    request.query.emplace(name, pair);
  }
}

std::optional<http::Request> request_of(std::string_view record, char& who) {
  http::Request request;
  std::string_view line = take(record, "\n");
  const auto caller = take(line, " "), method = take(line, " ");
  if (caller.size() != 1 || method.empty() || !line.starts_with("/")) return std::nullopt;
  who = caller[0];
  request.method = method;
  set_target(request, line);
  while (!record.empty()) {
    std::string_view header = take(record, "\n");
    if (header.empty()) break;
    const std::string name(take(header, ": "));
    request.headers[name] = header;
  }
  request.body = record;
  if (const std::string token = token_of(who); !token.empty()) request.headers["authorization"] = "Bearer " + token;
  return request;
}

http::Response ask(World& world, const http::Request& request) {
  const http::Route route = world.api->classify(request);
  if (!route.streams_body) return world.api->handle(request, nullptr);
  http::Request head = request;
  head.body.clear();
  size_t sent = 0;
  return world.api->handle(head, [&]() -> Result<std::string> {
    std::string piece = request.body.substr(sent, 100);
    sent += piece.size();
    return piece;
  });
}

// Every key and the revision of its last change.
std::map<std::string, Revision> keys_of(Store& store) {
  std::map<std::string, Revision> keys;
  auto page = store.range("", "", 0);
  expect(page.has_value() && !page->more, "the store can be read");
  for (const KeyValue& item : page->items) keys[item.key] = item.modified;
  return keys;
}
std::map<std::string, Revision> without_project(std::map<std::string, Revision> keys, std::string_view project) {
  std::erase_if(keys, [&](const auto& item) {
    return item.first.find("/" + std::string(project) + "/") != std::string::npos ||
           item.first.starts_with("/history/");
  });
  return keys;
}

// True when the canaries of a request stand in values of well-formed Secrets only, and it does not name the other
// one's.
bool keeps_secrets(const http::Request& request, bool& knows_theirs) {
  std::string rest = request.path;
  for (const auto& [name, value] : request.query) rest += "\n" + name + "\n" + value;
  for (const auto& [name, value] : request.headers) rest += "\n" + name + "\n" + value;
  size_t hidden = 0, all = canaries_in(rest);
  std::vector<Value> documents;
  if (auto json = parse_json(request.body)) {
    all += canaries_in(canonical_json(*json));
    documents.push_back(*json);
    for (const Value& entry : (*json)["documents"].items()) documents.push_back(entry["object"]);
    rest += canonical_json(*json);
  } else {
    YamlStream stream = parse_yaml(request.body, "body");
    if (!stream.problems.empty()) all += 1;  // who knows what it says
    for (const Value& document : stream.documents) {
      all += canaries_in(canonical_json(document));
      rest += canonical_json(document);
      documents.push_back(document);
    }
  }
  for (const Value& document : documents) hidden += canaries_in_secrets(document);
  if (rest.find(kTheirs) != rest.npos || request.body.find(kTheirs) != std::string::npos) knows_theirs = true;
  return hidden == all;
}

void check_answer(const http::Request& request, const http::Response& answer) {
  const auto told = [&] {
    return request.method + " " + request.path + " -> " + std::to_string(answer.status) + " " +
           answer.body.substr(0, 2'000);
  };
  expect(answer.status >= 200 && answer.status < 600, "an answer has a status", told);
  expect(answer.status < 500, "no request breaks the server", told);
  expect(answer.body.size() <= kLongestAnswer, "an answer is bounded", told);
  for (const auto& [name, value] : answer.headers) {
    for (unsigned char c : name + value) expect(c >= ' ' && c != 0x7f, "a header is one line", told);
  }
  if (answer.body.empty()) return;
  auto body = answer.content_type.find("json") != std::string::npos ? parse_json(answer.body) : Result<Value>(Value());
  expect(body.has_value(), "an answer that says JSON is JSON", told);
  if (answer.status < 400) return;
  const Value& problem = *body;
  expect(answer.content_type == "application/problem+json" && problem["status"].int_or(0) == answer.status &&
             !problem["code"].text().empty() && !problem["actor"].text().empty() && !problem["detail"].text().empty(),
         "a refusal says what, who must act, and why", told);
}

std::string path_of(const Value& result) {
  const Kind* kind = find_kind(result["kind"].text());
  expect(kind != nullptr, "a result names a known kind");
  return std::string(kBase) + "/" + std::string(kind->plural) + "/" + result["name"].text();
}

http::Request simple(const std::string& method, const std::string& path, std::string body = "") {
  http::Request request;
  request.method = method;
  request.path = path;
  request.body = std::move(body);
  request.headers["authorization"] = "Bearer " + std::string(kMember);
  return request;
}

// What was applied is there; applied again, as it was handed in and as it is shown, it changes nothing.
void check_applied(World& world, const http::Request& request, const http::Response& answer) {
  const Revision revision = world.store->revision();
  const Value body = json_of(answer);
  bool generated = false;
  for (const Value& result : body["results"].items()) {
    auto got = ask(world, simple("GET", path_of(result)));
    expect(got.status == 200, "what was applied can be read", [&] { return dump_json(result) + got.body; });
    const Value object = json_of(got);
    if (request.body.find(object["metadata"]["name"].text()) == std::string::npos) generated = true;
    if (!object["metadata"]["deletionTimestamp"].is_null()) continue;
    Value entry = Value::map({{"object", object}});
    Value documents = Value::list();
    documents.push_back(std::move(entry));
    auto again = ask(world, simple("POST", std::string(kBase) + "/apply",
                                   dump_json(Value::map({{"documents", std::move(documents)}}))));
    expect(again.status == 200 && json_of(again)["results"].items()[0]["result"].text() == "unchanged" &&
               world.store->revision() == revision,
           "what is shown can be applied again, and changes nothing", [&] { return got.body + "\n" + again.body; });
  }
  if (generated || request.body.find("generateName") != std::string::npos) return;
  auto again = ask(world, request);
  expect(again.status == 200 && world.store->revision() == revision, "the same apply twice changes nothing",
         [&] { return answer.body + "\n" + again.body; });
}

struct Run {
  World world;
  bool secrets_kept = true, knows_theirs = false;

  void step(const http::Request& request, char who) {
    if (!keeps_secrets(request, knows_theirs)) secrets_kept = false;
    const auto before = keys_of(*world.store);
    const Revision revision = world.store->revision();
    const http::Response answer = ask(world, request);
    check_answer(request, answer);
    const auto after = keys_of(*world.store);
    const bool changed = world.store->revision() != revision;
    const auto told = [&] { return request.method + " " + request.path + " -> " + answer.body.substr(0, 2'000); };

    const bool applies = request.method == "POST" && request.path == std::string(kBase) + "/apply";
    const bool dry = applies && !request.parameter("dryRun").empty();
    const bool plans = request.path == std::string(kBase) + "/plans";
    if (answer.status >= 400) expect(!changed, "a refused request changes nothing", told);
    if (who != 'a' && who != 'm' && who != 'o') expect(!changed, "only members change anything", told);
    if (request.method == "GET" || request.method == "HEAD" || dry || plans)
      expect(!changed, "looking and planning change nothing", told);
    if (who != 'a')
      expect(without_project(before, who == 'o' ? "elsewhere" : "shop") ==
                 without_project(after, who == 'o' ? "elsewhere" : "shop"),
             "nobody changes another project", told);
    if (!knows_theirs && who != 'a' && who != 'o')
      expect(answer.body.find(kTheirs) == std::string::npos, "nobody sees another project", told);
    const bool reveals = request.path.ends_with("/reveal") && answer.status == 200;
    if (secrets_kept && !reveals) expect(canaries_in(answer.body) == 0, "no answer shows a secret's value", told);
    if (secrets_kept && changed) check_store();
    if (applies && !dry && answer.status == 200 && (who == 'a' || who == 'm')) check_applied(world, request, answer);
    if (answer.stream && answer.stream_length >= 0) {
      int64_t length = 0;
      answer.stream([&](std::string_view piece) { return length += static_cast<int64_t>(piece.size()), true; });
      expect(length == answer.stream_length, "a download has the length that it said");
    }
    world.clock.advance(Millis{1'000});
  }

  void check_store() {
    auto page = world.store->range("", "", 0);
    for (const KeyValue& item : page->items)
      expect(canaries_in(item.value) == 0, "no secret is stored in the clear", [&] { return item.key; });
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = text_of(data, size);
  Run run;
  http::Request theirs = simple(
      "POST", "/apis/trove/v1alpha1/projects/elsewhere/apply",
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: theirs, annotations: {note: " + std::string(kTheirs) +
          "}}\nspec: {size: 1}\n");
  theirs.headers = {{"authorization", std::string("Bearer ") + kOther}, {"content-type", "application/yaml"}};
  expect(run.world.api->handle(theirs, nullptr).status == 200, "the other project can be filled");
  for (size_t requests = 0; !text.empty() && requests < kRequests; ++requests) {
    char who = '-';
    if (auto request = request_of(take(text, "\n%%\n"), who)) run.step(*request, who);
  }
  return 0;
}
