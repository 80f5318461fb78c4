// Text to values, documents and resources; two neighbours of one kind are an edit of each other.
#include "specs/yaml.hpp"
#include "tests/fuzz/documents.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kAmplified = 256u << 10;

void check_limits(std::string_view text, const Lines& lines) {
  constexpr YamlLimits tight{.bytes = 2'000, .nodes = 40, .depth = 6, .documents = 3};
  const YamlStream stream = parse_yaml(text, "in.yaml", tight);
  expect(stream.documents.size() <= tight.documents, "documents are bounded");
  for (const Value& document : stream.documents) check_tree(document, lines, tight.depth);
  if (text.size() > tight.bytes)
    expect(!stream.problems.empty(), "a text over the bound is refused");
  else
    check_problems(stream.problems, lines);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  const Lines lines(text);
  YamlStream stream = parse_yaml(text, "in.yaml");
  check_problems(stream.problems, lines);
  check_limits(text, lines);
  std::vector<Resource> set;
  std::vector<Value> documents;
  for (const Value& document : stream.documents) {
    expect(!document.is_null(), "empty documents are skipped");
    check_tree(document, lines, 64);
    check_round_trips(document);
    if (auto resource = check_document(document, lines)) {
      if (!set.empty()) check_edit(set.back(), *resource, lines);
      set.push_back(std::move(*resource));
      documents.push_back(document);
    }
  }
  check_set(set, documents, lines);
  // Long texts cost time in proportion: what does not passes the fuzzer's limit here.
  if (!text.empty() && hash_of(text) % 256 == 0) {
    std::string longer;
    while (longer.size() < kAmplified) longer += text;
    parse_yaml(longer, "long.yaml");
  }
  return 0;
}
