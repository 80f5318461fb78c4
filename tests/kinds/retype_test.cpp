// A volume's type: changed by the spec, changed by others, and what is done when Cinder cannot do it.
#include <catch2/catch.hpp>

#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

std::string volume_yaml(const std::string& spec) {
  return "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: data}\nspec: {" + spec + "}\n";
}

std::string instance_yaml(const std::string& volume, const std::string& more = "") {
  return "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: db}\nspec:\n"
         "  datastore: {type: mariadb}\n  flavor: db.tiny\n  volume: {" + volume + "}\n" + more;
}

struct Bed : LoopWorld {
  explicit Bed(const std::string& yaml) {
    apply(yaml);
    run(Millis{60'000});
    REQUIRE(type() == "__DEFAULT__");
  }
  CloudVolume volume() { return cloud.volumes().begin()->second; }
  std::string type() { return volume().type; }
  void retype_outside(const std::string& to) {
    REQUIRE(cloud.outside("kim", [&, id = volume().id](SimModel& model) { return model.retype_volume(id, to); }));
  }
  Value status(const std::string& kind = "Volume", const std::string& name = "data") { return get(kind, name)->status; }
  Condition said(const std::string& type, const std::string& kind = "Volume", const std::string& name = "data") {
    const auto conditions = conditions_of(status(kind, name));
    return *find_condition(conditions, type);
  }
  size_t asked() {  // retypes that the loop has asked for
    size_t n = 0;
    auto log = store->range("/action/", prefix_end("/action/"), 0);
    for (const KeyValue& item : log->items) n += (*parse_json(item.value))["action"].text() == "cinder.volume.retype";
    return n;
  }
};

}  // namespace

TEST_CASE("the type of a volume follows its spec and stays when the spec says no more of it") {
  Bed bed(volume_yaml("size: 2"));
  bed.apply(volume_yaml("size: 2, type: fast"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Synced").status == "True");
  CHECK(bed.asked() == 1);
  bed.apply(volume_yaml("size: 2"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Synced").status == "True");
  // Nobody asks for a type: whatever somebody else makes of it is as good.
  bed.retype_outside("__DEFAULT__");
  bed.run(Millis{60'000});
  CHECK(bed.type() == "__DEFAULT__");
  CHECK(bed.said("Drifted").status == "False");
  // Asked for once more, it is a change and no drift.
  bed.apply(volume_yaml("size: 2, type: fast, drift: Report"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.asked() == 2);
}

TEST_CASE("a type that is named by its id is the type of that name") {
  Bed bed(volume_yaml("size: 2, type: type-1"));
  CHECK(bed.said("Synced").status == "True");
  CHECK(bed.said("Drifted").status == "False");
  bed.apply(volume_yaml("size: 2, type: __DEFAULT__"));
  bed.run(Millis{60'000});
  CHECK(bed.asked() == 0);
  bed.apply(volume_yaml("size: 2, type: type-2"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.asked() == 1);
  CHECK(bed.said("Synced").status == "True");
}

TEST_CASE("a volume grows first and is given its type then") {
  Bed bed(volume_yaml("size: 2"));
  bed.cloud.options().volume_extend = bed.cloud.options().volume_retype = Millis{10'000};
  bed.apply(volume_yaml("size: 5, type: fast"));
  bed.run(Millis{5'000});
  CHECK(bed.volume().status == CloudVolume::Status::extending);
  bed.run(Millis{12'000});
  CHECK(bed.volume().status == CloudVolume::Status::retyping);
  CHECK(bed.volume().size_gib == 5);
  CHECK(bed.said("Synced").reason == "WaitingForCinder");
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Synced").status == "True");
  CHECK(bed.asked() == 1);
}

TEST_CASE("a type that somebody else changed is put back, reported or left, as the policy says") {
  SECTION("Correct") {
    Bed bed(volume_yaml("size: 2, type: __DEFAULT__"));
    bed.retype_outside("fast");
    bed.run(Millis{60'000});
    CHECK(bed.type() == "__DEFAULT__");
    CHECK(bed.said("Drifted").status == "False");
    CHECK(bed.status()["corrections"].items().at(0)["path"].text() == "/type");
    // Nobody wins a fight.
    for (int i = 0; i < kMaxCorrections; ++i) {
      bed.retype_outside("fast");
      bed.run(Millis{60'000});
    }
    CHECK(bed.type() == "fast");
    CHECK(bed.said("Stalled").reason == "ReconcileFlapping");
    CHECK(bed.asked() == kMaxCorrections);
  }
  SECTION("Report") {
    Bed bed(volume_yaml("size: 2, type: __DEFAULT__, drift: Report"));
    bed.retype_outside("fast");
    bed.run(Millis{60'000});
    CHECK(bed.type() == "fast");
    CHECK(bed.said("Drifted").message == "/type: fast instead of __DEFAULT__");
    CHECK(bed.said("Synced").reason == "Drifted");
    CHECK(bed.said("Ready").status == "True");
  }
  SECTION("Ignore") {
    Bed bed(volume_yaml("size: 2, type: __DEFAULT__, ignoreDrift: [/type]"));
    bed.retype_outside("fast");
    bed.run(Millis{60'000});
    CHECK(bed.type() == "fast");
    CHECK(bed.said("Drifted").status == "False");
    CHECK(bed.said("Synced").status == "True");
    bed.apply(volume_yaml("size: 2, type: type-1, ignoreDrift: [/type]"));
    bed.run(Millis{60'000});
    CHECK(bed.type() == "__DEFAULT__");
  }
}

TEST_CASE("the volume of an instance follows the instance, which judges it and says what happens") {
  Bed bed(instance_yaml("size: 2"));
  bed.cloud.options().volume_retype = Millis{10'000};
  bed.apply(instance_yaml("size: 2, type: fast"));
  bed.run(Millis{5'000});
  CHECK(bed.volume().status == CloudVolume::Status::retyping);
  CHECK(bed.said("Synced", "DatabaseInstance", "db").status == "False");
  CHECK(bed.said("Synced", "DatabaseInstance", "db").message.starts_with("its volume changes from type __DEFAULT__ to fast"));
  CHECK(bed.said("Ready", "DatabaseInstance", "db").status == "True");
  CHECK(bed.said("Ready", "Volume", "db-data").status == "True");  // it is used all the while
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Synced", "DatabaseInstance", "db").status == "True");
  CHECK(bed.get("Volume", "db-data")->spec["type"].text() == "fast");

  bed.retype_outside("__DEFAULT__");
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.status("DatabaseInstance", "db")["corrections"].items().at(0)["path"].text() == "/volume/type");
  CHECK(bed.said("Drifted", "Volume", "db-data").status == "False");
  CHECK(bed.asked() == 2);

  bed.apply(instance_yaml("size: 2, type: fast", "  drift: Report\n"));
  bed.run(Millis{30'000});
  bed.retype_outside("__DEFAULT__");
  bed.run(Millis{60'000});
  CHECK(bed.type() == "__DEFAULT__");
  CHECK(bed.said("Drifted", "DatabaseInstance", "db").message == "/volume/type: __DEFAULT__ instead of fast");
  bed.apply(instance_yaml("size: 2, type: fast", "  ignoreDrift: [/volume/type]\n"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "__DEFAULT__");
  CHECK(bed.said("Drifted", "DatabaseInstance", "db").status == "False");
  CHECK(bed.asked() == 2);

  bed.apply(instance_yaml("size: 2", "  drift: Report\n"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "__DEFAULT__");
  CHECK(bed.get("Volume", "db-data")->spec["type"].is_null());
  CHECK(bed.said("Synced", "DatabaseInstance", "db").status == "True");
  CHECK(bed.asked() == 2);
}

TEST_CASE("an instance that is suspended leaves its volume's type alone") {
  Bed bed(instance_yaml("size: 2, type: __DEFAULT__"));
  bed.apply(instance_yaml("size: 2, type: __DEFAULT__", "  suspend: true\n"));
  bed.run(Millis{30'000});
  bed.retype_outside("fast");
  bed.run(Millis{60'000});
  CHECK(bed.type() == "fast");
  bed.apply(instance_yaml("size: 2, type: __DEFAULT__"));
  bed.run(Millis{60'000});
  CHECK(bed.type() == "__DEFAULT__");
}

TEST_CASE("a retype that came to nothing is asked for again after pauses that grow, and the status says so") {
  Bed bed(volume_yaml("size: 2"));
  bed.cloud.options().retype_error = 1000;
  bed.cloud.options().volume_retype = Millis{10'000};
  bed.apply(volume_yaml("size: 2, type: fast"));
  bed.run(Millis{30'000});
  CHECK(bed.asked() == 1);
  CHECK(bed.volume().status == CloudVolume::Status::available);
  const Condition synced = bed.said("Synced");
  CHECK(synced.status == "False");
  CHECK(synced.reason == "RetypeNotDone");
  CHECK_THAT(synced.message, Catch::Matchers::Contains("to type fast and left it as it was, __DEFAULT__; asked 1 time,") &&
                                 Catch::Matchers::Contains("set the type to __DEFAULT__ or take it out of the spec"));
  CHECK(bed.said("Ready").status == "True");
  CHECK(bed.said("Stalled").status == "False");
  CHECK(bed.status()["lastError"]["code"].text() == "CLOUD_DEPENDENCY");
  CHECK(bed.status()["lastError"]["actor"].text() == "CloudOperator");
  CHECK(bed.status()["lastError"]["nextRetry"].is_string());
  // Nothing is written while nothing happens.
  const Revision revision = bed.store->revision();
  bed.run(Millis{30'000});
  CHECK(bed.store->revision() == revision);
  bed.run(Millis{20'000});
  CHECK(bed.asked() == 2);
  bed.run(Millis{100'000});
  CHECK(bed.asked() == 2);
  bed.run(Millis{60'000});
  CHECK(bed.asked() == 3);
  // An hour at the most: 4, 8, 16, 32 minutes, and one hour then.
  bed.run(Millis{65 * 60'000});
  CHECK(bed.asked() == 7);
  bed.run(Millis{5 * 3'610'000 + 60'000});
  CHECK(bed.asked() == 12);
  // A change of the spec is a new start; and once the cloud can, that is the end of it.
  bed.cloud.options().retype_error = 0;
  bed.apply(volume_yaml("size: 3, type: fast"));
  bed.run(Millis{60'000});
  CHECK(bed.asked() == 13);
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Synced").status == "True");
  CHECK(bed.status()["lastError"].is_null());
}

TEST_CASE("the pause begins when cinder has given up, however long that took") {
  Bed bed(volume_yaml("size: 2"));
  bed.cloud.options().retype_error = 1000;
  bed.cloud.options().volume_retype = Millis{3 * 3'600'000};
  bed.apply(volume_yaml("size: 2, type: fast"));
  bed.run(Millis{3 * 3'600'000});
  for (int i = 0; i < 60 && bed.said("Synced").reason != "RetypeNotDone"; ++i) bed.run(Millis{1'000});
  CHECK(bed.volume().status == CloudVolume::Status::available);
  CHECK(bed.asked() == 1);
  CHECK(bed.said("Synced").reason == "RetypeNotDone");
  // Given up by the user.
  bed.apply(volume_yaml("size: 2"));
  bed.run(Millis{600'000});
  CHECK(bed.asked() == 1);
  CHECK(bed.said("Synced").status == "True");
}

TEST_CASE("a type that the cloud does not have is the user's to mend") {
  Bed bed(volume_yaml("size: 2"));
  bed.apply(volume_yaml("size: 2, type: none"));
  bed.run(Millis{30'000});
  CHECK(bed.said("Stalled").reason == "CONFIG_INVALID");
  CHECK_THAT(bed.said("Stalled").message, Catch::Matchers::Contains("Volume type with name none could not be found"));
  bed.apply(volume_yaml("size: 2, type: fast"));
  bed.run(Millis{30'000});
  CHECK(bed.type() == "fast");
  CHECK(bed.said("Stalled").status == "False");
}

TEST_CASE("a volume that is being given another type waits with its deletion and with a new server") {
  Bed bed(instance_yaml("size: 2"));
  bed.cloud.options().volume_retype = Millis{120'000};
  bed.apply(instance_yaml("size: 2, type: fast"));
  bed.run(Millis{5'000});
  REQUIRE(bed.volume().status == CloudVolume::Status::retyping);
  bed.cloud.lose_server(bed.cloud.servers().begin()->first);
  bed.run(Millis{60'000});
  CHECK(bed.cloud.servers().empty());
  CHECK_THAT(bed.said("Ready", "DatabaseInstance", "db").message,
             Catch::Matchers::Contains("db-data is being given another type"));
  bed.run(Millis{120'000});
  CHECK(bed.cloud.servers().size() == 1);
  CHECK(bed.said("Ready", "DatabaseInstance", "db").status == "True");
  CHECK(bed.type() == "fast");
}
