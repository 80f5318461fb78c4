// What one apply is about to write. Private to the Applier's files.
#pragma once
#include "reconciler/api/applier.hpp"
#include "reconciler/api/snapshot.hpp"

namespace trove {

struct Applier::Draft {
  const ApplyOrder& order;
  std::vector<Resource> wanted;    // decoded, in the order of the sources
  std::vector<Problems> missing;   // of each: what a whole object would need, and this one leaves to others
  // Made anew by every check():
  ApplyResult result;
  std::vector<Resource> merged;    // of each source: as it will be
  std::vector<Ownership> owners;   // of each
  std::vector<bool> owners_changed;
};

// Checks that need more than one object. `changed` are indexes into `set`: what stays as it is was checked before.
void check_rules(const std::vector<Resource>& set, const std::vector<size_t>& changed, Snapshot& snapshot,
                 Findings& findings);

void add(Findings& findings, size_t document, std::string path, std::string message, Code code, std::string hint = {});
// Takes what a function of specs/ found wrong with one document.
void take(Findings& findings, Problems&& problems, size_t document, std::string_view code = {});

}  // namespace trove
