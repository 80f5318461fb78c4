// What is done about each fact of an operation, of parameters and of secrets, and of what nobody stands for.
#include "kinds/facts.hpp"

using namespace trove;

namespace {

const Key kOperation{"p", "Operation", "o"}, kGroup{"p", "ConfigurationGroup", "oltp"};
const char* kRestart = R"(
---
apiVersion: trove/v1alpha1
kind: Operation
metadata: {name: o}
spec: {instanceRef: {name: i}, restart: {}}
)";
const char* kTuned = R"(
---
apiVersion: trove/v1alpha1
kind: ConfigurationGroup
metadata: {name: oltp}
spec: {datastore: {type: mariadb}, parameters: {max_connections: 200}}
)";

void others(Facts& fact) {
  const auto phase = [](const char* is) {
    return [is](Bench& b) { b.know(kOperation, [&](Resource& r) { r.status.set("phase", is); }); };
  };
  for (const char* is : {"Pending", "Running", "Succeeded", "Failed"}) {
    fact(std::string("a restart is ") + is, kOperation, phase(is), kRestart);
    fact(std::string("a restart that is ") + is + " is old", kOperation,
         [&](Bench& b) {
           phase(is)(b);
           b.pass(Millis{400 * 86'400'000LL});
         },
         kRestart);
    fact(std::string("an instance whose restart is ") + is, kInstance, phase(is), kRestart);
  }
  fact("a restart is deleted", kOperation, [](Bench& b) { b.know(kOperation, Bench::marked); }, kRestart);
  fact("an instance whose restart is deleted", kInstance,
       [&](Bench& b) {
         phase("Running")(b);
         b.know(kOperation, Bench::marked);
       },
       kRestart);
  fact("a restart of an instance that is gone", kOperation,
       [&](Bench& b) {
         phase("Pending")(b);
         b.facts.remove(kInstance);
       },
       kRestart);
  const auto second = [&](const char* is) {
    return [&, is](Bench& b) {
      phase("Pending")(b);
      Resource first = *b.world.get("Operation", "o");
      first.metadata.name = "first", first.metadata.uid = "first";
      first.metadata.creation_timestamp = first.metadata.creation_timestamp - Millis{1'000};
      first.status.set("phase", is);
      b.facts.put(make_object(first));
    };
  };
  for (const char* is : {"Running", "Succeeded", "Failed"}) {
    fact(std::string("a restart after one that is ") + is, kOperation, second(is), kRestart);
    fact(std::string("an instance with a restart after one that is ") + is, kInstance, second(is), kRestart);
  }
  fact("a restart whose engine is not up yet", kOperation,
       [&](Bench& b) {
         phase("Running")(b);
         b.hear([](guest::Report& r) { r.engine_state = "Starting"; });
       },
       kRestart);
  fact("a restart whose guest works", kOperation,
       [&](Bench& b) {
         phase("Running")(b);
         b.hear([](guest::Report& r) { r.document_digest = "older"; });
       },
       kRestart);
  fact("a restart whose guest never called", kOperation,
       [&](Bench& b) {
         phase("Running")(b);
         b.facts.guests.clear();
       },
       kRestart);

  const auto tuned = [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set_path("configurationRef.name", "oltp"); });
  };
  fact("parameters nobody uses", kGroup, [](Bench&) {}, kTuned);
  fact("parameters that an instance uses", kGroup, tuned, kTuned);
  fact("parameters nobody uses are deleted", kGroup, [](Bench& b) { b.know(kGroup, Bench::marked); }, kTuned);
  fact("parameters that an instance uses are deleted", kGroup,
       [&](Bench& b) {
         tuned(b);
         b.know(kGroup, Bench::marked);
       },
       kTuned);
  fact("parameters are deleted with the instance that uses them", kGroup,
       [&](Bench& b) {
         tuned(b);
         b.know(kGroup, Bench::marked);
         b.know(kInstance, Bench::marked);
       },
       kTuned);
  fact("an instance begins to use parameters", kInstance, tuned, kTuned);
  fact("an instance uses parameters that are not there", kInstance, tuned);
  fact("an instance leaves parameters", kInstance, [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.status.set("appliedParameters", Value::map({{"max_connections", "200"}})); });
  });

  const auto rooted = [](Bench& b) {
    b.know(kInstance, [](Resource& r) { r.spec.set("rootAccess", true); });
    Resource secret;
    secret.kind = "Secret";
    secret.metadata = {.name = "i-root", .project = "p", .uid = "root-uid"};
    secret.metadata.owner_references.push_back({"DatabaseInstance", "i", b.server.token.uid});
    b.facts.put(make_object(secret));
    b.facts.verifiers[kInstance] = "*0123456789ABCDEF0123456789ABCDEF01234567";
  };
  fact("root is let in", kInstance, rooted);
  fact("root is shut out", kInstance, [&](Bench& b) {
    rooted(b);
    b.know(kInstance, [](Resource& r) { r.spec.set("rootAccess", false), r.status.set("rootEnabled", true); });
  });
  fact("root is shut out, and the engine has heard", kInstance, [&](Bench& b) {
    rooted(b);
    b.know(kInstance, [](Resource& r) { r.spec.set("rootAccess", false), r.status.set("rootEnabled", false); });
  });
}

