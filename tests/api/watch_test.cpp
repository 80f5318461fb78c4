// Watches, guests and objects, partly over a real socket.
#include <atomic>
#include <catch2/catch.hpp>
#include <poll.h>
#include <thread>
#include "providers/http/client.hpp"
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

// Runs a watch on this thread until `enough` lines or ~3 s of silence; `on_line` may change things meanwhile.
std::vector<Value> lines_of(const http::Response& response, size_t enough,
                            const std::function<void(size_t)>& on_line = {}) {
  std::vector<Value> lines;
  std::string pending;
  int silent = 0;
  if (on_line) on_line(0);
  response.stream([&](std::string_view piece) {
    if (piece.empty()) return ++silent < 6;
    silent = 0;
    pending += piece;
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      auto value = parse_json(pending.substr(0, end));
      lines.push_back(value ? *value : Value());
      if (on_line) on_line(lines.size());
    }
    return lines.size() < enough;
  });
  return lines;
}
std::string brief(const Value& line) { return line["type"].text() + ' ' + line["object"]["metadata"]["name"].text(); }

std::string volume(const std::string& name, int size, const std::string& labels = "") {
  return "---\napiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: " + name + ", labels: {" + labels +
         "}}\nspec: {size: " + std::to_string(size) + "}\n";
}
void set_phase(Fixture& f, const std::string& name, const std::string& phase) {
  auto resource = f.stored("Volume", name);
  resource->status = Value::map({{"phase", phase}});
  Txn txn;
  f.objects.stage_status(txn, *resource);
  REQUIRE(f.objects.commit(txn));
}
void remove_now(Fixture& f, const std::string& name) {
  Txn txn;
  f.objects.stage_remove(txn, *f.stored("Volume", name));
  REQUIRE(f.objects.commit(txn));
}

}  // namespace

TEST_CASE("a watch tells creation, change of spec and status, and removal, and nothing of others") {
  Fixture f;
  REQUIRE(f.apply(volume("old", 1)).status == 200);
  std::string revision = json_of(f.at("GET", "/volumes"))["revision"].text();
  auto response = f.at("GET", "/volumes?watch=true&resourceVersion=" + revision);
  REQUIRE(response.status == 200);
  REQUIRE(response.stream);
  auto lines = lines_of(response, 4, [&](size_t seen) {
    if (seen == 0) {
      f.apply(instance("noise"));
      f.apply(volume("a", 1));
    }
    if (seen == 1) f.apply(volume("a", 2));
    if (seen == 2) set_phase(f, "a", "Available");
    if (seen == 3) remove_now(f, "a");
  });
  REQUIRE(lines.size() == 4);
  CHECK(brief(lines[0]) == "ADDED a");
  CHECK(brief(lines[1]) == "MODIFIED a");
  CHECK(lines[1]["object"]["spec"]["size"].int_or(0) == 2);
  CHECK(brief(lines[2]) == "MODIFIED a");
  CHECK(lines[2]["object"]["status"]["phase"].text() == "Available");
  CHECK(brief(lines[3]) == "DELETED a");
  CHECK(std::stoull(lines[3]["revision"].text()) > std::stoull(lines[2]["revision"].text()));
}

TEST_CASE("a watch without a revision begins with everything") {
  Fixture f;
  f.apply(volume("a", 1) + volume("b", 1));
  auto lines = lines_of(f.at("GET", "/volumes?watch=true"), 3, [&](size_t seen) {
    if (seen == 2) f.apply(volume("c", 1));
  });
  REQUIRE(lines.size() == 3);
  CHECK(brief(lines[0]) == "ADDED a");
  CHECK(brief(lines[1]) == "ADDED b");
  CHECK(brief(lines[2]) == "ADDED c");
}

