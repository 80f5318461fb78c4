// A planner whose answers the test decides.
#pragma once
#include <string>
#include <vector>
#include "reconciler/api/ports.hpp"

namespace trove {

class FakePlans final : public PlanSource {
 public:
  Result<Value> plan(const std::string& project, const std::vector<Resource>& proposed,
                     const std::vector<Key>& removed) override {
    asked = proposed;
    asked_removed = removed;
    Value steps = Value::list();
    for (const std::string& action : actions)
    {
      Value& step = steps.push_back(Value::map({{"action", action}, {"object", "databaseinstance/orders"}}));
      if (interrupts) step.set("interrupts", "the database stops");
    }
    return Value::map({{"project", project}, {"objects", Value::list()}, {"facts", facts}, {"actions", steps}});
  }
  Result<Value> plan_of(const Key& key) override { return Value::map({{"object", to_string(key)}}); }
  std::vector<Resource> asked;
  std::vector<Key> asked_removed;
  Value facts = Value::map();
  std::vector<std::string> actions;
  bool interrupts = false;
};

}  // namespace trove
