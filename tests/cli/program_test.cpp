// The program as a whole: its real parser of flags, and the support that the other files use.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#define main trovectl_main
#include "cli/main.cpp"
#undef main
#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {

Parser real_parser() { return parse_flags; }

CannedServer::CannedServer() {
  auto started = http::Server::start(
      {}, [](const http::Request& r) { return http::Route{r.parameter("watch") == "true", false}; },
      [this](const http::Request& r, const http::Read&) { return answer(r); });
  TROVE_CHECK(started.has_value());
  server_ = std::move(*started);
}
void CannedServer::on(const std::string& method, const std::string& path, int status, const std::string& body) {
  std::lock_guard lock(mutex_);
  answers_[method + " " + path].emplace_back(status, body);
}
void CannedServer::on_watch(const std::string& path, std::vector<std::string> lines) {
  std::lock_guard lock(mutex_);
  watches_[path] = std::move(lines);
}
std::string CannedServer::url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
std::vector<std::string> CannedServer::requests() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto& [line, body] : seen_) lines.push_back(line);
  return lines;
}
std::string CannedServer::body_of(const std::string& method_and_path) const {
  std::lock_guard lock(mutex_);
  for (const auto& [line, body] : seen_) {
    if (line.substr(0, line.find('?')) == method_and_path) return body;
  }
  return "";
}
std::string CannedServer::token_seen() const {
  std::lock_guard lock(mutex_);
  return token_;
}
http::Response CannedServer::answer(const http::Request& request) {
  std::lock_guard lock(mutex_);
  std::string query;
  for (const auto& [name, value] : request.query) query += (query.empty() ? "?" : "&") + name + "=" + value;
  seen_.emplace_back(request.method + " " + request.path + query, request.body);
  token_ = request.header("authorization");
  http::Response response;
  if (request.parameter("watch") == "true") {
    auto it = watches_.find(request.path);
    std::vector<std::string> lines = it == watches_.end() ? std::vector<std::string>{} : it->second;
    if (it != watches_.end()) it->second.clear();   // said once; a second watch has no news
    response.stream = [this, lines](const http::Write& write) {
      for (const std::string& line : lines) {
        if (!write(line + "\n")) return;
      }
      // Blank lines keep it open and notice when the client leaves.
      std::mutex mutex;
      std::condition_variable never;
      std::unique_lock waiting(mutex);
      while (!server_->stopping() && write("\n")) never.wait_for(waiting, Millis{20});
    };
    return response;
  }
  auto it = answers_.find(request.method + " " + request.path);
  if (it == answers_.end()) {
    response.status = 404;
    response.content_type = "application/problem+json";
    response.body = R"({"title":"Not Found","status":404,"code":"NOT_FOUND","actor":"User","detail":"no such thing"})";
    return response;
  }
  response.status = it->second.front().first;
  response.body = it->second.front().second;
  if (it->second.size() > 1) it->second.erase(it->second.begin());
  return response;
}

namespace {
// A fixed "now" for ages; real time for waits.
class TestClock final : public Clock {
 public:
  Time wall() const override { return *parse_time("2026-10-01T12:00:00Z"); }
  Millis monotonic() const override { return real_.monotonic(); }

 private:
  RealClock real_;
};

// Presses Ctrl-C when a text has been printed, so that no test has to guess how long that takes.
class WatchedBuffer final : public std::stringbuf {
 public:
  WatchedBuffer(std::string needle, Interrupt& interrupt) : needle_(std::move(needle)), interrupt_(interrupt) {}

 private:
  int sync() override {
    if (!needle_.empty() && str().find(needle_) != std::string::npos) interrupt_.raise();
    return 0;
  }
  const std::string needle_;
  Interrupt& interrupt_;
};
}  // namespace