TEST_CASE("a watch with a selector tells when an object begins and ceases to match") {
  Fixture f;
  f.apply(volume("a", 1, "app: x") + volume("b", 1));
  std::string revision = std::to_string(f.store.revision());
  auto lines =
      lines_of(f.at("GET", "/volumes?watch=true&labelSelector=app=x&resourceVersion=" + revision), 3, [&](size_t seen) {
        if (seen == 0) {
          f.apply(volume("b", 2));
          f.apply(volume("b", 2, "app: x"));
        }
        if (seen == 1) f.apply(volume("a", 1));
        if (seen == 2) {
          f.apply(volume("a", 3));
          f.apply(volume("b", 3, "app: x"));
        }
      });
  REQUIRE(lines.size() == 3);
  CHECK(brief(lines[0]) == "ADDED b");
  CHECK(brief(lines[1]) == "DELETED a");
  CHECK(brief(lines[2]) == "MODIFIED b");
}

TEST_CASE("a watch with a field selector tells when an object begins and ceases to match") {
  Fixture f;
  f.apply(volume("a", 1) + volume("b", 1));
  set_phase(f, "a", "Available");
  const std::string revision = std::to_string(f.store.revision());
  // What happened since then is told from what matched then, not from what matches now.
  set_phase(f, "a", "Gone");
  auto lines = lines_of(
      f.at("GET", "/volumes?watch=true&fieldSelector=status.phase=Available&resourceVersion=" + revision), 4,
      [&](size_t seen) {
        if (seen == 1) f.apply(volume("b", 2)), set_phase(f, "b", "Available");
        if (seen == 2) f.apply(volume("b", 3)), f.apply(volume("c", 1)), remove_now(f, "c");
        if (seen == 3) remove_now(f, "b");
      });
  REQUIRE(lines.size() == 4);
  CHECK(brief(lines[0]) == "DELETED a");
  CHECK(lines[0]["object"]["status"]["phase"].text() == "Gone");
  CHECK(brief(lines[1]) == "ADDED b");
  CHECK(brief(lines[2]) == "MODIFIED b");
  CHECK(brief(lines[3]) == "DELETED b");  // and nothing of c, which never matched
}

TEST_CASE("a watch resumed after any line loses nothing and repeats nothing while others write") {
  Fixture f;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      Resource resource;
      resource.kind = "Volume";
      resource.metadata.name = "v" + std::to_string(i % 5);
      resource.metadata.project = "shop";
      resource.metadata.uid = "u";
      resource.spec = Value::map({{"size", i}});
      Txn change;
      auto before = f.stored("Volume", resource.metadata.name);
      if (before && i % 3 == 0) {
        f.objects.stage_remove(change, *before);
      } else {
        if (before) resource.metadata.resource_version = before->metadata.resource_version;
        f.objects.stage_put(change, resource, "");
      }
      (void)f.objects.commit(change);
      if (i % 10 == 0) ::poll(nullptr, 0, 1);
    }
  });
  // What a client knows that reads a few lines, loses the stream, and goes on from the last line it saw.
  std::map<std::string, std::string> known;
  const Value start = json_of(f.at("GET", "/volumes"));
  for (const Value& item : start["items"].items()) known[item["metadata"]["name"].text()] = dump_json(item);
  Revision revision = std::stoull(start["revision"].text());
  const auto follow = [&](size_t lines) {
    for (const Value& line :
         lines_of(f.at("GET", "/volumes?watch=true&resourceVersion=" + std::to_string(revision)), lines)) {
      const Revision its = std::stoull(line["revision"].text());
      CHECK(its > revision);  // never again what was seen, and in order
      revision = its;
      const std::string name = line["object"]["metadata"]["name"].text();
      if (line["type"].text() == "DELETED")
        known.erase(name);
      else if (line["type"].text() != "BOOKMARK")
        known[name] = dump_json(line["object"]);
    }
  };
  for (size_t round = 0; round < 200; ++round) follow(1 + round % 4);
  stop = true;
  writer.join();
  follow(1'000);
  std::map<std::string, std::string> there;
  const Value end = json_of(f.at("GET", "/volumes"));
  for (const Value& item : end["items"].items()) there[item["metadata"]["name"].text()] = dump_json(item);
  CHECK(known == there);
}

