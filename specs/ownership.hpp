// Who owns which field of an object, and what an apply by one of several owners makes of it: the rules of server-side
// apply (Kubernetes: "Server-Side Apply", field managers) as pure functions on values. Thread-safe.
//
// A field is named by a JSON pointer below the object: /spec/volume/size, /metadata/labels/app,
// /spec/parameters/max_connections, and in a list whose items have a key /spec/grants/[on=orders.*]/privileges. Any other
// list is one field.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "specs/core/time.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/resource.hpp"

namespace trove {

struct FieldOwner {
  std::string manager;  // "trovectl", "git:shop-prod", "break-glass:kim"
  Time time;            // when it last changed what it owns
  std::string commit, file;
  std::map<std::string, int> fields;  // pointer → line in `file`; 0 = not known
  // Break-glass: when what was taken over goes back, and what stood there. Not set: it lasts.
  Time until;
  struct Displaced {
    Value value;                                       // null = nothing stood there
    std::vector<std::pair<std::string, int>> owners;   // manager, line
  };
  std::map<std::string, Displaced> displaced;
};

struct Ownership {
  std::string set;                  // the apply set that the object is in; "" = none
  bool known = false;               // false: the object is older than its record; whoever applies first owns it whole
  std::vector<FieldOwner> owners;   // in the order of their first apply
  const FieldOwner* find(std::string_view manager) const;
  FieldOwner* find(std::string_view manager);
};
Value to_value(const Ownership& ownership);
Ownership ownership_from_value(const Value& value);
// The same owners of the same fields at the same places; times and commits do not count.
bool same_owners(const Ownership& a, const Ownership& b);

struct FieldConflict {
  std::string pointer;
  FieldOwner owner;   // without its fields
  int line = 0;       // in the owner's file
  Value theirs, ours;
};
enum class Taking { refuse, force, replace };  // what others own: a conflict; taken over; the same, and the rest goes
struct Merged {
  Resource resource;      // `current` with labels, annotations and spec merged
  Ownership ownership;
  std::vector<FieldConflict> conflicts;  // not empty: nothing of this may be stored
  std::vector<std::string> held;         // pointers that a break-glass edit holds against `who` for now
};
// `who` applies `wanted` (labels, annotations and spec count; located) to `current`. `who.fields` is filled in here.
// A field that `who` owned and does not name any more goes, unless somebody else owns it too. Fields that nobody owns
// stay as they are. Sensitive values are compared as they are stored: the caller has sealed them.
Merged merge_apply(const Kind& kind, const Resource& current, const Ownership& ownership, const Resource& wanted,
                   FieldOwner who, Taking taking);
// What a new object's apply owns.
Ownership own_all(const Kind& kind, const Resource& wanted, FieldOwner who);
// Ends the break-glass edits that are due at `now`: values go back to what their owners want. Nothing is due: no
// conflict, and the same object.
Merged end_break_glass_of(const Resource& current, const Ownership& ownership, Time now);
// When the next one is due; not set = none.
Time next_break_glass_end(const Ownership& ownership);

// "/spec/volume/size" as people write it: "spec.volume.size".
std::string dotted(std::string_view pointer);
// "git:shop-prod (commit 9f31c2e, prod/orders.yaml:6)"
std::string told(const FieldOwner& owner, int line);

}  // namespace trove
