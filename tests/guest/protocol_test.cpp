#include <catch2/catch.hpp>
#include "providers/guest/protocol.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

Document full_document() {
  Document d;
  d.engine = Engine::postgresql;
  d.instance_uid = "uid";
  d.address = "10.0.0.5";
  d.port = 5432;
  d.allowed_cidrs = {"10.0.0.0/8"};
  d.memory_mib = 2048;
  d.volume_gib = 20;
  d.parameters = {{"work_mem", "4MB", Drift::report}};
  d.reset_parameters = {"old"};
  d.restart = "op";
  d.databases = {{"orders", "UTF8", "C", "owner", Drift::ignore}};
  d.users = {{"app", "%", "*ABC", {{{"SELECT", "INSERT"}, "orders.*", true}}, 7, true, Drift::correct}};
  d.dropped_databases = {"gone"};
  d.dropped_users = {{"u", "h"}};
  d.backups = {{"b", "http://x/y?z=1"}};
  d.backups.push_back({"c", "http://x/c?z=1", int64_t{1} << 30, "http://x/c.?z=1"});
  d.restore = RestoreOrder{"r", "http://x", "00ff", 3, "http://x."};
  d.suspended = true;
  return d;
}
Report full_report() {
  Report r;
  r.cuts_backups = true;
  r.document_digest = "d";
  r.engine_state = "Running";
  r.engine_message = "m";
  r.engine_version = "15.3";
  r.engine_started = Time{1'790'000'000'123};
  r.applied_restart = "op";
  r.applied_memory_mib = 512;
  r.volume_used_bytes = 1;
  r.volume_total_bytes = int64_t{1} << 40;
  r.restarts = 3;
  r.databases = {{"orders", "", "Applied", ""}};
  r.users = {{"app", "%", "Drifted", "why"}};
  r.parameters = {{"work_mem", "4MB", true, "Pending", "m"}};
  r.backups = {{"b", "Completed", "00", 9, 4, Time{1}, Time{2}, ""}};
  r.restore_state = "Restored";
  r.restore_message = "x";
  r.events = {"something happened"};
  return r;
}
template <class T>
Value through_json(const T& t) {
  return *parse_json(dump_json(to_value(t)));
}

}  // namespace

TEST_CASE("documents and reports survive JSON") {
  CHECK(*document_from_value(through_json(full_document())) == full_document());
  CHECK(*document_from_value(through_json(Document{})) == Document{});
  CHECK(*report_from_value(through_json(full_report())) == full_report());
  CHECK(*report_from_value(through_json(Report{})) == Report{});
}

TEST_CASE("a digest is of what a document says") {
  CHECK(digest(full_document()) == digest(*document_from_value(through_json(full_document()))));
  Document other = full_document();
  other.users[0].grants[0].with_grant_option = false;
  CHECK(digest(other) != digest(full_document()));
  CHECK(digest(other).size() == 64);
}

TEST_CASE("what an earlier release says and hears is as it was") {
  Document d;
  d.backups = {{"b", "http://x/y?z=1"}};
  d.restore = RestoreOrder{"r", "http://x", "00ff"};
  const Value v = to_value(d);
  CHECK(v["backups"].items()[0].members().size() == 2);
  CHECK(v["restore"].members().size() == 3);
  Value report = to_value(full_report());
  report.set("cutsBackups", Value());
  report.set("backups", Value::list({Value::map({{"id", "b"}, {"state", "Completed"}, {"bytes", 9}})}));
  const auto read = report_from_value(report);
  REQUIRE(read);
  CHECK_FALSE(read->cuts_backups);
  CHECK(read->backups[0].segments == 1);
}

TEST_CASE("segments lie beside the object whose backup they are of") {
  CHECK(segment_url("http://s/c/p/b.?sig=1&t=2", 1) == "http://s/c/p/b.00001?sig=1&t=2");
  CHECK(segment_url("p/b.", kMostSegments - 1) == "p/b.09999");
  CHECK(backup_key("p/b.09999") == "p/b");
  CHECK(backup_uid("p/b.00001") == "b");
  for (const char* key : {"p/b", "p/b.1", "p/b.0000a", "p/b.000001", "p/b00001", "b", "", ".0001"}) {
    INFO(key);
    CHECK(backup_key(key) == key);
  }
  CHECK(backup_uid("p/b") == "b");
}

TEST_CASE("reading is strict about versions, types, words and bounds") {
  const auto refuses_document = [](const char* path, Value value) {
    Value v = to_value(full_document());
    v.set(path, std::move(value));
    const auto read = document_from_value(v);
    INFO(path);
    CHECK_FALSE(read);
    if (!read) CHECK(read.error().code == Code::invalid);
  };
  refuses_document("version", 2);
  refuses_document("version", Value());
  refuses_document("version", "1");
  refuses_document("engine", "oracle");
  refuses_document("port", 65536);
  refuses_document("port", -1);
  refuses_document("port", 1.5);
  refuses_document("address", 7);
  refuses_document("address", std::string("a\0b", 3));
  refuses_document("suspended", "yes");
  refuses_document("users", Value::map());
  refuses_document("users", Value::list({Value("text")}));
  refuses_document("databases", Value::list({Value::map({{"name", 1}})}));
  refuses_document("databases", Value::list({Value::map({{"name", "a"}, {"drift", "Maybe"}})}));
  refuses_document("restart", std::string(70'000, 'x'));
  refuses_document("restore", "now");
  refuses_document("droppedUsers", Value::list({Value("u")}));

  const auto refuses_report = [](const char* path, Value value) {
    Value v = to_value(full_report());
    v.set(path, std::move(value));
    INFO(path);
    CHECK_FALSE(report_from_value(v));
  };
  refuses_report("version", 0);
  refuses_report("engineState", "Fine");
  refuses_report("engineStarted", "yesterday");
  refuses_report("restarts", -1);
  refuses_report("restarts", int64_t{1} << 40);
  refuses_report("volumeUsedBytes", -5);
  refuses_report("restoreState", "Perhaps");
  refuses_report("users", Value::list({Value::map({{"name", "a"}, {"state", "Great"}})}));
  refuses_report("backups", Value::list({Value::map({{"id", "a"}, {"state", "Running"}, {"bytes", "1"}})}));
  refuses_report("backups", Value::list({Value::map({{"id", "a"}, {"state", "Running"}, {"segments", 10'001}})}));
  refuses_report("cutsBackups", 1);
  refuses_report("events", Value::list({Value(1)}));
  refuses_report("events", Value::list(Value::List(20'001, Value("x"))));
  CHECK_FALSE(document_from_value(Value("text")));
  CHECK_FALSE(report_from_value(Value()));
}

TEST_CASE("verifiers are what the engines compute") {
  // MariaDB: SELECT PASSWORD('password'). Redis: ACL GETUSER after '>foo'.
  CHECK(mariadb_verifier("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
  CHECK(mariadb_verifier("") == "*BE1BDEC0AA74B4DCB079943E70528096CCA985F8");
  CHECK(redis_verifier("foo") == "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
  // RFC 7677: user "user", password "pencil".
  std::string salt;
  REQUIRE(from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", salt));
  CHECK(postgresql_verifier("pencil", salt) ==
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

}  // namespace trove::guest
