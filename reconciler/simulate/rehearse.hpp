// `troved simulate`: what would become of a person's own files. The whole control plane runs over a simulated cloud,
// once without and many times with faults, and says whether the set converges, in how many actions, how long that
// takes, how long a database was interrupted, and which invariants held.
#pragma once
#include <iosfwd>
#include <string>
#include <vector>
#include "reconciler/simulate/schedule.hpp"

namespace trove::simulate {

struct Rehearsal {
  std::vector<std::string> files;  // YAML or JSON; a folder: its files; "-": standard input
  std::string faults = "default";  // default, none, all, or names: "crash,late,lose-server"
  int64_t runs = 200;
  uint64_t seed = 1;
  std::string schedule;  // one run of exactly this
  bool trace = false;    // one run, and everything that happens in it
  bool json = false;
  int threads = 2;
};
// Writes the result to `out`, what is wrong with the files to `err`. The exit status: 0 all runs converged and nothing
// broke, 2 the files or the arguments are wrong, 8 the set does not get ready, 9 an invariant broke.
int rehearse(const Rehearsal& rehearsal, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace trove::simulate
