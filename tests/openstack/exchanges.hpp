// One list of raw requests (exchanges.yaml), asked of any cloud that speaks OpenStack's APIs, and its answers as text:
// what providers/openstack reads of them, with ids, times and hosts replaced by names. The real cloud's text is the
// golden file; the simulated cloud has to give the same. How the list is written stands at its top.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/time.hpp"

namespace trove {

struct ExchangeRun {
  // $auth $user $password $project, $other_user $other_password $other_project (somebody in another project),
  // $image_name, $shared_network (of which $user is not the owner), $run (a uid that nothing else carries).
  std::map<std::string, std::string> given;
  std::function<Time()> now;
  std::function<void(Millis)> wait;
  std::function<void(const std::string& line)> progress;  // may be empty
  Millis patience{300'000};                               // of one `until`
};

struct Exchanged {
  std::string text;     // of all answers
  std::string trouble;  // why the list was not finished; then all that it made is deleted nevertheless
  int count = 0;
};
Result<Exchanged> exchange_all(const std::string& list, const ExchangeRun& run);

// Lines that differ, as "- wanted" and "+ got" under the exchange's name; lines of a service's own words ("~") do not
// count.
std::vector<std::string> exchange_differences(const std::string& golden, const std::string& got);

}  // namespace trove
