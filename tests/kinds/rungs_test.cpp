// What the planners do about each fact, and what they say of it: one paragraph a fact in tests/golden/plans/rungs.txt.
// TROVE_UPDATE_GOLDEN=1 writes it anew; read the diff before committing.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "kinds/bench.hpp"

using namespace trove;

namespace {

std::string told(const Bench& b, const Key& key) {
  const Object* object = b.facts.find(key);
  REQUIRE(object);
  const Plan plan = plan_object(*object, b.facts);
  std::ostringstream out;
  for (const Action& action : plan.actions) {
    out << "  does " << action_name(action) << ": " << describe(action);
    if (!action.interrupts.empty()) out << " (" << action.interrupts << ")";
    out << "\n";
  }
  if (!plan.suspects.empty()) out << "  looks again\n";
  if (!plan.waiting_reason.empty()) out << "  waits " << plan.waiting_reason << ": " << plan.waiting_message << "\n";
  if (plan.wake) out << "  wakes in " << format_duration(*plan.wake - b.facts.now) << "\n";
  if (plan.keep_status) {
    out << "  says nothing new\n";
    return out.str();
  }
  if (const std::string& phase = plan.status["phase"].text(); !phase.empty()) out << "  " << phase << "\n";
  for (const Condition& one : conditions_of(plan.status)) {
    const bool usual = one.type == "Ready" || one.type == "Synced" ? one.status == "True" : one.status == "False";
    if (usual && one.message.empty()) continue;
    out << "  " << one.type << "=" << one.status << " " << one.reason << ": " << one.message << "\n";
  }
  return out.str();
}

// Ids are drawn: they are named after what they are of.
std::string named(std::string text, const Bench& b) {
  std::vector<std::pair<std::string, std::string>> names = {
      {b.server.id, "<server>"}, {b.disk.id, "<volume>"}, {b.port.id, "<port>"}, {b.server.token.uid, "<uid>"},
      {b.other.id, "<other server>"}, {b.other_disk.id, "<other volume>"}, {b.disk.token.uid, "<volume uid>"}};
  std::sort(names.begin(), names.end(), [](auto& x, auto& y) { return x.first.size() > y.first.size(); });
  for (const auto& [id, name] : names)
    for (size_t at = 0; (at = text.find(id, at)) != std::string::npos; at += name.size()) {
      const size_t end = at + id.size();
      if (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) {  // sim-1 is no part of sim-12
        at = end - name.size();
        continue;
      }
      text.replace(at, id.size(), name);
    }
  return text;
}

class Facts {
 public:
  // `change` makes the fact true in a world that has converged; the plan of `subject` is told.
  void operator()(const std::string& title, const Key& subject, const std::function<void(Bench&)>& change,
                  const std::string& more = "") {
    INFO(title);
    Bench b(more);
    change(b);
    text_ += "== " + title + "\n" + named(told(b, subject), b);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

const Key kInstance{"p", "DatabaseInstance", "i"}, kVolume{"p", "Volume", "i-data"}, kOwn{"p", "Volume", "own"},
    kDatabase{"p", "Database", "d"}, kUser{"p", "User", "u"};

// A Volume that a person made, and no instance uses.
const char* kOwnVolume = R"(
---
apiVersion: trove/v1alpha1
kind: Volume
metadata: {name: own}
spec: {size: 3, type: fast}
)";

void of_own_volume(Bench& b, const std::function<void(CloudVolume&)>& change) {
  const std::string uid = b.world.get("Volume", "own")->metadata.uid;
  b.see([&](Inventory& i) {
    for (CloudVolume& one : i.volumes)
      if (one.token.uid == uid) change(one);
  });
}
void without_own_volume(Bench& b) {
  const std::string uid = b.world.get("Volume", "own")->metadata.uid;
  b.see([&](Inventory& i) { std::erase_if(i.volumes, [&](const CloudVolume& v) { return v.token.uid == uid; }); });
  b.notice();
}

using Status = CloudVolume::Status;
const std::vector<Status> kEveryStatus = {Status::creating, Status::available, Status::reserved, Status::attaching,
                                          Status::in_use, Status::detaching, Status::extending, Status::retyping,
                                          Status::deleting, Status::error, Status::error_deleting,
                                          Status::error_extending, Status::unknown};
const std::vector<Server::Status> kEveryServer = {
    Server::Status::build,         Server::Status::active, Server::Status::shutoff,  Server::Status::reboot, Server::Status::resize,
    Server::Status::verify_resize, Server::Status::error,  Server::Status::deleting, Server::Status::unknown};

void volumes(Facts& fact) {
  fact("a volume of its own, as wanted", kOwn, [](Bench&) {}, kOwnVolume);
  for (const Status status : kEveryStatus) {
    const std::string word(to_string(status));
    fact("cinder shows a volume of its own " + word, kOwn,
         [&](Bench& b) { of_own_volume(b, [&](CloudVolume& v) { v.status = status; }); }, kOwnVolume);
    fact("a volume of its own is deleted for good while cinder shows it " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, Bench::ended);
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("a volume that never was of use is " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, [](Resource& r) { r.status.set("unused", true); });
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("another type is wanted of a volume that is " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, [](Resource& r) { r.spec.set("type", "slow"); });
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("the instance's volume is " + word + " and its own", kInstance,
         [&](Bench& b) { b.see_volume([&](CloudVolume& v) { v.status = status; }); });
    fact("the instance's volume is " + word + " and no server's", kInstance,
         [&](Bench& b) { b.see_volume([&](CloudVolume& v) { v.status = status, v.server_id.clear(); }); });
  }
  fact("a volume of its own is deleted and kept", kOwn,
       [](Bench& b) { b.know(kOwn, [&](Resource& r) { b.retained(r); }); }, kOwnVolume);
  fact("a volume of its own that is only observed is deleted", kOwn,
       [](Bench& b) {
         b.know(kOwn, [&](Resource& r) {
           Bench::ended(r);
           r.spec.set("managementPolicy", "Observe");
         });
       },
       kOwnVolume);
  fact("a volume of its own that is only observed", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); }); }, kOwnVolume);
  fact("a volume of its own that is suspended", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("suspend", true); }); }, kOwnVolume);
  fact("a volume of its own is to grow", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("size", 9); }); }, kOwnVolume);
  fact("a volume of its own that is gone from the cloud", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
       },
       kOwnVolume);
  fact("a volume of its own that is gone from the cloud is deleted for good", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, Bench::ended);
       },
       kOwnVolume);
  fact("a volume that never was of use is gone from the cloud", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, [](Resource& r) { r.status.set("unused", true); });
       },
       kOwnVolume);
  fact("a volume that may be gone", kOwn, [](Bench& b) { without_own_volume(b); }, kOwnVolume);
  fact("a volume of which nothing was ever asked", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, [](Resource& r) { r.status = Value::map(); });
       },
       kOwnVolume);
  fact("a volume of its own is attached while it is deleted for good", kOwn,
       [](Bench& b) {
         b.know(kOwn, Bench::ended);
         of_own_volume(b, [](CloudVolume& v) { v.server_id = "theirs", v.status = Status::in_use; });
       },
       kOwnVolume);
  fact("two volumes carry one mark", kOwn,
       [](Bench& b) {
         b.see([&](Inventory& i) {
           const std::string uid = b.world.get("Volume", "own")->metadata.uid;
           for (size_t n = 0; n < i.volumes.size(); ++n)
             if (i.volumes[n].token.uid == uid) {
               CloudVolume twin = i.volumes[n];
               twin.id = "twin", twin.created = twin.created + Millis{1'000};
               i.volumes.push_back(twin);
               break;
             }
         });
       },
       kOwnVolume);
  fact("the instance's volume is deleted before it", kVolume, [](Bench& b) { b.know(kVolume, Bench::ended); });
  fact("an instance that goes wants another type of its volume", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.know(kInstance, Bench::ended);
  });
  fact("an instance that is only observed wants another type of its volume", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.know(kInstance, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); });
  });
  fact("the volume of an instance that nobody knows is to change its type", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.facts.remove(kInstance);
  });
}

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

