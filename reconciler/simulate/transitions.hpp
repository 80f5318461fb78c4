// Changes of specs, generated from the tables of fields: every field from each of its values to each other one, and
// pairs of fields at once. What may change has to end where an instance that was made so from the start ends; what may
// not has to be refused by the API, and nothing may come of it. Thread-safe.
#pragma once
#include <string>
#include <vector>
#include "reconciler/simulate/scenario.hpp"

namespace trove::simulate {

struct Transition {
  std::string name;  // "DatabaseInstance flavor: db.tiny to db.small"
  Scenario changed;  // made one way, then changed
  Scenario fresh;    // made the other way from the start; for a refused one: the way it was made first
  bool refused = false;
};

// All single changes; the ways out of an error (a flavor that does not exist, and back).
std::vector<Transition> single_transitions();
// Two fields of one object changed in one apply.
std::vector<Transition> paired_transitions();
// "Kind.field" of every row for which no values are known; empty, or the tables have grown and this file has not.
std::vector<std::string> fields_without_values();

}  // namespace trove::simulate