TEST_CASE("a watch shows no secret values") {
  Fixture f;
  auto lines = lines_of(f.at("GET", "/secrets?watch=true&resourceVersion=1"), 1, [&](size_t seen) {
    if (seen == 0) f.apply(secret("s", "a: canary-1"));
  });
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["object"]["spec"]["data"]["a"].text() == "(hidden)");
}

TEST_CASE("a quiet watch sends bookmarks") {
  Fixture f;
  f.apply(volume("a", 1));
  auto response = f.at("GET", "/volumes?watch=true&resourceVersion=" + std::to_string(f.store.revision()));
  std::vector<Value> lines;
  int silent = 0;
  response.stream([&](std::string_view piece) {
    if (!piece.empty()) lines.push_back(*parse_json(piece));
    f.clock.advance(Millis{5'000});
    return lines.empty() && ++silent < 10;
  });
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["type"].text() == "BOOKMARK");
  CHECK(lines[0]["revision"].text() == std::to_string(f.store.revision()));
}

TEST_CASE("a watch from a revision that is gone says so and ends") {
  Fixture f;
  for (int i = 1; i < 6; ++i) f.apply(volume("a", i));
  REQUIRE(f.store.compact(f.store.revision()));
  for (const char* selector : {"", "&labelSelector=app", "&fieldSelector=spec.size=1"}) {
    auto answer = f.at("GET", std::string("/volumes?watch=true&resourceVersion=1") + selector);
    CHECK(answer.status == 410);
    CHECK(code_of(answer) == "EXPIRED");
    CHECK(json_of(answer)["hint"].text() == "list again");
  }
  // One that falls behind while it runs is told so in its last line.
  auto behind = f.at("GET", "/volumes?watch=true&resourceVersion=" + std::to_string(f.store.revision()));
  for (int i = 6; i < 12; ++i) f.apply(volume("a", i));
  REQUIRE(f.store.compact(f.store.revision()));
  auto lines = lines_of(behind, 5);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["type"].text() == "ERROR");
  CHECK(lines[0]["object"]["code"].text() == "EXPIRED");
  CHECK(f.at("GET", "/volumes?watch=true&resourceVersion=x").status == 400);
}

TEST_CASE("a guest gets its document with its own token only") {
  Fixture f;
  CHECK(f.ask("GET", "/guest/v1/document", "", "").status == 401);
  CHECK(f.ask("GET", "/guest/v1/document", "", kAdmin).status == 401);
  auto answer = f.ask("GET", "/guest/v1/document", "", "guest-token");
  CHECK(answer.status == 200);
  auto document = guest::document_from_value(json_of(answer));
  REQUIRE(document);
  CHECK(document->instance_uid == "uid-1");
  CHECK(f.guests.asked_server == "trove-1-server-0-1");
  CHECK(f.ask("GET", "/guest/v1/document?after=newest", "", "guest-token").status == 204);
  CHECK(f.ask("GET", "/guest/v1/document?after=none", "", "guest-token").status == 404);
  CHECK(f.at("GET", "/volumes", "", "guest-token").status == 401);
}

TEST_CASE("a report is taken when it has the right shape") {
  Fixture f;
  guest::Report report;
  report.engine_state = "Running";
  std::string body = dump_json(guest::to_value(report));
  CHECK(f.ask("POST", "/guest/v1/report", body, kAdmin).status == 401);
  CHECK(f.ask("POST", "/guest/v1/report", body, "guest-token").status == 204);
  REQUIRE(f.guests.reports.size() == 1);
  CHECK(f.guests.reports[0].engine_state == "Running");
  CHECK(f.ask("POST", "/guest/v1/report", "{\"version\":1,\"restarts\":\"x\"}", "guest-token").status == 400);
  CHECK(f.ask("POST", "/guest/v1/report", "nonsense", "guest-token").status == 400);
  CHECK(f.ask("POST", "/guest/v1/report", '"' + std::string(2u << 20, 'x') + '"', "guest-token").status == 413);
  CHECK(f.guests.reports.size() == 1);
}