void guests(Facts& fact) {
  const auto state_of = [](Bench& b) -> GuestState& { return b.facts.guests[to_string(b.server.token)]; };
  fact("its guest never called", kInstance, [&](Bench& b) {
    b.facts.guests.clear();
    b.know(kInstance, [](Resource& r) { r.status.erase("conditions"); });
  });
  fact("its guest has not called for a quarter of an hour", kInstance, [&](Bench& b) {
    b.facts.guests.clear();
    b.know(kInstance, [](Resource& r) { r.status.erase("conditions"); });
    b.pass(Millis{900'000});
  });
  fact("its guest has not called since the control plane started", kInstance, [&](Bench& b) {
    b.facts.guests.clear();
    b.facts.started = b.facts.steady;
  });
  fact("its guest has not called since the control plane started, and much is forgotten", kInstance, [&](Bench& b) {
    b.facts.guests.clear();
    b.facts.started = b.facts.steady;
    b.know(kInstance, [](Resource& r) {
      r.status.erase("appliedParameters");
      r.spec.set("rootAccess", true);
    });
  });
  fact("its guest called, and nothing was told it yet", kInstance, [&](Bench& b) {
    state_of(b).document.reset();
    b.facts.started = b.facts.steady;
  });
  fact("its guest is silent", kInstance, [](Bench& b) { b.pass(Millis{100'000}); });
  fact("two machines answer for it", kInstance, [&](Bench& b) { state_of(b).frozen = b.facts.steady; });
  fact("two machines answered for it, long ago", kInstance, [&](Bench& b) {
    state_of(b).frozen = b.facts.steady;
    b.pass(kCloneFreeze);
  });
  for (const char* engine : {"Starting", "Running", "Stopped", "Failed", "Initialising", "Restoring"}) {
    fact(std::string("its engine is ") + engine, kInstance, [&](Bench& b) {
      b.hear([&](guest::Report& r) { r.engine_state = engine, r.engine_message = "as the engine says"; });
    });
    fact(std::string("its engine is ") + engine + " for the first time", kInstance, [&](Bench& b) {
      b.know(kInstance, [](Resource& r) { r.status.erase("conditions"), r.status.erase("bootstrapped"); });
      b.hear([&](guest::Report& r) { r.engine_state = engine, r.engine_message = "as the engine says"; });
    });
  }
  fact("its guest works", kInstance, [](Bench& b) { b.hear([](guest::Report& r) { r.document_digest = "older"; }); });
  fact("its guest works for the first time", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.status.erase("conditions"); });
    b.hear([](guest::Report& r) { r.document_digest = "older"; });
  });
  fact("its restore failed", kInstance,
       [](Bench& b) { b.hear([](guest::Report& r) { r.restore_state = "Failed", r.restore_message = "checksum"; }); });
  fact("it was restored", kInstance, [](Bench& b) { b.hear([](guest::Report& r) { r.restore_state = "Restored"; }); });
  const auto parameter = [](const char* state, bool pending) {
    return [=](Bench& b) {
      b.hear([&](guest::Report& r) {
        r.parameters.push_back({"max_connections", "77", pending, state, "out of range"});
        r.parameters.push_back({"wait_timeout", "9", pending, state, "out of range"});
      });
    };
  };
  fact("the engine refuses parameters", kInstance, parameter("Failed", false));
  fact("parameters nobody asked for differ", kInstance, parameter("Drifted", false));
  fact("parameters wait for a restart", kInstance, parameter("Pending", true));
  fact("parameters wait for a restart that may be", kInstance, [&](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set_path("maintenance.disruptiveChanges", "Immediate"); });
    parameter("Pending", true)(b);
  });
  fact("the engine was started for another flavor", kInstance, [](Bench& b) {
    b.hear([](guest::Report& r) { r.applied_memory_mib = 64; });
  });
  fact("the disk is nearly full", kInstance, [](Bench& b) {
    b.hear([](guest::Report& r) { r.volume_total_bytes = int64_t{2} << 30, r.volume_used_bytes = int64_t{3} << 30; });
  });
}

void items(Facts& fact) {
  for (const Key& key : {kDatabase, kUser}) {
    const std::string what = key.kind == "User" ? "a user" : "a database";
    const auto item = [key](const char* state, const char* message,
                            std::vector<std::pair<std::string, std::string>> changed = {}) {
      return [=](Bench& b) {
        b.hear([&](guest::Report& r) {
          for (auto* list : {&r.databases, &r.users})
            for (guest::ItemState& one : *list)
              if (one.name == key.name) one.state = state, one.message = message, one.changed = changed;
        });
      };
    };
    const auto and_deleted = [key](const std::function<void(Bench&)>& change) {
      return [=](Bench& b) {
        change(b);
        b.know(key, Bench::ended);
      };
    };
    fact(what + ", as wanted", key, [](Bench&) {});
    fact(what + " waits", key, item("Pending", ""));
    fact(what + " is refused", key, item("Failed", "as the engine says"));
    fact(what + " differs", key, item("Drifted", "as the engine says"));
    fact(what + " differs in what is known", key, item("Drifted", "", {{"password", "x"}, {"limits", "5"}, {"grants", "ALL"}}));
    fact(what + " differs, and that is reported", key, [=](Bench& b) {
      b.know(key, [](Resource& r) { r.spec.set("drift", "Report"); });
      item("Drifted", "", {{"limits", "5"}})(b);
    });
    fact(what + " differs while its instance is suspended", key, [=](Bench& b) {
      b.know(kInstance, [](Resource& r) { r.spec.set("suspend", true); });
      item("Drifted", "", {{"limits", "5"}})(b);
    });
    fact(what + " is deleted for good", key, and_deleted([](Bench&) {}));
    fact(what + " is deleted for good and dropped", key, and_deleted(item("Dropped", "")));
    fact(what + " is deleted for good and refused", key, and_deleted(item("Failed", "as the engine says")));
    fact(what + " is deleted and kept", key, [=](Bench& b) { b.know(key, [&](Resource& r) { b.retained(r); }); });
    fact(what + " is deleted for good with its instance", key, and_deleted([](Bench& b) { b.know(kInstance, Bench::ended); }));
    fact(what + " is deleted for good before it was made", key, and_deleted([=](Bench& b) {
           b.know(key, [](Resource& r) { r.status.erase("applied"); });
           b.lose_server();
         }));
    fact(what + " of an instance that is not there", key, [](Bench& b) { b.facts.remove(kInstance); });
    fact(what + " of an instance that is deleted", key, [](Bench& b) { b.know(kInstance, Bench::ended); });
    fact(what + " of an instance that has no server", key, [](Bench& b) { b.lose_server(); });
    fact(what + " of an instance whose guest never called", key, [](Bench& b) { b.facts.guests.clear(); });
    fact(what + " of an instance whose guest is silent", key, [](Bench& b) { b.pass(Millis{100'000}); });
    fact(what + " of an instance whose guest works", key,
         [](Bench& b) { b.hear([](guest::Report& r) { r.document_digest = "older"; }); });
    fact(what + " of an instance whose engine is stopped", key,
         [](Bench& b) { b.hear([](guest::Report& r) { r.engine_state = "Stopped"; }); });
    fact(what + " that is only observed", key,
         [=](Bench& b) { b.know(key, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); }); });
    fact(what + " that is suspended", key, [=](Bench& b) { b.know(key, [](Resource& r) { r.spec.set("suspend", true); }); });
    fact(what + " that the guest does not know", key, [=](Bench& b) {
      b.hear([](guest::Report& r) { r.databases.clear(), r.users.clear(); });
    });
  }
}

}  // namespace

TEST_CASE("what is done about each fact") {
  Facts fact;
  volumes(fact);
  instances(fact);
  guests(fact);
  items(fact);
  const std::string path = std::string(TROVE_SOURCE_DIR) + "/tests/golden/plans/rungs.txt";
  if (std::getenv("TROVE_UPDATE_GOLDEN")) std::ofstream(path) << fact.text();
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  CHECK(fact.text() == golden.str());
}
