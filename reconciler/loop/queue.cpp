#include "reconciler/loop/queue.hpp"

#include <algorithm>

namespace trove {

uint64_t KeyQueue::turn_of(const Key& key) {
  uint64_t& turn = project_turn_[key.project];
  turn = std::max(turn, base_turn_) + 1;
  return turn;
}

void KeyQueue::add(const Key& key, Priority priority, Millis due) {
  auto [at, fresh] = entries_.try_emplace(key, Entry{priority, due, 0});
  Entry& entry = at->second;
  if (fresh) {
    entry.turn = turn_of(key);
    later_.insert({due, key});
    return;
  }
  const bool was_ready = ready_.erase({entry.priority, entry.turn, key}) > 0;
  entry.priority = std::min(entry.priority, priority);
  if (was_ready) {
    ready_.insert({entry.priority, entry.turn, key});
  } else if (due < entry.due) {
    later_.erase({entry.due, key});
    later_.insert({due, key});
    entry.due = due;
  }
}

void KeyQueue::forget(const Key& key) {
  auto at = entries_.find(key);
  if (at == entries_.end()) return;
  ready_.erase({at->second.priority, at->second.turn, key});
  later_.erase({at->second.due, key});
  entries_.erase(at);
}

void KeyQueue::settle(Millis now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const Key key = later_.begin()->second;
    later_.erase(later_.begin());
    const Entry& entry = entries_.at(key);
    ready_.insert({entry.priority, entry.turn, key});
  }
}

std::optional<Key> KeyQueue::pop(Millis now) {
  settle(now);
  if (ready_.empty()) return std::nullopt;
  Ready best = *ready_.begin();
  ready_.erase(ready_.begin());
  entries_.erase(best.key);
  base_turn_ = std::max(base_turn_, best.turn);
  if (entries_.empty()) project_turn_.clear();
  return best.key;
}

std::optional<Millis> KeyQueue::next_due() const {
  if (!ready_.empty()) return Millis{0};
  if (later_.empty()) return std::nullopt;
  return later_.begin()->first;
}

}  // namespace trove
