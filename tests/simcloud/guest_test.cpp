// A simulated guest does what trove-guest does, in its own time.
#include "bed.hpp"

using namespace trove;
using Catch::Contains;

namespace {

struct GuestBed : SimBed {
  explicit GuestBed(SimGuestOptions guest_options = {}) : ids(ready()), guest(ids.server, guest_options) {
    document.instance_uid = "uid-1";
    document.address = "10.77.0.10";
    document.port = 3306;
    document.memory_mib = 512;
    document.volume_gib = 2;
  }
  // Steps until `ms` have passed, as a simulation's clock would; keeps what was said.
  void run(int64_t ms) { run(guest, ms); }
  void run(SimGuest& which, int64_t ms) {
    const Millis end = clock.monotonic() + Millis{ms};
    for (int steps = 0; steps < 10'000; ++steps) {
      if (auto said = which.step(cloud, clock, rng)) {
        last = *said;
        ++reports;
        for (const auto& event : said->events) events.push_back(event);
        if (states.empty() || states.back() != said->engine_state) states.push_back(said->engine_state);
      }
      if (clock.monotonic() >= end) return;
      Millis wait = which.next_change(clock).value_or(end - clock.monotonic());
      if (const auto change = cloud.next_change()) wait = std::min(wait, *change);
      clock.advance(std::clamp(wait, Millis{1}, end - clock.monotonic()));
    }
    FAIL("the guest never rests");
  }
  void tell() { guest.take(document); }
  SimDisk& disk() { return cloud.disks.at(ids.volume); }

