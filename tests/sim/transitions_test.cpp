#include <catch2/catch.hpp>

#include "reconciler/simulate/explore.hpp"
#include "specs/core/log.hpp"

using namespace trove;
using namespace trove::simulate;

TEST_CASE("every field of every kind has values to change between") {
  for (const std::string& field : fields_without_values()) FAIL_CHECK(field);
}

TEST_CASE("every change of one field ends as if it had been made so or is refused with its name") {
  log::configure(static_cast<log::Level>(99), log::Format::text);
  const auto all = single_transitions();
  size_t refused = 0;
  for (const Transition& transition : all) refused += transition.refused;
  CHECK(all.size() > 200);
  CHECK(refused > 40);
  CHECK(all.size() - refused > 100);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const std::vector<Transition> some(all.begin(), all.begin() + 40);
#else
  const std::vector<Transition>& some = all;
#endif
  Explorer explorer({.threads = 1});
  const Tally tally = explorer.run_transitions(some, false);
  for (const Finding& finding : tally.failures) FAIL_CHECK(finding.violation.what << "\n" << finding.last_lines);
  CHECK(tally.violated == 0);
  CHECK(tally.runs == static_cast<int64_t>(some.size()));
}
