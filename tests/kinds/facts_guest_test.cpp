// What is done about each thing that a guest says, and about its databases and users.
#include "kinds/facts.hpp"

using namespace trove;

namespace {

const Key kDatabase{"p", "Database", "d"}, kUser{"p", "User", "u"};

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

TEST_CASE("what is done about each word of a guest") {
  Facts fact;
  guests(fact);
  fact.check("guests");
}

TEST_CASE("what is done about each fact of a database and of a user") {
  Facts fact;
  items(fact);
  fact.check("items");
}
