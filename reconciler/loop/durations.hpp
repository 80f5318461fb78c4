// How long actions take in this cloud, from being asked for to their effect: learned from what was done here, for plans
// to say what to expect. The latest kWindow of each action count; what is stored of them is read at the start.
// Belongs to the loop's thread.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include "specs/core/time.hpp"
#include "specs/resource.hpp"

namespace trove {

class Durations {
 public:
  static constexpr size_t kWindow = 500;

  struct Finished {
    std::string action;
    Millis took{0};
  };
  struct Expected {
    Millis p50{0}, p95{0};
    size_t n = 0;
  };

  void began(const Key& key, std::string action, Time steady);
  // Whatever was on its way for `key` has had its effect: its next action is due, or nothing is left to do.
  std::optional<Finished> ended(const Key& key, Time steady);
  void failed(const Key& key) { under_way_.erase(key); }
  void add(const std::string& action, Millis took);
  std::optional<Expected> expected(const std::string& action) const;

 private:
  struct UnderWay {
    std::string action;
    Time since;  // steady
  };
  std::map<Key, UnderWay> under_way_;
  std::map<std::string, std::deque<Millis>> seen_;
};

}  // namespace trove
