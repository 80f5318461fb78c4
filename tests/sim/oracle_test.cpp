// Tests of the tests: each invariant is shown to fail in a world that was broken by hand, and to hold in a good one.
#include <catch2/catch.hpp>

#include "reconciler/objects.hpp"
#include "reconciler/secrets.hpp"
#include "reconciler/simulate/chance.hpp"
#include "reconciler/simulate/oracle.hpp"
#include "reconciler/simulate/sim_world.hpp"
#include "reconciler/simulate/witness.hpp"
#include "specs/json.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

constexpr const char* kInstance = "aaaaaaaa-0000-4000-8000-000000000001";
constexpr const char* kVolume = "aaaaaaaa-0000-4000-8000-000000000002";

Resource resource(const std::string& kind, const std::string& name, const std::string& uid, const std::string& spec) {
  Resource made;
  made.kind = kind;
  made.metadata.name = name;
  made.metadata.project = "p";
  made.metadata.uid = uid;
  made.metadata.generation = 1;
  made.spec = *parse_json(spec);
  return made;
}

// One healthy instance with its volume, port, server, rows and a backup.
struct Good {
  Good() {
    truth.servers["s1"] = {"s1", "db-0", {kInstance, "server-0", 1}, Server::Status::active, "db.tiny", "p1", "v1",
                           {},   ""};
    truth.volumes["v1"] = {"v1", "db-data", {kVolume, "data", 1}, CloudVolume::Status::in_use, 2, "", "s1", {}};
    truth.ports["p1"] = {"p1", "db-0", {kInstance, "port-0", 1}, "10.0.0.1", {"127.0.0.0/8"}, "s1"};
    truth.objects["p/b1"] = {"p/b1", 10};
    truth.disks["v1"].databases["orders"] = 5;
    truth.disks["v1"].initialised = true;
    facts.look_at(truth);
    put(resource("DatabaseInstance", "db", kInstance,
                 R"({"datastore":{"type":"mariadb"},"flavor":"db.tiny","volume":{"size":2}})"));
    put(resource("Volume", "db-data", kVolume, R"({"size":2})"));
    facts.rows[{kInstance, "orders"}] = {"v1", 5};
    facts.backups["p/b1"] = "db";
  }
  void put(const Resource& r) { facts.stored[r.key()] = r; }
  bool holds() const { return !first_broken(invariants(), facts) && !first_broken(final_invariants(), facts); }
  std::string broken() const {
    if (auto now = first_broken(invariants(), facts)) return now->invariant;
    if (auto end = first_broken(final_invariants(), facts)) return end->invariant;
    return "";
  }
  Truth truth;
  Facts facts;
};

}  // namespace

TEST_CASE("a good world breaks no invariant") {
  Good good;
  CHECK(good.broken() == "");
}

TEST_CASE("a second server of a token or an instance or a volume is seen") {
  {
    Good world;
    Server second = world.truth.servers["s1"];
    second.id = "s2";
    second.volume_id.clear();
    world.truth.servers["s2"] = second;
    CHECK(world.broken() == "one-server");
    world.truth.servers["s2"].status = Server::Status::build;
    world.truth.servers["s2"].volume_id = "v1";
    CHECK(world.broken() == "one-server");
  }
  {
    Good world;
    Server second = world.truth.servers["s1"];
    second.id = "s2";
    second.token.incarnation = 2;
    second.volume_id.clear();
    world.truth.servers["s2"] = second;
    CHECK(world.broken() == "one-server");
  }
  {
    Good world;
    Server second = world.truth.servers["s1"];
    second.id = "s2";
    second.token = {"other", "server-0", 1};
    world.truth.servers["s2"] = second;
    CHECK(world.broken() == "one-server");
  }
}

TEST_CASE("what is not ours and was changed or deleted is seen") {
  Good world;
  CloudVolume theirs{"f1", "db-data", {}, CloudVolume::Status::available, 9, "", "", {}};
  world.truth.volumes["f1"] = theirs;
  world.facts.foreign["f1"] = text_of(theirs);
  CHECK(world.broken() == "");
  world.truth.volumes["f1"].size_gib = 10;
  CHECK(world.broken() == "foreign-untouched");
  world.truth.volumes.erase("f1");
  CHECK(world.broken() == "foreign-untouched");
}

TEST_CASE("rows that are gone are seen") {
  {
    Good world;
    world.truth.disks["v1"].databases["orders"] = 4;
    CHECK(world.broken() == "no-data-loss");
  }
  {
    Good world;
    world.truth.disks["v1"].databases.clear();
    CHECK(world.broken() == "no-data-loss");
  }
  {
    Good world;  // an empty volume in place of the lost one
    world.truth.disks.clear();
    world.truth.disks["v2"].databases["orders"] = 9;
    CHECK(world.broken() == "no-data-loss");
    world.facts.lost_volumes.insert("v1");
    CHECK(world.broken() == "");
  }
}