Ran trovectl(std::vector<std::string> words, const Given& given) {
  Ran ran;
  Interrupt interrupt;
  WatchedBuffer out_buffer(given.interrupt_at, interrupt), err_buffer(given.interrupt_at, interrupt);
  std::ostream out(&out_buffer), err(&err_buffer);
  std::istringstream in(given.in);
  TestClock clock;
  std::map<std::string, std::string> env = given.env;
  if (given.server) env.emplace("TROVE_SERVER_URL", given.server->url());
  {
    Context context(out, err, in, clock, interrupt, [env](const std::string& name) {
      auto it = env.find(name);
      return it == env.end() ? std::string() : it->second;
    });
    context.in_tty = context.out_tty = context.err_tty = given.tty;
    context.exec = [&](const std::vector<std::string>& argv, const std::vector<std::string>& extra) -> Result<int> {
      ran.executed = argv;
      ran.executed_env = extra;
      return 0;
    };
    ran.status = run(context, std::move(words), parse_flags);
  }
  ran.out = out_buffer.str();
  ran.err = err_buffer.str();
  return ran;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool same_as_golden(const std::string& name, const std::string& text) {
  std::string path = std::string(TROVE_SOURCE_DIR) + "/tests/golden/cli/" + name;
  if (std::getenv("TROVE_UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << text;
  std::string wanted = read_file(path);
  if (wanted == text) return true;
  UNSCOPED_INFO("golden " << name << "\n--- wanted\n" << wanted << "--- got\n" << text);
  return false;
}

namespace {
std::string made_folder() {
  char pattern[] = "/tmp/trove-cli-XXXXXX";
  TROVE_CHECK(::mkdtemp(pattern) != nullptr);
  return pattern;
}
}  // namespace
TempFolder::TempFolder() : path(made_folder()) {}
TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}
std::string TempFolder::write(const std::string& name, const std::string& text) const {
  std::string full = path + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(full).parent_path());
  std::ofstream(full, std::ios::binary) << text;
  return full;
}

std::string list(const std::vector<std::string>& items, int revision) {
  std::string text = R"({"kind":"List","revision":)" + std::to_string(revision) + R"(,"continue":"","items":[)";
  for (size_t i = 0; i < items.size(); ++i) text += (i ? "," : "") + items[i];
  return text + "]}";
}

void serve(CannedServer& server, const std::vector<std::string>& objects) {
  for (const Kind& kind : all_kinds()) {
    std::vector<std::string> items;
    for (const std::string& object : objects) {
      auto value = parse_json(object);
      TROVE_CHECK(value.has_value());
      if ((*value)["kind"].text() != kind.name) continue;
      items.push_back(object);
      server.on("GET", kBase + "/" + std::string(kind.plural) + "/" + value->at_path("metadata.name").text(), 200,
                object);
    }
    server.on("GET", kBase + "/" + std::string(kind.plural), 200, list(items));
  }
}

const std::string kOrdersInstance = R"({"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance",
 "metadata":{"name":"orders-db","project":"default","uid":"u-1","generation":3,"resourceVersion":"41",
  "creationTimestamp":"2026-08-21T12:00:00Z","labels":{"app":"shop"}},
 "spec":{"datastore":{"type":"mariadb","version":"10.11"},"flavor":"db.tiny","volume":{"size":100},
  "configurationRef":{"name":"oltp"},"deletionProtection":true},
 "status":{"phase":"HEALTHY","observedGeneration":3,"datastore":{"resolved":"10.11.14"},
  "endpoints":{"primary":"127.77.1.2:3306"},"volume":{"size":100,"usedPercent":61},
  "members":[{"name":"orders-db-0","role":"Primary","server":"s-1","volume":"v-1","port":"p-1","address":"127.77.1.2",
   "health":"HEALTHY","serverStatus":"ACTIVE"}],"pendingRestart":[],
  "conditions":[
   {"type":"Ready","status":"True","reason":"Available","lastTransitionTime":"2026-09-30T12:00:00Z","observedGeneration":3},
   {"type":"Synced","status":"True","reason":"Available","lastTransitionTime":"2026-09-30T12:00:00Z","observedGeneration":3},
   {"type":"Drifted","status":"False","reason":"NoDrift","lastTransitionTime":"2026-09-30T12:00:00Z","observedGeneration":3}]}})";
const std::string kCrmInstance = R"({"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance",
 "metadata":{"name":"crm-db","project":"default","uid":"u-2","generation":3,"resourceVersion":"52",
  "creationTimestamp":"2026-09-22T12:00:00Z"},
 "spec":{"datastore":{"type":"postgresql"},"flavor":"db.small","volumeRef":{"name":"crm-data"}},
 "status":{"phase":"RESIZE","observedGeneration":3,
  "conditions":[
   {"type":"Ready","status":"False","reason":"Progressing","message":"no server yet","lastTransitionTime":"2026-10-01T11:46:00Z","observedGeneration":3},
   {"type":"Progressing","status":"True","reason":"TransientError","message":"waiting for a host that fits db.small","lastTransitionTime":"2026-10-01T11:46:00Z","observedGeneration":3},
   {"type":"Stalled","status":"False","reason":"AsExpected","observedGeneration":3}],
  "lastError":{"code":"CLOUD_CAPACITY","actor":"CloudOperator","message":"No valid host was found","since":"2026-10-01T11:46:00Z",
   "nextRetry":"2026-10-01T12:04:00Z"}}})";
