#include <catch2/catch.hpp>
#include <hiredis/hiredis.h>
#include "providers/guest/engines/redis.hpp"
#include "tests/guest/bed.hpp"

namespace trove::guest {

namespace {

class Client {
 public:
  Client(const Document& at, const std::string& user, const std::string& password) {
    redis_ = redisConnectWithTimeout(at.address.c_str(), at.port, {5, 0});
    known_ = redis_ && !redis_->err && run({"AUTH", user, password}) == "OK";
  }
  ~Client() {
    if (redis_) redisFree(redis_);
  }
  explicit operator bool() const { return known_; }
  std::string run(const std::vector<std::string>& words) {
    std::vector<const char*> texts;
    std::vector<size_t> lengths;
    for (const auto& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(redis_, static_cast<int>(texts.size()), texts.data(), lengths.data()));
    if (!reply) return "broken";
    std::string text = reply->type == REDIS_REPLY_INTEGER ? std::to_string(reply->integer)
                       : reply->str                       ? std::string(reply->str, reply->len)
                       : reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str
                           ? std::string(reply->element[1]->str, reply->element[1]->len)
                           : "";
    freeReplyObject(reply);
    return text;
  }

 private:
  redisContext* redis_;
  bool known_ = false;
};

User user(const std::string& name, const std::string& password, std::vector<Grant> grants, bool superuser = false) {
  User u;
  u.name = name;
  u.verifier = redis_verifier(password);
  u.grants = std::move(grants);
  u.superuser = superuser;
  return u;
}

}  // namespace

TEST_CASE("Redis rules come from grants and nothing else gets in") {
  User u = user("u", "p", {});
  u.verifier = "ab";
  CHECK(*redis::acl_rules(u) == std::vector<std::string>{"reset", "on", "#ab", "~*", "&*", "+@all"});
  u.grants = {{{"+@read", "-keys"}, "orders:*", false}, {{"ALL"}, "tmp:*", false}};
  CHECK(*redis::acl_rules(u) == std::vector<std::string>{"reset", "on", "#ab", "~orders:*", "&orders:*", "+@read",
                                                         "-keys", "(~tmp:* &tmp:* +@all)"});
  for (const char* rule : {">password", "~*", "nopass", "SELECT", "+@read on", "#abc", "reset", "(+@all)"}) {
    u.grants = {{{rule}, "*", false}};
    CHECK_FALSE(redis::acl_rules(u));
  }
  u.grants = {{{"+get"}, "a b", false}};
  CHECK_FALSE(redis::acl_rules(u));
  CHECK(redis::same_value("64mb", "67108864"));
  CHECK(redis::same_value("1k", "1000"));
  CHECK_FALSE(redis::same_value("1k", "1024"));
  CHECK(redis::same_value("3600 1 300 100", "3600 1  300 100"));
}

TEST_CASE("Redis comes up with users and parameters and keeps its data over a kill and a restore") {
  Bed bed(Engine::redis);
  bed.document.users = {user("app", "a'\" b", {{{"+@all", "-flushall"}, "orders:*", false}}),
                        user("root", "r", {}, true)};
  bed.document.databases = {{"orders", "", "", "", Drift::correct}};
  bed.document.parameters = {{"maxmemory-policy", "allkeys-lru", Drift::correct},
                             {"databases", "4", Drift::correct},
                             {"client-output-buffer-limit", "pubsub 16mb 4mb 30", Drift::correct},
                             {"dir", "/etc", Drift::correct},
                             {"nonsense", "1", Drift::correct},
                             {"hz", "fast", Drift::correct}};
  REQUIRE(bed.settle());
  CHECK(bed.state_of_user("app") == "Applied");
  CHECK(bed.state_of_database("orders").rfind("Failed: Redis has no databases", 0) == 0);
  CHECK(bed.parameter("maxmemory-policy").state == "Applied");
  // Nobody was connected yet, so what needs a restart had it.
  CHECK(bed.parameter("databases").value == "4");
  CHECK_FALSE(bed.parameter("databases").pending_restart);
  CHECK(bed.parameter("client-output-buffer-limit").state == "Applied");
  CHECK(bed.parameter("dir").state == "Failed");
  CHECK(bed.parameter("nonsense").message == "unknown system variable");
  CHECK(bed.parameter("hz").state == "Failed");
  {
    Client app(bed.document, "app", "a'\" b");
    REQUIRE(app);
    CHECK(app.run({"SET", "orders:1", "one"}) == "OK");
    CHECK(app.run({"SET", "other:1", "one"}).rfind("NOPERM", 0) == 0);
    CHECK(app.run({"FLUSHALL"}).rfind("NOPERM", 0) == 0);
    CHECK_FALSE(Client(bed.document, "app", "wrong"));
    CHECK_FALSE(Client(bed.document, "default", ""));
    CHECK_FALSE(Client(bed.document, "trove-agent", ""));
  }
  Client root(bed.document, "root", "r");
  REQUIRE(root);
  CHECK(root.run({"CONFIG", "GET", "appendonly"}) == "yes");
  CHECK(root.run({"CONFIG", "GET", "maxmemory"}) == std::to_string(192 << 20));
  CHECK(root.run({"ACL", "DELUSER", "app"}) == "1");
  CHECK(bed.has_event("user app was dropped by someone; created again"));
  CHECK(root.run({"ACL", "SETUSER", "app", ">mine", "allkeys"}) == "OK");
  CHECK(bed.has_event("user app was changed by someone (grants, password); put back"));
  CHECK_FALSE(Client(bed.document, "app", "mine"));
  CHECK(root.run({"CONFIG", "SET", "maxmemory-policy", "noeviction"}) == "OK");
  CHECK(bed.has_event("parameter maxmemory-policy was set to noeviction by someone"));
  CHECK(root.run({"ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*"}) == "OK");
  bool shut = false;
  for (int i = 0; i < 200 && !shut; ++i) {
    usleep(50'000);
    shut = !Client(bed.document, "default", "");
  }
  CHECK(shut);

  // A kill loses nothing that was on disk, and users are there again.
  for (int i = 0; i < 1000; ++i) root.run({"SET", "orders:" + std::to_string(i), std::to_string(i * i)});
  CHECK(root.run({"CONFIG", "SET", "appendfsync", "always"}) == "OK");
  CHECK(root.run({"SET", "orders:last", "x"}) == "OK");
  kill(bed.engine_mark()->pid, SIGKILL);
  CHECK(bed.has_event("redis-server stopped unexpectedly; started again"));
  Client again(bed.document, "app", "a'\" b");
  REQUIRE(again);
  CHECK(again.run({"GET", "orders:999"}) == "998001");
  CHECK(again.run({"GET", "orders:last"}) == "x");

  bed.document.backups = {{"b1", "http://store/b1"}};
  REQUIRE(bed.settle());
  REQUIRE(bed.eventually([](const Report& r) { return !r.backups.empty() && r.backups[0].state == "Completed"; }));
  const BackupState taken = bed.plane.latest().backups[0];

  Bed target(Engine::redis);
  target.plane.put_object("http://store/b1", bed.plane.objects()["http://store/b1"]);
  target.document.restore = RestoreOrder{"b1", "http://store/b1", taken.sha256};
  target.document.users = {user("default", "d", {})};
  REQUIRE(target.settle());
  CHECK(target.plane.latest().restore_state == "Restored");
  Client restored(target.document, "default", "d");
  REQUIRE(restored);
  CHECK(restored.run({"DBSIZE"}) == "1001");
  CHECK(restored.run({"GET", "orders:31"}) == "961");
  CHECK(restored.run({"CONFIG", "GET", "appendonly"}) == "yes");
  CHECK(restored.run({"SET", "after", "restore"}) == "OK");
  target.document.restart = "again";
  REQUIRE(target.settle());
  Client after(target.document, "default", "d");
  CHECK(after.run({"GET", "after"}) == "restore");
  CHECK(after.run({"DBSIZE"}) == "1002");
  target.document.users = {};
  target.document.dropped_users = {{"default", ""}};
  REQUIRE(target.settle());
  CHECK_FALSE(Client(target.document, "default", "d"));
}

TEST_CASE("Redis never believes an append-only file from before it was switched off") {
  Bed bed(Engine::redis);
  bed.document.users = {user("root", "r", {}, true)};
  REQUIRE(bed.settle());
  REQUIRE(Client(bed.document, "root", "r").run({"SET", "logged", "1"}) == "OK");
  bed.document.parameters = {{"appendonly", "no", Drift::correct}};
  REQUIRE(bed.settle());
  {
    Client root(bed.document, "root", "r");
    REQUIRE(root.run({"CONFIG", "GET", "appendonly"}) == "no");
    REQUIRE(root.run({"SET", "dumped", "2"}) == "OK");
    bool saved = false;
    for (int i = 0; i < 200 && !saved; ++i) {   // one may be under way
      saved = root.run({"SAVE"}) == "OK";
      if (!saved) usleep(50'000);
    }
    REQUIRE(saved);
  }
  // The server dies and another takes the volume, with nothing but the document to go by.
  bed.stop_agent();
  REQUIRE(end_process(*bed.engine_mark(), SIGKILL, Millis{10'000}, nullptr));
  remove_tree(bed.server_dir() + "/run");
  bed.document.parameters = {};
  REQUIRE(bed.settle());
  Client root(bed.document, "root", "r");
  CHECK(root.run({"GET", "logged"}) == "1");
  CHECK(root.run({"GET", "dumped"}) == "2");
  CHECK(root.run({"CONFIG", "GET", "appendonly"}) == "yes");
  bool fresh = false;
  for (int i = 0; i < 400 && !fresh; ++i) {
    usleep(50'000);
    fresh = !exists(bed.data_dir() + "/trove-no-aof");
  }
  CHECK(fresh);
}

}  // namespace trove::guest
