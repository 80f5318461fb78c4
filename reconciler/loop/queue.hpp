// Keys that want a look, not events: each at most once, with the best priority and the earliest time that anyone asked
// for. User edits go before events, events before resyncs; within a priority projects take turns. Not synchronised.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include "specs/core/time.hpp"
#include "specs/resource.hpp"

namespace trove {

enum class Priority { user = 0, event = 1, resync = 2 };

class KeyQueue {
 public:
  void add(const Key& key, Priority priority, Millis due);
  void forget(const Key& key);
  // The best key that is due; nullopt when none is.
  std::optional<Key> pop(Millis now);
  std::optional<Millis> next_due() const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Priority priority;
    Millis due;
    uint64_t turn;
  };
  struct Ready {
    Priority priority;
    uint64_t turn;
    Key key;
    auto operator<=>(const Ready&) const = default;
  };
  uint64_t turn_of(const Key& key);
  void settle(Millis now);

  std::map<Key, Entry> entries_;
  std::set<std::pair<Millis, Key>> later_;
  std::set<Ready> ready_;
  std::map<std::string, uint64_t> project_turn_;  // fairness: a project's next key queues behind the others' firsts
  uint64_t base_turn_ = 0;
};

}  // namespace trove