  Ids ids;
  SimGuest guest;
  guest::Document document;
  guest::Report last;
  std::vector<std::string> states, events;
  int reports = 0;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a guest without a document says nothing and one with a document comes up in steps") {
  GuestBed bed;
  bed.run(60'000);
  CHECK(bed.reports == 0);
  bed.document.databases = {{"orders", "", "", "", Drift::correct}};
  bed.document.users = {{"app", "%", "*AB", {}, 0, false, Drift::correct}};
  bed.document.restart = "word-1";
  bed.tell();
  bed.run(1'000);
  CHECK(bed.last.engine_state == "Initialising");
  CHECK(bed.last.document_digest.empty());
  bed.run(1'500);
  CHECK(bed.last.engine_state == "Starting");
  bed.run(1'000);
  CHECK(bed.states == Words{"Initialising", "Starting", "Running"});
  CHECK(bed.last.document_digest == guest::digest(bed.document));
  CHECK(bed.last.applied_restart == "word-1");
  CHECK(bed.last.applied_memory_mib == 512);
  CHECK(bed.last.engine_version == "10.11.11");
  CHECK(bed.last.databases == std::vector<guest::ItemState>{{"orders", "", "Applied", ""}});
  CHECK(bed.last.users == std::vector<guest::ItemState>{{"app", "%", "Applied", ""}});
  CHECK(bed.last.volume_total_bytes == int64_t{2} << 30);
  CHECK(bed.disk().mark == "uid-1");
  CHECK(bed.disk().contains("orders"));
  CHECK(bed.disk().restart == "word-1");
}

TEST_CASE("the digest is said only when everything in the document was worked through") {
  GuestBed bed;
  bed.tell();
  bed.run(60'000);
  const std::string before = bed.last.document_digest;
  bed.document.databases = {{"orders", "", "", "", Drift::correct}};
  bed.tell();
  bed.run(50);
  CHECK(bed.last.document_digest == before);
  CHECK_FALSE(bed.disk().contains("orders"));
  bed.run(100);
  CHECK(bed.last.document_digest == guest::digest(bed.document));
  CHECK(bed.guest.document_digest() == guest::digest(bed.document));
  CHECK(bed.disk().contains("orders"));
}

TEST_CASE("a quiet guest says only its heartbeats") {
  GuestBed bed;
  bed.tell();
  bed.run(60'000);
  const int before = bed.reports;
  bed.run(100'000);
  CHECK(bed.reports - before == 5);
}

TEST_CASE("a restart word and another address restart the engine once") {
  GuestBed bed;
  bed.tell();
  bed.run(60'000);
  bed.document.restart = "word-2";
  bed.document.memory_mib = 1024;
  bed.states.clear();
  bed.tell();
  bed.run(60'000);
  CHECK(bed.states == Words{"Starting", "Running"});
  CHECK(bed.last.applied_restart == "word-2");
  CHECK(bed.last.applied_memory_mib == 1024);
  CHECK(bed.last.restarts == 1);
  bed.document.address = "10.77.0.99";
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.restarts == 2);
}

TEST_CASE("another flavor alone restarts nothing") {
  GuestBed bed;
  bed.tell();
  bed.run(60'000);
  bed.document.memory_mib = 1024;
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.applied_memory_mib == 512);
  CHECK(bed.last.restarts == 0);
  CHECK(bed.last.document_digest == guest::digest(bed.document));
}

TEST_CASE("a parameter that needs a restart waits for one but for the first settling") {
  GuestBed bed;
  bed.document.parameters = {{"max_connections", "50", Drift::correct}, {"innodb_buffer_pool_instances", "1"}};
  bed.document.parameters[1] = {"innodb_log_file_size", "64M", Drift::correct};
  bed.tell();
  bed.run(60'000);
  REQUIRE(bed.last.parameters.size() == 2);
  for (const auto& p : bed.last.parameters) {
    CHECK(p.state == "Applied");
    CHECK_FALSE(p.pending_restart);
  }
  const int restarts = bed.last.restarts;
  bed.document.parameters = {{"max_connections", "60", Drift::correct}, {"performance_schema", "ON", Drift::correct}};
  bed.document.reset_parameters = {"innodb_log_file_size"};
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.document_digest == guest::digest(bed.document));
  REQUIRE(bed.last.parameters.size() >= 2);
  CHECK(bed.last.parameters[0].value == "60");
  CHECK(bed.last.parameters[1].state == "Pending");
  CHECK(bed.last.parameters[1].pending_restart);
  CHECK(bed.last.restarts == restarts);
  CHECK_FALSE(bed.disk().parameters.contains("performance_schema"));
  bed.document.restart = "now";
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.parameters[1].state == "Applied");
  CHECK(bed.disk().parameters ==
        std::map<std::string, std::string>{{"max_connections", "60"}, {"performance_schema", "ON"}});
}

TEST_CASE("what the engine refuses is Failed and holds up nothing else") {
  SimGuestOptions options;
  options.refused = {"user app@%", "max_connections"};
  GuestBed bed(options);
  bed.document.users = {{"app", "%", "*AB"}, {"other", "%", "*CD"}};
  bed.document.parameters = {{"max_connections", "50"}, {"wait_timeout", "60"}};
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.users[0].state == "Failed");
  CHECK(bed.last.users[1].state == "Applied");
  CHECK(bed.last.parameters[0].state == "Failed");
  CHECK(bed.last.parameters[1].state == "Applied");
  CHECK(bed.last.document_digest == guest::digest(bed.document));
}

TEST_CASE("only what the document names as dropped is dropped") {
  GuestBed bed;
  bed.document.databases = {{"a"}, {"b"}, {"c"}};
  bed.document.users = {{"u", "%", "*AB"}};
  bed.tell();
  bed.run(60'000);
  bed.document.databases = {{"c"}};
  bed.document.users.clear();
  bed.document.dropped_databases = {"b", "c"};
  bed.document.dropped_users = {{"u", "%"}};
  bed.tell();
  bed.run(60'000);
  CHECK(bed.disk().contains("a"));
  CHECK_FALSE(bed.disk().contains("b"));
  CHECK(bed.disk().contains("c"));
  CHECK(bed.disk().users.empty());
  REQUIRE(bed.last.databases.size() == 3);
  CHECK(bed.last.databases[1] == guest::ItemState{"b", "", "Dropped", ""});
  CHECK(bed.last.databases[2].state == "Failed");
  CHECK(bed.last.users == std::vector<guest::ItemState>{{"u", "%", "Dropped", ""}});
}

TEST_CASE("drift is repaired or reported or left alone") {
  struct Row {
    Drift drift;
    const char* state;
    bool back;
  };
  for (const Row& row : {Row{Drift::correct, "Applied", true}, Row{Drift::report, "Drifted", false},
                         Row{Drift::ignore, "Applied", false}}) {
    GuestBed bed;
    bed.document.databases = {{"orders", "", "", "", row.drift}};
    bed.document.parameters = {{"max_connections", "50", row.drift}};
    bed.tell();
    bed.run(60'000);
    REQUIRE(bed.guest.drop_behind(bed.cloud, "orders"));
    REQUIRE(bed.guest.set_behind("max_connections", "9"));
    bed.events.clear();
    bed.run(10'000);
    // The policy is asked at the next pass; a restart of the agent's work is one.
    bed.document.volume_gib = 3;
    bed.tell();
    bed.run(10'000);
    CHECK(bed.last.databases[0].state == row.state);
    CHECK(bed.last.parameters[0].state == row.state);
    CHECK(bed.disk().contains("orders") == row.back);
    CHECK((bed.last.parameters[0].value == "50") == row.back);
    CHECK(bed.events.size() == (row.back ? 2u : 0u));
  }
}

TEST_CASE("a suspended document changes nothing and the engine stays up") {
  GuestBed bed;
  bed.document.databases = {{"a"}};
  bed.tell();
  bed.run(60'000);
  const SimDisk before = bed.disk();
  bed.document.suspended = true;
  bed.document.databases = {{"b"}};
  bed.document.dropped_databases = {"a"};
  bed.document.restart = "later";
  bed.document.backups = {{"b1", "/objects/p/b1"}};
  bed.document.parameters = {{"max_connections", "50"}};
  bed.tell();
  bed.run(60'000);
  CHECK(bed.disk() == before);
  CHECK(bed.last.engine_state == "Running");
  CHECK(bed.last.restarts == 0);
  CHECK(bed.last.databases[0].state == "Pending");
  CHECK(bed.last.document_digest == guest::digest(bed.document));
}

TEST_CASE("a backup holds what was there when it began and a restore brings exactly that back") {
  GuestBed bed;
  bed.document.databases = {{"orders"}, {"audit"}};
  bed.document.users = {{"app", "%", "*AB"}};
  bed.tell();
  bed.run(60'000);
  REQUIRE(bed.guest.write(bed.cloud, "orders", 1'000));
  bed.document.backups = {{"b1", "/objects/p/b1?expires=99999999999"}, {"b2", "/objects/p/b2"}};
  bed.tell();
  bed.run(500);
  REQUIRE(bed.last.backups.size() == 1);
  CHECK(bed.last.backups[0].state == "Running");
  CHECK(bed.cloud.objects().empty());
  const SimDisk then = bed.disk();
  REQUIRE(bed.guest.write(bed.cloud, "orders", 500));
  bed.run(10'000);
  REQUIRE(bed.last.backups.size() == 2);
  const guest::BackupState b1 = bed.last.backups[0], b2 = bed.last.backups[1];
  CHECK(b1.state == "Completed");
  CHECK(b1.bytes == bed.cloud.objects().at("p/b1").bytes);
  CHECK(b1.finished - b1.started >= Millis{2'000});
  CHECK(b1.sha256 != b2.sha256);
  const int64_t position = bed.disk().position;
  CHECK(position > then.position);

  // Another instance, restored.
  const std::string port = bed.port(2)->id, volume = bed.volume(2, 2)->id;
  bed.pass(1'000);
  const std::string server = bed.server(port, volume, 2)->id;
  bed.pass(10'000);
  SimGuest other(server);
  guest::Document document = bed.document;
  document.instance_uid = "uid-2";
  document.backups.clear();
  document.restore = guest::RestoreOrder{"r1", "/objects/p/b1", b1.sha256};
  other.take(document);
  bed.states.clear();
  bed.run(other, 60'000);
  CHECK(bed.states == Words{"Restoring", "Starting", "Running"});
  CHECK(bed.last.restore_state == "Restored");
  const SimDisk& restored = bed.cloud.disks.at(volume);
  CHECK(restored.databases == then.databases);
  CHECK(restored.users == then.users);
  CHECK(restored.restored_from == "r1");
  CHECK(restored.mark == "uid-2");
}

TEST_CASE("a restore never touches data that are there") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  bed.cloud.store("p/b9", backup_of(SimDisk{}));
  bed.document.restore = guest::RestoreOrder{"r9", "/objects/p/b9", content_digest(SimDisk{})};
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.restore_state == "Failed");
  CHECK_THAT(bed.last.restore_message, Contains("held data already"));
  CHECK(bed.disk().contains("orders"));
  CHECK(bed.last.engine_state == "Running");
}

TEST_CASE("a restore fails when the object is missing or another or its URL is over") {
  SimDisk content;
  content.engine = "mariadb";
  content.databases["orders"] = 3;
  const std::string good = backup_of(content).sha256;
  struct Row {
    const char* url;
    std::string sha256;
    const char* words;
  };
  for (const Row& row :
       {Row{"/objects/p/none", good, "no such object"}, Row{"/objects/p/b1", std::string(64, '0'), "checksum"},
        Row{"/objects/p/b1?expires=1000&signature=x", good, "expired"}}) {
    GuestBed bed;
    bed.cloud.store("p/b1", backup_of(content));
    bed.document.restore = guest::RestoreOrder{"r1", row.url, row.sha256};
    bed.tell();
    bed.run(60'000);
    CHECK(bed.last.engine_state == "Failed");
    CHECK(bed.last.restore_state == "Failed");
    CHECK_THAT(bed.last.restore_message, Contains(row.words));
    CHECK_FALSE(bed.disk().initialised);
    bed.document.restore = guest::RestoreOrder{"r1", "/objects/p/b1", good};
    bed.tell();
    bed.run(60'000);
    CHECK(bed.last.restore_state == "Restored");
    CHECK(bed.disk().databases.at("orders") == 3);
  }
}

TEST_CASE("a backup that fails three times is Failed and one whose URL is over at once") {
  SimGuestOptions options;
  options.backup_error = 1000;
  GuestBed bed(options);
  bed.document.backups = {{"b1", "/objects/p/b1"}, {"b2", "/objects/p/b2?expires=1000"}};
  bed.tell();
  bed.run(120'000);
  REQUIRE(bed.last.backups.size() == 2);
  CHECK(bed.last.backups[0].state == "Failed");
  CHECK(bed.last.backups[1].state == "Failed");
  CHECK_THAT(bed.last.backups[1].message, Contains("expired"));
  CHECK(bed.cloud.objects().empty());
}

TEST_CASE("an engine that is killed comes back with its data and says so") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  REQUIRE(bed.guest.write(bed.cloud, "orders", 10));
  bed.guest.kill_engine();
  bed.states.clear();
  bed.run(100);
  CHECK_FALSE(bed.guest.write(bed.cloud, "orders", 10));
  bed.run(60'000);
  CHECK(bed.states == Words{"Starting", "Running"});
  CHECK(bed.events == Words{"mariadb stopped unexpectedly; started again"});
  CHECK(bed.last.restarts == 1);
  CHECK(bed.disk().databases.at("orders") == 10);
}

TEST_CASE("a server that stops takes the processes along and not the data") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  bed.cloud.stop_server(bed.ids.server);
  CHECK_FALSE(bed.guest.step(bed.cloud, bed.clock, bed.rng));
  CHECK_FALSE(bed.guest.running());
  const int before = bed.reports;
  bed.run(60'000);
  CHECK(bed.reports == before);
  REQUIRE(bed.cloud.perform(StartServer{SimBed::token("server-0"), bed.ids.server}));
  bed.states.clear();
  bed.run(60'000);
  CHECK(bed.states.back() == "Running");
  CHECK(bed.disk().contains("orders"));
  // Off and on between two looks is noticed as well.
  bed.cloud.options() = SimOptions::instant();
  bed.cloud.stop_server(bed.ids.server);
  REQUIRE(bed.cloud.perform(StartServer{SimBed::token("server-0"), bed.ids.server}));
  bed.states.clear();
  bed.run(2'500);
  CHECK_FALSE(bed.guest.running());
  CHECK(bed.last.engine_state == "Starting");
  CHECK(bed.last.document_digest.empty());  // a new agent has worked through nothing yet
  bed.run(60'000);
  CHECK(bed.guest.running());
  CHECK(bed.last.document_digest == guest::digest(bed.document));
  CHECK(bed.states == Words{"Starting", "Running"});
}

TEST_CASE("a silent guest is neither heard nor hears and its engine serves on") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  bed.guest.silence(true);
  const int before = bed.reports;
  const std::string had = bed.guest.document_digest();
  bed.document.dropped_databases = {"orders"};
  bed.document.databases.clear();
  bed.tell();
  bed.run(600'000);
  CHECK(bed.reports == before);
  CHECK(bed.guest.document_digest() == had);
  CHECK(bed.guest.write(bed.cloud, "orders", 1));
  bed.guest.silence(false);
  bed.run(10);
  CHECK(bed.reports > before);
  CHECK(bed.last.document_digest == had);
}

TEST_CASE("a volume that is another engine's or nobody's is refused and one of another instance is taken over") {
  struct Row {
    const char* name;
    SimDisk disk;
    const char* words;
  };
  SimDisk other_engine, foreign, emptied, retained;
  other_engine.mark = "uid-0", other_engine.engine = "postgresql", other_engine.initialised = true;
  foreign.foreign = true;
  emptied.mark = "uid-1", emptied.engine = "mariadb", emptied.filled = true;
  retained.mark = "uid-0", retained.engine = "mariadb", retained.initialised = retained.filled = true;
  retained.databases["orders"] = 7;
  for (const Row& row :
       {Row{"other engine", other_engine, "holds data of postgresql"}, Row{"foreign", foreign, "no marker of ours"},
        Row{"emptied", emptied, "no empty one takes its place"}}) {
    INFO(row.name);
    GuestBed bed;
    bed.cloud.disks[bed.ids.volume] = row.disk;
    bed.tell();
    bed.run(300'000);
    CHECK(bed.last.engine_state == "Failed");
    CHECK_THAT(bed.last.engine_message, Contains(row.words));
    CHECK(bed.disk() == row.disk);
  }
  GuestBed bed;
  bed.cloud.disks[bed.ids.volume] = retained;
  bed.tell();
  bed.run(60'000);
  CHECK(bed.last.engine_state == "Running");
  CHECK(bed.disk().mark == "uid-1");
  CHECK(bed.disk().databases.at("orders") == 7);
}

TEST_CASE("a volume that is pulled out stops the engine until it is back") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  bed.cloud.plant(Server{"other", "x", {}, Server::Status::active, "db.tiny", "", "", {}, ""});
  auto volume = bed.cloud.volumes().at(bed.ids.volume);
  auto elsewhere = volume;
  elsewhere.server_id = "other";
  bed.cloud.plant(elsewhere);
  bed.run(10'000);
  CHECK(bed.last.engine_state == "Failed");
  CHECK(bed.last.engine_message == "the volume is not there");
  const int said = bed.reports;
  bed.run(60'000);
  CHECK(bed.reports - said == 3);  // it is repeated as a heartbeat and not at every look
  CHECK_FALSE(bed.guest.write(bed.cloud, "orders", 1));
  bed.cloud.plant(volume);
  bed.run(60'000);
  CHECK(bed.last.engine_state == "Running");
}

TEST_CASE("a disk rolled back to an earlier copy is repaired as far as the document goes") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.tell();
  bed.run(60'000);
  REQUIRE(bed.guest.write(bed.cloud, "orders", 10));
  const SimDisk snapshot = bed.disk();
  const SimGuest earlier = bed.guest;
  bed.document.databases = {{"orders"}, {"audit"}};
  bed.tell();
  bed.run(60'000);
  REQUIRE(bed.guest.write(bed.cloud, "orders", 90));
  bed.cloud.disks[bed.ids.volume] = snapshot;
  bed.run(60'000);
  CHECK(bed.disk().databases == std::map<std::string, int64_t>{{"orders", 10}, {"audit", 0}});
  CHECK(bed.disk().position < 100 + snapshot.position);
  bed.guest = earlier;
  bed.run(60'000);
  CHECK(bed.last.document_digest != guest::digest(bed.document));
}

TEST_CASE("a guest starts over after a crash in the middle of its first start") {
  GuestBed bed;
  bed.tell();
  bed.run(2'500);
  REQUIRE(bed.last.engine_state == "Initialising");
  bed.cloud.stop_server(bed.ids.server);
  bed.run(10'000);
  CHECK_FALSE(bed.disk().initialised);
  REQUIRE(bed.cloud.perform(StartServer{SimBed::token("server-0"), bed.ids.server}));
  bed.run(60'000);
  CHECK(bed.last.engine_state == "Running");
}

TEST_CASE("a memcached has no data and comes up on a server without a volume") {
  GuestBed bed;
  const std::string server = bed.server(bed.port(2)->id, "", 2)->id;
  bed.pass(10'000);
  SimGuest guest(server);
  bed.document.engine = Engine::memcached;
  bed.document.volume_gib = 0;
  guest.take(bed.document);
  bed.run(guest, 60'000);
  CHECK(bed.last.engine_state == "Running");
  CHECK(bed.last.engine_version == "1.6.18");
  CHECK(bed.last.volume_total_bytes == 0);
}

TEST_CASE("a guest's report passes the control plane's strict reader") {
  GuestBed bed;
  bed.document.databases = {{"orders"}};
  bed.document.parameters = {{"performance_schema", "ON"}};
  bed.document.backups = {{"b1", "/objects/p/b1"}};
  bed.tell();
  bed.run(60'000);
  const auto read = guest::report_from_value(guest::to_value(bed.last));
  REQUIRE(read);
  CHECK(*read == bed.last);
}
