// What happened in a run, one readable line an event, and a hash of it: the same schedule gives the same hash, or
// something in the product reads real time, an address or a thread's order. One thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include "specs/core/time.hpp"

namespace trove::simulate {

class Trace {
 public:
  // `who`: "A" or "B" for a control plane, "cloud", "guest", "person", "fault".
  void add(Millis at, std::string_view who, std::string_view what);
  uint64_t hash() const { return hash_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  uint64_t hash_ = 14695981039346656037ULL;
};

}  // namespace trove::simulate