TEST_CASE("waiting requests are parked and uploads streamed") {
  Fixture f;
  auto route = [&](const char* method, const char* path, const char* watch = "") {
    http::Request request;
    request.method = method;
    request.path = path;
    if (*watch) request.query.emplace("watch", watch);
    return f.api->classify(request);
  };
  CHECK(route("GET", "/guest/v1/document").parks);
  CHECK(route("PUT", "/objects/p/1").streams_body);
  CHECK(route("GET", "/apis/trove/v1alpha1/projects/p/volumes", "true").parks);
  CHECK(route("GET", "/objects/p/1").parks);
  CHECK_FALSE(route("POST", "/guest/v1/report").parks);
  CHECK_FALSE(route("POST", "/apis/trove/v1alpha1/projects/p/apply").parks);
}

TEST_CASE("over a socket objects go up and down and a watch ends with the server") {
  Fixture f;
  auto server = http::Server::start(
      {}, [&](const http::Request& r) { return f.api->classify(r); },
      [&](const http::Request& r, const http::Read& read) { return f.api->handle(r, read); });
  REQUIRE(server);
  const std::string url = "http://127.0.0.1:" + std::to_string((*server)->port());
  auto client = http::Client::make({.base_url = url, .bearer_token = kMember});
  REQUIRE(client);

  http::Call up{.method = "PUT", .path = "/objects/shop/b1?expires=99&signature=good"};
  int pieces = 40;
  up.next_body = [&]() -> Result<std::string> { return pieces-- > 0 ? std::string(100'000, 'o') : std::string(); };
  auto stored = (*client)->call(up);
  REQUIRE(stored);
  CHECK(stored->status == 201);
  CHECK(f.object_store.stored["shop/b1"].size() == 4'000'000);
  auto down = (*client)->call({.path = "/objects/shop/b1?expires=99&signature=good"});
  REQUIRE(down);
  CHECK(down->body.size() == 4'000'000);
  auto denied = (*client)->call({.method = "PUT", .path = "/objects/shop/b2?expires=99&signature=bad", .body = "x"});
  REQUIRE(denied);
  CHECK(denied->status == 403);
  auto nobody = http::Client::make({.base_url = url});
  auto flood = (*nobody)->call(
      {.method = "POST", .path = "/apis/trove/v1alpha1/projects/shop/apply", .body = std::string(20u << 20, 'x')});
  REQUIRE(flood);
  CHECK(flood->status == 401);
  CHECK((*client)->call({.path = "/objects/shop/none?signature=good"})->status == 404);

  auto listed = (*client)->call({.path = "/apis/trove/v1alpha1/projects/shop/volumes?limit=5"});
  REQUIRE(listed);
  CHECK(listed->status == 200);

  std::atomic<int> seen{0};
  std::thread watcher([&] {
    auto mine = http::Client::make({.base_url = url, .bearer_token = kMember});
    (void)(*mine)->call(
        {.path = "/apis/trove/v1alpha1/projects/shop/volumes?watch=true", .on_data = [&](std::string_view) {
           ++seen;
           return true;
         }});
  });
  for (int i = 0; i < 200 && (*server)->open_connections() < 2; ++i) poll(nullptr, 0, 10);
  CHECK(f.apply(volume("v", 1)).status == 200);
  for (int i = 0; i < 300 && seen == 0; ++i) poll(nullptr, 0, 10);
  CHECK(seen > 0);
  (*server)->stop();
  watcher.join();
  CHECK((*server)->open_connections() == 0);
}
