// Plans that are kept until somebody says that they are to be carried out: what would be done, what that rests on, and the
// order itself, sealed. REST (plan.cpp) and GitSources that wait for an approval (reconciler/gitops) go the same way
// through here. Holds nothing itself: any number of them may work on one store. Thread-safe.
#pragma once
#include <string>
#include <vector>
#include "reconciler/api/applier.hpp"
#include "reconciler/api/ports.hpp"

namespace trove {

bool is_plan_id(std::string_view text);  // "pl-7f3a21c0"

class PlanBook {
 public:
  PlanBook(Objects& objects, Applier& applier, const Sealer& sealer, Rng& rng, const Clock& clock, PlanSource& plans)
      : objects_(objects), applier_(applier), sealer_(sealer), rng_(rng), clock_(clock), plans_(plans) {}

  struct Proposal {
    Value plan;         // as people read it; with an id once it is kept
    Value base;         // each object as it was
    ApplyOrder order;   // what carrying it out does
    ApplyResult ahead;  // what that would store
  };
  // What `order` would do. Keeps nothing. `blocked`: what is to be deleted and may not be; shown as such.
  Attempt<Proposal> propose(ApplyOrder order, const std::vector<Key>& blocked = {});
  // From now on the plan has an id, by which it is found for a week.
  Attempt<void> keep(Proposal& proposal);
  Attempt<Value> get(const std::string& project, const std::string& id);
  // Exactly that, or a refusal that names what moved. A plan of a GitSource ("git:shop-prod") is carried out for that
  // one only: the commit and its signature have to hold as well, and nobody else looks at those.
  Attempt<ApplyResult> carry_out(const std::string& project, const std::string& id, const std::string& author,
                                 const std::string& git_set = {});
  Attempt<void> drop(const std::string& project, const std::string& id);

  // Is a kept plan still what one would make now? "" = it is; otherwise what is different. Three depths: of the objects
  // alone, which is cheap; of what it was asked to do; of all of it.
  Attempt<std::string> moved(const std::string& project, const std::string& id);
  Attempt<bool> asks(const std::string& project, const std::string& id, const ApplyOrder& order);
  Attempt<std::string> differs(const std::string& id, const Proposal& now);

  // Applies what changes no object: who owns a field, and from which file and line, is all that may. nullopt: it would
  // change more, and nothing was done. `ahead`: what would be done, either way.
  struct Ahead {
    std::vector<bool> changes;  // of each source
    std::vector<Applied> leaving;
  };
  Attempt<std::optional<ApplyResult>> settle(const ApplyOrder& order, Ahead& ahead);
  // Of the store: while it is the same, nothing moved.
  Revision revision() { return objects_.store().revision(); }

 private:
  Attempt<Value> plan_ahead(const std::string& project, const ApplyResult& ahead);
  Attempt<void> store(const std::string& project, const std::string& id, const std::string& text);
  Attempt<Value> record(const std::string& project, const std::string& id);

  Objects& objects_;
  Applier& applier_;
  const Sealer& sealer_;
  Rng& rng_;
  const Clock& clock_;
  PlanSource& plans_;
};

}  // namespace trove
