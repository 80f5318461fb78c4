// Where a machine's files lie. The program uses these; tests bring a directory of their own. Plain values.
#pragma once
#include <string>

namespace trove::guest {

struct Places {
  std::string join_file = "/etc/trove-guest/join.json";
  std::string state = "/var/lib/trove-guest";
  std::string mount_point = "/var/lib/trove/data-volume";
  std::string sys = "/sys", dev = "/dev";
};

}  // namespace trove::guest
