#include <catch2/catch.hpp>

#include "reconciler/loop/queue.hpp"

using namespace trove;

namespace {
Key key(const std::string& name, const std::string& project = "p") { return {project, "Volume", name}; }
}  // namespace

TEST_CASE("a key asked for many times is looked at once at the earliest time and best priority") {
  KeyQueue queue;
  queue.add(key("a"), Priority::resync, Millis{100});
  queue.add(key("a"), Priority::user, Millis{50});
  queue.add(key("a"), Priority::event, Millis{80});
  CHECK(queue.size() == 1);
  CHECK_FALSE(queue.pop(Millis{49}));
  CHECK(queue.next_due() == Millis{50});
  CHECK(queue.pop(Millis{50}) == key("a"));
  CHECK_FALSE(queue.pop(Millis{200}));
}

TEST_CASE("user edits go before events and events before resyncs") {
  KeyQueue queue;
  queue.add(key("resync"), Priority::resync, Millis{0});
  queue.add(key("event"), Priority::event, Millis{0});
  queue.add(key("user"), Priority::user, Millis{0});
  CHECK(queue.pop(Millis{0}) == key("user"));
  CHECK(queue.pop(Millis{0}) == key("event"));
  CHECK(queue.pop(Millis{0}) == key("resync"));
}

TEST_CASE("a project with many keys does not starve a project with one") {
  KeyQueue queue;
  for (int i = 0; i < 100; ++i) queue.add(key("k" + std::to_string(i), "big"), Priority::event, Millis{0});
  queue.add(key("one", "small"), Priority::event, Millis{0});
  int place = 0;
  while (auto k = queue.pop(Millis{0})) {
    ++place;
    if (k->project == "small") break;
  }
  CHECK(place <= 2);
}

TEST_CASE("a forgotten key never comes") {
  KeyQueue queue;
  queue.add(key("a"), Priority::user, Millis{0});
  queue.add(key("b"), Priority::user, Millis{10});
  queue.forget(key("a"));
  queue.forget(key("b"));
  CHECK_FALSE(queue.pop(Millis{100}));
  CHECK(queue.size() == 0);
}

TEST_CASE("a key that became due keeps its place when its priority rises") {
  KeyQueue queue;
  queue.add(key("a"), Priority::resync, Millis{0});
  queue.add(key("b"), Priority::event, Millis{0});
  CHECK(queue.pop(Millis{0}) == key("b"));
  queue.add(key("c"), Priority::event, Millis{0});
  queue.add(key("a"), Priority::user, Millis{5});
  CHECK(queue.pop(Millis{0}) == key("a"));
  CHECK(queue.pop(Millis{0}) == key("c"));
}
