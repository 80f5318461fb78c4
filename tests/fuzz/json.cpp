// JSON text to values, documents and resources.
#include "specs/json.hpp"
#include "tests/fuzz/documents.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kAmplified = 256u << 10;

void check_refusal(const Error& error, const char* what) {
  const bool fine = error.code == Code::invalid || error.code == Code::too_large;
  expect(fine && error.message.starts_with("line ") && error.message.find(", column ") != std::string::npos &&
             error.message.size() < 1'000,
         what, [&] { return error.message; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  const Lines lines(text);
  constexpr JsonLimits tight{.bytes = 4'000'000, .depth = 6, .nodes = 40};
  if (auto small = parse_json(text, tight))
    check_tree(*small, lines, tight.depth);
  else
    check_refusal(small.error(), "JSON that passes a limit is refused with its place");

  auto value = parse_json(text);
  if (value) {
    check_tree(*value, lines, 64);
    check_round_trips(*value);
    if (auto resource = check_document(*value, lines)) {
      check_edit(*resource, *resource, lines);
      check_set({*resource}, {*value}, lines);
    }
    // A list of documents: an edit from each to the next.
    std::optional<Resource> before;
    for (const Value& item : value->items()) {
      auto resource = check_document(item, lines);
      if (resource && before) check_edit(*before, *resource, lines);
      if (resource) before = std::move(resource);
    }
  } else {
    check_refusal(value.error(), "bad JSON is refused with its place");
  }
  if (!text.empty() && hash_of(text) % 256 == 0) {
    std::string longer = "[";
    while (longer.size() < kAmplified) longer.append(text).append(",");
    longer += "0]";
    parse_json(longer);
  }
  return 0;
}
