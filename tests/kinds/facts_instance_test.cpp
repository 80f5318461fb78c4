// What is done about each fact of an instance, of its server, volume and port.
#include "kinds/facts.hpp"

using namespace trove;

namespace {

void instances(Facts& fact) {
  const auto spec = [](const char* field, Value value) {
    return [field, value](Bench& b) { b.know(kInstance, [&](Resource& r) { r.spec.set(field, value); }); };
  };
  fact("an instance, as wanted", kInstance, [](Bench&) {});
  for (const Server::Status status : kEveryServer) {
    const std::string word(to_string(status));
    fact("nova shows its server " + word, kInstance,
         [&](Bench& b) { b.see_server([&](Server& s) { s.status = status, s.fault = "No valid host"; }); });
    fact("it is deleted while nova shows its server " + word, kInstance, [&](Bench& b) {
      b.know(kInstance, Bench::ended);
      b.see_server([&](Server& s) { s.status = status; });
    });
  }
  fact("its server is gone, perhaps", kInstance, [](Bench& b) { b.lose_server(); });
  fact("its server is gone", kInstance, [](Bench& b) {
    b.lose_server();
    b.forget_intents();
    b.see_volume([](CloudVolume& v) { v.server_id.clear(), v.status = Status::available; });
  });
  fact("its server is gone, and its volume is a stranger's server's", kInstance, [](Bench& b) {
    b.lose_server();
    b.forget_intents();
    b.see([&](Inventory& i) {
      i.servers.push_back({.id = "theirs", .name = "theirs", .token = {}, .status = Server::Status::active});
      b.seen_volume(i).server_id = "theirs";
    });
  });
  fact("its server is gone, and its volume is another server's of ours", kInstance, [](Bench& b) {
    b.lose_server();
    b.forget_intents();
    b.see_volume([&](CloudVolume& v) { v.server_id = b.other.id; });
  });
  fact("its server is gone, and its volume shows one that is gone", kInstance, [](Bench& b) {
    b.lose_server();
    b.forget_intents();
  });
  for (bool Inventory::* list : {&Inventory::servers_known, &Inventory::volumes_known, &Inventory::ports_known}) {
    const std::string name = list == &Inventory::servers_known ? "servers" : list == &Inventory::ports_known ? "ports" : "volumes";
    fact("the list of " + name + " cannot be read, and it is gone from it", kInstance, [&](Bench& b) {
      b.lose_server();
      b.lose_port();
      b.lose_volume();
      b.see([&](Inventory& i) { i.*list = false, i.trouble = "nova: 503"; });
    });
    fact("it is deleted while the list of " + name + " cannot be read", kInstance, [&](Bench& b) {
      b.know(kInstance, Bench::ended);
      b.see([&](Inventory& i) { i.*list = false; });
    });
  }
  fact("its port is gone, perhaps", kInstance, [](Bench& b) { b.lose_port(); });
  fact("its port is gone", kInstance, [](Bench& b) {
    b.lose_port();
    b.forget_intents();
  });
  fact("its volume is gone, perhaps", kInstance, [](Bench& b) { b.lose_volume(); });
  fact("its volume is gone", kInstance, [](Bench& b) {
    b.lose_volume();
    b.forget_intents();
  });
  fact("its Volume is gone", kInstance, [](Bench& b) { b.facts.remove(kVolume); });
  fact("its Volume and its port are gone", kInstance, [](Bench& b) {
    b.facts.remove(kVolume);
    b.lose_port();
    b.forget_intents();
  });
  fact("its Volume is being deleted", kInstance, [](Bench& b) { b.know(kVolume, Bench::ended); });
  fact("its Volume is somebody else's", kInstance,
       [](Bench& b) { b.know(kVolume, [](Resource& r) { r.metadata.owner_references.clear(); }); });
  fact("its Volume was kept of an earlier one", kInstance, [](Bench& b) {
    b.know(kVolume, [](Resource& r) {
      r.metadata.owner_references.clear();
      r.metadata.annotations.set("trove/retained-from", "i");
    });
  });
  fact("its Volume has no volume yet", kInstance, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.status.set("unused", true), r.status.set("id", ""); });
    b.lose_volume();
    b.lose_port();
    b.forget_intents();
  });
  fact("its volume could not be made", kInstance, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.status.set("unused", true); });
    b.see_volume([](CloudVolume& v) { v.status = Status::error, v.server_id.clear(); });
  });
  fact("its volume is there, and its Volume has not heard", kInstance, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.status.set("unused", true); });
    b.see_volume([](CloudVolume& v) { v.status = Status::available, v.server_id.clear(); });
  });
  fact("it names a volume that is not there", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) {
      r.spec.erase("volume");
      r.spec.set_path("volumeRef.name", "no");
    });
  });
  fact("two servers carry its mark", kInstance, [](Bench& b) {
    b.see([&](Inventory& i) {
      Server twin = b.server;
      twin.id = "twin", twin.created = twin.created + Millis{1'000}, twin.volume_id.clear();
      i.servers.push_back(twin);
    });
  });
  fact("two servers carry its mark, and one is on its way out", kInstance, [](Bench& b) {
    b.see([&](Inventory& i) {
      Server twin = b.server;
      twin.id = "twin", twin.volume_id.clear(), twin.status = Server::Status::deleting;
      i.servers.push_back(twin);
    });
  });
  fact("another flavor is wanted", kInstance, spec("flavor", "db.small"));
  fact("another flavor is wanted, by a spec that lets nothing be interrupted", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) {
      r.spec.set("flavor", "db.small");
      r.spec.set_path("maintenance.disruptiveChanges", "Manual");
    });
  });
  fact("a flavor that is not there is wanted", kInstance, spec("flavor", "db.none"));
  fact("the flavors are not known", kInstance, [](Bench& b) { b.see([](Inventory& i) { i.flavors.clear(); }); });
  fact("the flavors are not known, and its guest never called", kInstance, [](Bench& b) {
    b.see([](Inventory& i) { i.flavors.clear(); });
    b.facts.guests.clear();
  });
  fact("the flavors are not known, and nothing was told its guest since the start", kInstance, [](Bench& b) {
    b.see([](Inventory& i) { i.flavors.clear(); });
    b.facts.guests[to_string(b.server.token)].document.reset();
  });
  const auto retired = [](Bench& b) {
    b.see([](Inventory& i) { std::erase_if(i.flavors, [](const Flavor& one) { return one.name == "db.tiny"; }); });
  };
  fact("its flavor was retired", kInstance, retired);
  fact("its flavor was retired, and its guest never called", kInstance, [&](Bench& b) {
    retired(b);
    b.facts.guests.clear();
  });
  fact("its flavor was retired, and its server is gone", kInstance, [&](Bench& b) {
    retired(b);
    b.lose_server();
    b.forget_intents();
  });
  fact("nova waits to hear of a flavor that is wanted", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set("flavor", "db.small"); });
    b.see_server([](Server& s) { s.status = Server::Status::verify_resize, s.flavor = "db.small"; });
  });
  fact("nova waits to hear of a flavor that is not wanted any more", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.status.set_path("inSync", Value::map()); });
    b.see_server([](Server& s) { s.status = Server::Status::verify_resize, s.flavor = "db.small"; });
  });
  fact("somebody resized it a moment ago", kInstance, [](Bench& b) { b.see_server([](Server& s) { s.flavor = "db.small"; }); });
  fact("somebody opened its port a moment ago", kInstance, [](Bench& b) {
    b.see([&](Inventory& i) {
      for (Port& one : i.ports)
        if (one.id == b.port.id) one.allowed_cidrs = {"0.0.0.0/0"};
    });
  });
  fact("other networks are let in", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) {
      Value cidrs = Value::list();
      cidrs.push_back("203.0.113.0/24");
      r.spec.set_path("access.allowedCidrs", cidrs);
    });
  });
  fact("it is to be reached from outside", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set_path("access.public", true); });
  });
  fact("it is suspended", kInstance, spec("suspend", true));
  fact("it is suspended and has no server", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set("suspend", true); });
    b.lose_server();
  });
  fact("it is suspended and has no port", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set("suspend", true); });
    b.lose_port();
    b.forget_intents();
  });
  fact("it is only observed", kInstance, spec("managementPolicy", "Observe"));
  fact("it is only observed and deleted", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) {
      Bench::marked(r);
      r.spec.set("managementPolicy", "Observe");
    });
  });
  fact("it is deleted and kept, and its server is gone", kInstance, [](Bench& b) {
    b.know(kInstance, [&](Resource& r) { b.retained(r); });
    b.lose_server();
    b.forget_intents();
  });
  fact("it is deleted for good, and its server is gone, perhaps", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.lose_server();
  });
  fact("it is deleted for good, and its server is gone; its volume was to be kept", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.lose_server();
    b.forget_intents();
  });
  fact("it is deleted for good, and its server is gone; so is its volume to be", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.know(kVolume, [](Resource& r) { r.spec.set("deletionPolicy", "Delete"); });
    b.lose_server();
    b.forget_intents();
  });
  fact("it is deleted for good, and its volume goes", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.know(kVolume, Bench::ended);
    b.lose_server();
    b.forget_intents();
  });
  fact("it is deleted for good, and only its port is left", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.facts.remove(kVolume);
    b.lose_server();
    b.forget_intents();
  });
  fact("it is deleted for good, and its port is gone, perhaps", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.facts.remove(kVolume);
    b.lose_server();
    b.lose_port();
    b.facts.ledger = std::make_shared<Ledger>();
    b.facts.edit_ledger().created(b.port.token, b.port.id, Millis{0});
    b.notice();
  });
  fact("it is deleted for good, and nothing is left", kInstance, [](Bench& b) {
    b.know(kInstance, Bench::ended);
    b.facts.remove(kVolume);
    b.lose_server();
    b.lose_port();
    b.forget_intents();
  });
  const char* from = "backup";
  const auto restored_from = [&](const char* phase) {
    return [&, phase](Bench& b) {
      b.know(kInstance, [&](Resource& r) {
        r.spec.set_path("bootstrapFrom.backupRef.name", from);
        r.status.set("bootstrapped", false);
      });
      if (!phase) return;
      b.world.apply("apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: backup}\nspec: {instanceRef: {name: other}}\n");
      Resource backup = *b.world.get("Backup", "backup");
      if (*phase) backup.status.set("phase", phase);
      b.facts.put(make_object(backup));
    };
  };
  fact("it is to be restored from a backup that is not there", kInstance, restored_from(nullptr));
  fact("it is to be restored from a backup that has not begun", kInstance, restored_from(""));
  fact("it is to be restored from a backup that failed", kInstance, restored_from("Failed"));
  fact("it is to be restored from a backup that is complete", kInstance, restored_from("Completed"));
  fact("root is to have a password", kInstance, spec("rootAccess", true));
}