const std::string kOrdersDatabase = R"({"apiVersion":"trove/v1alpha1","kind":"Database",
 "metadata":{"name":"orders","project":"default","uid":"u-3","generation":1,"resourceVersion":"43","creationTimestamp":"2026-09-30T12:00:00Z"},
 "spec":{"instanceRef":{"name":"orders-db"}},
 "status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":"Available","observedGeneration":1}]}})";
const std::string kOrdersUser = R"({"apiVersion":"trove/v1alpha1","kind":"User",
 "metadata":{"name":"orders-app","project":"default","uid":"u-4","generation":1,"resourceVersion":"44","creationTimestamp":"2026-09-30T12:00:00Z"},
 "spec":{"instanceRef":{"name":"orders-db"},"name":"orders_app","password":{"generate":{}},
  "grants":[{"privileges":["SELECT"],"on":"orders.*"}]},
 "status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":"Available","observedGeneration":1}]}})";
const std::string kWaitingDatabase = R"({"apiVersion":"trove/v1alpha1","kind":"Database",
 "metadata":{"name":"crm","project":"default","uid":"u-5","generation":1,"resourceVersion":"53","creationTimestamp":"2026-09-30T12:00:00Z"},
 "spec":{"instanceRef":{"name":"crm-db"}},
 "status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"False","reason":"WaitingForDependency",
  "message":"waits for databaseinstance/crm-db","lastTransitionTime":"2026-10-01T11:50:00Z","observedGeneration":1}]}})";
const std::string kNightly = R"({"apiVersion":"trove/v1alpha1","kind":"BackupSchedule",
 "metadata":{"name":"orders-nightly","project":"default","uid":"u-6","generation":1,"resourceVersion":"45","creationTimestamp":"2026-09-30T12:00:00Z"},
 "spec":{"instanceRef":{"name":"orders-db"},"schedule":"15 2 * * *","timeZone":"Europe/Berlin"},
 "status":{"nextRun":"2026-10-02T00:15:00Z","lastRun":"2026-10-01T00:15:00Z","observedGeneration":1,
  "conditions":[{"type":"Ready","status":"True","reason":"Available","observedGeneration":1}]}})";
const std::string kVolume = R"({"apiVersion":"trove/v1alpha1","kind":"Volume",
 "metadata":{"name":"crm-data","project":"default","uid":"u-7","generation":1,"resourceVersion":"46","creationTimestamp":"2026-09-30T12:00:00Z"},
 "spec":{"size":20},"status":{"size":20,"id":"b77","attachedTo":"crm-db-0","observedGeneration":1,
  "conditions":[{"type":"Ready","status":"True","reason":"Available","observedGeneration":1}]}})";

TEST_CASE("a misspelt command names the right one") {
  Ran ran = trovectl({"aply", "-f", "x.yaml"});
  CHECK(ran.status == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("Did you mean \"apply\"?") != std::string::npos);
}

TEST_CASE("a misspelt flag names the right one") {
  Ran ran = trovectl({"get", "inst", "--outptu", "json"});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("Did you mean --output?") != std::string::npos);
}

TEST_CASE("a misspelt kind names the right one") {
  Ran ran = trovectl({"get", "databses"});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("Did you mean \"databases\"?") != std::string::npos);
}

TEST_CASE("a two word command that is half typed shows its family") {
  Ran ran = trovectl({"config"});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("trovectl config view") != std::string::npos);
  CHECK(ran.err.find("trovectl config set") != std::string::npos);
}

TEST_CASE("a single value flag given twice is refused") {
  Ran ran = trovectl({"get", "inst", "-o", "json", "-o", "yaml"});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("--output") != std::string::npos);
}

TEST_CASE("a flag without its value is refused") {
  Ran ran = trovectl({"get", "inst", "-o"});
  CHECK(ran.status == 2);
  CHECK(!ran.err.empty());
}

TEST_CASE("the help lists every command and goes to stdout") {
  Ran ran = trovectl({"help"});
  CHECK(ran.status == 0);
  CHECK(ran.err.empty());
  CHECK(same_as_golden("help.txt", ran.out));
}

TEST_CASE("each command explains itself") {
  std::string all;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    std::vector<std::string> words;
    std::istringstream name{std::string(command.name)};
    for (std::string word; name >> word;) words.push_back(word);
    words.push_back("--help");
    Ran ran = trovectl(words);
    CHECK(ran.status == 0);
    all += "$ trovectl " + std::string(command.name) + " --help\n" + ran.out + "\n";
  }
  CHECK(same_as_golden("help-commands.txt", all));
}

TEST_CASE("no command at all is a usage error with the help on stderr") {
  Ran ran = trovectl({});
  CHECK(ran.status == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("Usage:") != std::string::npos);
}

}  // namespace trove::cli::test