TEST_CASE("a backup that nobody gave up and that is gone is seen") {
  Good world;
  world.truth.objects.clear();
  CHECK(world.broken() == "backups-kept");
  world.facts.given_up_backups.insert("b1");
  CHECK(world.broken() == "");
}

TEST_CASE("a parameter that an engine runs with and no status names is seen") {
  Good world;
  world.truth.disks["v1"].mark = kInstance;
  world.truth.disks["v1"].parameters["max_connections"] = "200";
  CHECK(world.broken() == "told-remembered");
  Resource& instance = world.facts.stored[{"p", "DatabaseInstance", "db"}];
  // Its value may follow: the name is enough to take it back.
  world.facts.statuses[instance.key()] =
      std::string(R"({"uid":")") + kInstance + R"(","status":{"appliedParameters":{"max_connections":""}}})";
  CHECK(world.broken() == "");
  world.facts.statuses.clear();
  world.truth.servers["s1"].status = Server::Status::shutoff;  // of an engine that was
  CHECK(world.broken() == "");
}

TEST_CASE("what nobody owns at the end is seen") {
  {
    Good world;
    world.facts.stored.erase({"p", "DatabaseInstance", "db"});
    CHECK(world.broken() == "nothing-left");
  }
  {
    Good world;
    world.facts.stored.erase({"p", "Volume", "db-data"});
    CHECK(world.broken() == "nothing-left");
    world.facts.retained.insert(kVolume);
    CHECK(world.broken() == "");
  }
  {
    Good world;
    CloudVolume second = world.truth.volumes["v1"];
    second.id = "v2";
    second.server_id.clear();
    world.truth.volumes["v2"] = second;
    CHECK(world.broken() == "nothing-left");
  }
}

TEST_CASE("two volumes of one token are one too many, unless the one in use was taken away") {
  Good world;
  for (const char* id : {"v2", "v3"})
    world.truth.volumes[id] = {id, "db-data", {kVolume, "data", 1}, CloudVolume::Status::available, 2, "", "", {}};
  CHECK(world.broken() == "nothing-left");
  world.facts.robbed.insert(kVolume);
  CHECK(world.broken() == "");
}

TEST_CASE("an intent without an end and a spec that is lost are seen") {
  {
    Good world;
    world.facts.ledger["/ledger/x/data/1"] = R"({"state":"CREATED"})";
    CHECK(world.broken() == "");
    world.facts.ledger["/ledger/x/data/1"] = R"({"state":"SENT"})";
    CHECK(world.broken() == "creates-resolved");
  }
  {
    Good world;
    world.facts.acknowledged["/history/u/0000000001"] = "one";
    CHECK(world.broken() == "specs-kept");
    world.facts.history["/history/u/0000000001"] = "two";
    CHECK(world.broken() == "specs-kept");
    world.facts.history["/history/u/0000000001"] = "one";
    CHECK(world.broken() == "");
  }
}

namespace {

// Commits that a control plane must not make, one after the other through a witness.
struct Witnessed {
  Witnessed() : witness(good.facts, sealer) {
    good.facts.revision = 10;
    write(spec(1, R"({"size":2})"));
  }
  Txn spec(int64_t generation, const std::string& json, const std::string& author = "user:person") {
    Resource volume = resource("Volume", "db-data", kVolume, json);
    volume.metadata.generation = generation;
    return of(volume, author);
  }
  Txn of(const Resource& r, const std::string& author) {
    Txn txn;
    txn.ops.push_back({Op::Kind::put, Objects::spec_key(r.key()), dump_json(to_value(r)), 0});
    txn.ops.push_back({Op::Kind::put, "/history/" + r.metadata.uid + "/" + std::to_string(r.metadata.generation),
                       dump_json(Value::map({{"author", author}, {"spec", r.spec}})), 0});
    return txn;
  }
  Txn status(const std::string& json) {
    Txn txn;
    txn.ops.push_back({Op::Kind::put, Objects::status_key({"p", "Volume", "db-data"}),
                       "{\"uid\":\"" + std::string(kVolume) + "\",\"status\":" + json + "}", 0});
    return txn;
  }
  void write(const Txn& txn) { witness.committed(txn, ++revision); }
  std::string broken() {
    witness.looked();
    return commits_honest(good.facts);
  }
  TempDir dir;
  SimRng rng{1};
  Good good;
  Sealer sealer{*Sealer::open(dir / "key", true, rng)};
  Witness witness;
  Revision revision = 10;
};

constexpr const char* kInEffect =
    R"({"observedGeneration":2,"conditions":[{"type":"Ready","status":"True"},{"type":"Synced","status":"True"}]})";

}  // namespace

TEST_CASE("revisions and generations that do not rise are seen") {
  {
    Witnessed world;
    CHECK(world.broken() == "");
    world.witness.committed(world.spec(2, R"({"size":3})"), 11);
    CHECK(world.broken().find("revision") != std::string::npos);
  }
  {
    Witnessed world;
    world.write(world.spec(1, R"({"size":3})"));
    CHECK(world.broken() != "");
  }
  {
    Witnessed world;
    world.write(world.spec(3, R"({"size":3})"));
    CHECK(world.broken() == "");
    world.write(world.spec(2, R"({"size":3})"));
    CHECK(world.broken().find("went back") != std::string::npos);
  }
}

TEST_CASE("a status that claims what never was is seen") {
  Witnessed world;
  world.write(world.spec(2, R"({"size":7})"));
  world.write(world.status(
      R"({"observedGeneration":1,"conditions":[{"type":"Ready","status":"True"},{"type":"Synced","status":"True"}]})"));
  CHECK(world.broken() == "");
  world.write(world.status(kInEffect));
  CHECK(world.broken().find("in effect") != std::string::npos);
}

TEST_CASE("a status that comes after its deed is believed and one of a generation to come is not") {
  Witnessed world;
  world.write(world.spec(2, R"({"size":7})"));
  world.good.truth.volumes["v1"].size_gib = 7;
  world.witness.looked();
  world.write(world.status(kInEffect));
  CHECK(world.broken() == "");
  world.write(world.status(R"({"observedGeneration":3})"));
  CHECK(world.broken().find("does not exist") != std::string::npos);
}

TEST_CASE("an object that is forgotten without being deleted is seen") {
  Witnessed world;
  Txn txn;
  txn.ops.push_back({Op::Kind::remove, Objects::spec_key({"p", "Volume", "db-data"}), "", 0});
  world.write(txn);
  CHECK(world.broken().find("nobody had deleted it") != std::string::npos);
}

TEST_CASE("a secret in clear text is seen wherever it is stored") {
  Witnessed world;
  Resource secret = resource("Secret", "s", "aaaaaaaa-0000-4000-8000-000000000003", "{}");
  secret.spec = Value::map(
      {{"data", Value::map({{"password", world.sealer.seal(Secret("canary-in-the-mine"),
                                                           secret_place(secret, "password"), world.rng)}})}});
  world.write(world.of(secret, "user:person"));
  CHECK(world.broken() == "");
  Txn txn;
  txn.ops.push_back({Op::Kind::put, "/event/p/Secret/s/1", "the password is canary-in-the-mine", 0});
  world.write(txn);
  CHECK(world.broken().find("clear text") != std::string::npos);
}

TEST_CASE("a person may give a database and a backup up and the control plane may not give up the last one") {
  {
    Witnessed world;
    Resource database = resource("Database", "orders", "aaaaaaaa-0000-4000-8000-000000000004",
                                 R"({"instanceRef":{"name":"db"},"deletionPolicy":"Delete"})");
    world.write(world.of(database, "user:person"));
    database.metadata.deletion_timestamp = kEpoch;
    database.metadata.generation = 2;
    world.write(world.of(database, "user:person"));
    world.good.truth.disks["v1"].databases.clear();
    CHECK(world.good.broken() == "");
  }
  for (bool by_person : {true, false}) {
    Witnessed world;
    Resource backup = resource("Backup", "b", "b1", R"({"instanceRef":{"name":"db"},"deletionPolicy":"Delete"})");
    world.write(world.of(backup, "user:person"));
    backup.metadata.deletion_timestamp = kEpoch;
    backup.metadata.generation = 2;
    world.write(world.of(backup, by_person ? "user:person" : "system:backupschedule/nightly"));
    CHECK((world.broken() == "") == by_person);
  }
}

TEST_CASE("what differs from run to run is no part of the state and everything else is") {
  Good a, b;
  CHECK(normal_state(a.facts) == normal_state(b.facts));
  b.truth.servers["s1"].token.incarnation = 4;
  b.truth.ports["p1"].address = "10.0.0.9";
  b.truth.disks["v1"].databases["orders"] = 77;
  CHECK(normal_state(a.facts) == normal_state(b.facts));
  b.truth.servers["s1"].flavor = "db.small";
  CHECK(normal_state(a.facts) != normal_state(b.facts));
  b = Good();
  b.facts.look_at(b.truth);
  b.facts.stored.begin()->second.spec.set("flavor", "db.small");
  CHECK(normal_state(a.facts) != normal_state(b.facts));
}