// One whose volume is a person's own, and one that has none.
const Key kRef{"p", "DatabaseInstance", "ref"}, kCache{"p", "DatabaseInstance", "cache"};
const char* kOthers = R"(
---
apiVersion: trove/v1alpha1
kind: Volume
metadata: {name: own}
spec: {size: 3}
---
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: ref}
spec: {datastore: {type: postgresql}, flavor: db.tiny, volumeRef: {name: own}}
---
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: cache}
spec: {datastore: {type: memcached}, flavor: db.tiny}
)";

void other_instances(Facts& fact) {
  fact("a volume of a person's own is used, as wanted", kRef, [](Bench&) {}, kOthers);
  fact("a cache, as wanted", kCache, [](Bench&) {}, kOthers);
  for (const Key& key : {kRef, kCache}) {
    const auto uid = [key](Bench& b) { return b.world.get(key.kind, key.name)->metadata.uid; };
    fact(key.name + " is deleted for good while its server runs", key, [&](Bench& b) { b.know(key, Bench::ended); }, kOthers);
    fact(key.name + " is deleted for good, and its server is gone", key,
         [&](Bench& b) {
           b.know(key, Bench::ended);
           b.see([&](Inventory& i) { std::erase_if(i.servers, [&](const Server& s) { return s.token.uid == uid(b); }); });
           b.forget_intents();
         },
         kOthers);
    fact(key.name + " has lost its server", key,
         [&](Bench& b) {
           b.see([&](Inventory& i) { std::erase_if(i.servers, [&](const Server& s) { return s.token.uid == uid(b); }); });
           b.forget_intents();
         },
         kOthers);
    fact(key.name + " is to have another flavor", key,
         [&](Bench& b) { b.know(key, [](Resource& r) { r.spec.set("flavor", "db.small"); }); }, kOthers);
  }
}

