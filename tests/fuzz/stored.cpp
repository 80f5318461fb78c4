// What the store holds, as a damaged disk, an older release or a stranger's hand may leave it: "key\nvalue" records
// with a line "%%" between. Reading answers or says that something is corrupt; what could be read is written back the
// same.
#include "reconciler/objects.hpp"
#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/clock.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kRecords = 16;

void check_value(const std::string& value) {
  auto resource = Objects::parse_spec(value, 7);
  if (!resource) {
    expect(resource.error().code == Code::corrupt, "what cannot be read is corrupt");
  } else {
    expect(resource->metadata.resource_version == 7, "the revision is the store's");
    const std::string written = dump_json(to_value(*resource));
    auto again = Objects::parse_spec(written, 7);
    expect(again.has_value() && again->kind == resource->kind && again->metadata == resource->metadata &&
               again->spec == resource->spec && again->status == resource->status,
           "a stored object is written back as it was read", [&] { return written; });
    for (const Condition& condition : conditions_of(resource->status)) to_value(condition);
    Objects::parse_status(value, resource->metadata.uid);
  }
  auto parsed = parse_json(value);
  if (!parsed) return;
  const Event event = event_from_value(*parsed);
  const Value printed = to_value(event);
  expect(to_value(event_from_value(printed)) == printed, "an event is written back as it was read",
         [&] { return dump_json(printed); });
}

void check_key(const std::string& key) {
  const auto parsed = Objects::key_of(key);
  if (!parsed) return;
  expect(Objects::spec_key(*parsed) == key || Objects::status_key(*parsed) == key, "a key is the object's own",
         [&] { return key; });
}

void check_failure(const Error& error) {
  expect(error.code == Code::corrupt, "what cannot be read is corrupt", [&] { return error.message; });
}

void check_objects(Objects& objects, const std::vector<Key>& keys) {
  for (const Kind& kind : all_kinds()) {
    for (const char* project : {"", "shop"}) {
      std::string after;
      size_t pages = 0;
      do {
        auto page = objects.list(project, std::string(kind.name), 2, after);
        if (!page) {
          check_failure(page.error());
          break;
        }
        after = page->next;
        expect(++pages <= kRecords + 1, "a list ends");
      } while (!after.empty());
    }
  }
  for (const Key& key : keys) {
    auto got = objects.get(key);
    if (!got) {
      check_failure(got.error());
      continue;
    }
    if (!*got) continue;
    if (auto history = objects.history((*got)->metadata.uid); !history) check_failure(history.error());
    if (auto events = objects.events(key, 10); !events) check_failure(events.error());
    Resource fresh;
    fresh.kind = key.kind;
    fresh.metadata.name = key.name;
    fresh.metadata.project = key.project;
    (void)objects.take_retained(fresh);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = text_of(data, size);
  FakeClock clock;
  auto store = open_memory_store(clock);
  Objects objects(*store, clock);
  std::vector<Key> keys;
  for (size_t records = 0; !text.empty() && records < kRecords; ++records) {
    std::string_view record = take(text, "\n%%\n");
    const std::string key(take(record, "\n")), value(record);
    check_value(value);
    check_key(key);
    Txn txn;
    txn.ops.push_back({Op::Kind::put, key, value, 0});
    if (auto done = store->commit(txn); !done) {
      expect(done.error().code == Code::invalid || done.error().code == Code::too_large, "a write is refused with why");
      continue;
    }
    auto back = store->get(key);
    expect(back.has_value() && back->has_value() && (*back)->value == value, "a stored value is the one written");
    if (auto parsed = Objects::key_of(key)) keys.push_back(*parsed);
  }
  check_objects(objects, keys);
  return 0;
}
