// The guardian: design.md's invariants as code in front of every effect, whatever the planner says. It is the only
// place from which a destructive action can pass, and it decides from facts of its own: the inventory and fresh reads
// of the store. Called by the loop's thread only.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include "reconciler/kinds/plan.hpp"

namespace trove {

// A fresh read of one object; an Error means unknown, and then nothing destructive passes.
using FreshRead = std::function<Result<std::optional<Resource>>(const Key&)>;

class Guardian {
 public:
  explicit Guardian(FreshRead read) : read_(std::move(read)) {}
  // denied with the invariant's name and the facts when the action may not pass. `replaced` server creations are
  // counted by the brake: when more than max(3, 5 %) of the instances would be replaced within a minute, something
  // upstream lies.
  Result<void> check(const Action& action, const World& world);

 private:
  Result<void> leak(const Action& action, const World& world, const std::string& id, const Token& token) const;
  Result<const Gone*> orphan(const Action& action, const World& world, const std::string& uid) const;
  Result<void> check_cloud(const CloudAction& action, const Action& whole, const World& world);
  Result<void> check_document(const PutGuestDocument& put, const Action& whole, const World& world);
  Result<const Object*> owner(const Action& action, const World& world, const std::string& uid) const;

  FreshRead read_;
  std::map<Token, Time> replacements_;  // first tried at; a retry of one token counts once
};

}  // namespace trove