// What was changed outside, and seen twice.
void drifts(Facts& fact) {
  const auto policy = [](Bench& b, const char* drift) {
    b.facts.second_look = false;
    b.know(kInstance, [&](Resource& r) {
      r.spec.set("drift", drift);
      r.spec.set_path("maintenance.disruptiveChanges", "Immediate");
    });
  };
  for (const char* drift : {"Correct", "Report", "Ignore"}) {
    const auto resized = [=](Bench& b) {
      policy(b, drift);
      b.see_server([](Server& s) { s.flavor = "db.small"; });
    };
    const auto stopped = [=](Bench& b) {
      policy(b, drift);
      b.see_server([](Server& s) { s.status = Server::Status::shutoff; });
    };
    const auto told = [](Bench& b, const char* path, const char* actual, std::vector<ServerDeed> deeds) {
      b.facts.explained[{b.server.id, path}] = {actual, std::move(deeds)};
    };
    const std::string with = std::string(" (drift: ") + drift + ")";
    fact("it was resized outside, and nova is not asked yet" + with, kInstance, resized);
    fact("it was resized outside, and nova was asked of another change" + with, kInstance, [&](Bench& b) {
      resized(b);
      told(b, "/flavor", "db.nano", {});
    });
    fact("it was resized outside, and nova does not tell by whom" + with, kInstance, [&](Bench& b) {
      resized(b);
      told(b, "/flavor", "db.small", {});
    });
    fact("it was resized outside by somebody" + with, kInstance, [&](Bench& b) {
      resized(b);
      told(b, "/flavor", "db.small",
           {{"resize", "mallory", "req-2", Time{2'000}}, {"resize", "alice", "req-1", Time{1'000}}, {"stop", "bob", "", Time{3'000}}});
    });
    fact("it was stopped outside by somebody" + with, kInstance, [&](Bench& b) {
      stopped(b);
      told(b, "/power", b.server.id.c_str(), {{"stop", "mallory", "", Time{2'000}}});
      told(b, "/power", "SHUTOFF", {{"stop", "mallory", "", Time{2'000}}});
    });
    fact("it is off, and nobody stopped it" + with, kInstance, [&](Bench& b) {
      stopped(b);
      told(b, "/power", "SHUTOFF", {{"stop", "mallory", "", Time{2'000}}, {"start", "mallory", "", Time{3'000}}});
    });
    fact("its port was opened outside" + with, kInstance, [&](Bench& b) {
      policy(b, drift);
      b.see([&](Inventory& i) {
        for (Port& one : i.ports)
          if (one.id == b.port.id) one.allowed_cidrs = {"0.0.0.0/0"}, one.public_address = "192.0.2.7";
      });
    });
    fact("its volume grew outside" + with, kInstance, [&](Bench& b) {
      policy(b, drift);
      b.see_volume([](CloudVolume& v) { v.size_gib = 7; });
    });
  }
}

}  // namespace

TEST_CASE("what is done about each fact of an instance") {
  Facts fact;
  instances(fact);
  fact.check("instances");
}

TEST_CASE("what is done about each fact of an instance with another volume or none") {
  Facts fact;
  other_instances(fact);
  fact.check("other-instances");
}

TEST_CASE("what is done about what was changed outside") {
  Facts fact;
  drifts(fact);
  fact.check("drift");
}