// What nobody's object stands for any more.
void left_behind(Facts& fact) {
  Bench b;
  const auto token = [](const char* role) { return Token{kNobody, role, 1}; };
  b.see([&](Inventory& i) {
    for (const auto status : kEveryServer)
      i.servers.push_back({.id = "s " + std::string(to_string(status)), .token = token("server-0"), .status = status});
    for (const auto status : kEveryStatus)
      i.volumes.push_back({.id = "v " + std::string(to_string(status)), .token = token("data"), .status = status});
    i.volumes.push_back({.id = "v attached", .token = token("data"), .status = Status::in_use, .server_id = "s"});
    i.ports.push_back({.id = "p", .token = token("port-0")});
    i.ports.push_back({.id = "p in use", .token = token("port-0"), .device_id = "s"});
    i.strays.push_back({.id = "f", .name = "192.0.2.9", .token = token("port-0")});
    i.objects.push_back({"p/" + std::string(kNobody), 1});
    i.objects.push_back({"q/" + std::string(kNobody), 1});
    // What carries no mark, whatever it looks like.
    i.servers.push_back({.id = "theirs", .status = Server::Status::active});
    i.ports.push_back({.id = "their port"});
  });
  std::string text;
  const auto list = [&](const std::string& title, const std::vector<Action>& actions) {
    text += "== " + title + "\n";
    for (const Action& action : actions) text += "  does " + std::string(action_name(action)) + ": " + describe(action) + "\n";
  };
  list("nothing is known of their owner", plan_orphans(b.facts));
  for (const bool destroy : {false, true}) {
    b.buried(destroy);
    list(std::string("their owner was deleted ") + (destroy ? "for good" : "and kept"), plan_orphans(b.facts));
  }
  b.facts.gone = std::make_shared<std::map<std::string, Gone>>();
  b.facts.leaks = find_leaks(b.facts, [](const std::string& uid) { return uid != kNobody; });
  list("they have leaked", plan_leaks(b.facts));
  b.facts.remove_leaks_after = Millis{1'000};
  list("they have leaked, and are to go after a while", plan_leaks(b.facts));
  b.pass(Millis{1'000});
  list("they have leaked, and it is time", plan_leaks(b.facts));
  for (const auto& [id, leak] : b.facts.leaks) text += "  leaked " + std::string(to_string(leak.what)) + " " + id + "\n";
  fact.add(text);
}

}  // namespace

TEST_CASE("what is done about each fact of operations, parameters and root") {
  Facts fact;
  others(fact);
  fact.check("others");
}

TEST_CASE("what is done about what is left behind") {
  Facts fact;
  left_behind(fact);
  fact.check("left-behind");
}
