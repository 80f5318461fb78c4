// How a wait is shown: a live line that rewrites itself on a terminal, one lasting line for each step in a pipe. All on
// stderr. One thread.
#pragma once
#include <string>
#include "cli/context.hpp"

namespace trove::cli {

class Progress {
 public:
  explicit Progress(Context& context) : context_(context) {}
  ~Progress() { clear(); }
  void step(const std::string& line);      // a pipe only: something moved
  void lasting(const std::string& line);   // both
  void live(const std::string& line);      // a terminal only
  void clear();

 private:
  Context& context_;
  bool shown_ = false;
};

}  // namespace trove::cli
