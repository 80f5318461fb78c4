// What people write to pick something: a label selector or a JSONPath template in the first line, a document in the
// rest.
#include "cli/output/jsonpath.hpp"
#include "reconciler/api/selector.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"
#include "specs/yaml.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

// A template multiplies what it ranges over; the bounds below keep one input within a second.
constexpr size_t kTemplate = 400, kDocument = 2'000;

void check_selector(std::string_view text, const Value& labels) {
  auto selector = Selector::parse(text);
  if (!selector) {
    expect(selector.error().code == Code::invalid && selector.error().message.size() < 1'000,
           "a bad selector is refused in a few words", [&] { return selector.error().message; });
    return;
  }
  const bool matches = selector->matches(labels);
  if (selector->empty()) return expect(matches, "no condition matches everything");
  expect(matches == Selector::parse(std::string(text) + " ")->matches(labels), "blanks do not matter");
  if (text.size() < 2'000) {
    auto twice = Selector::parse(std::string(text) + "," + std::string(text));
    expect(twice.has_value() && twice->matches(labels) == matches, "a condition said twice is the same");
  }
  // One term alone and its negation.
  if (text.find_first_of(",!=() ") == text.npos) {
    auto negated = Selector::parse("!" + std::string(text));
    expect(negated.has_value() && negated->matches(labels) != matches, "a label is there or it is not");
  }
}

void check_template(std::string_view text, const Value& root) {
  auto out = cli::jsonpath(text, root);
  if (out)
    expect(out->size() <= cli::kTemplateOutput, "what a template makes is bounded");
  else
    expect(out.error().message.size() < 1'000, "a bad template is refused in a few words");
  auto found = cli::find_all(text, root);
  if (!found) return;
  for (const Value* value : *found) {
    expect(value != nullptr, "what was found is there");
    cli::plain_text(*value);
  }
}

void check_explain(std::string_view text) {
  auto told = explain(text);
  if (told)
    expect(!told->empty() && told->size() < 100'000, "an explanation is a page");
  else
    expect(told.error().code == Code::not_found, "an unknown field is not found",
           [&] { return std::string(to_string(told.error().code)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = text_of(data, size);
  const auto query = take(text, "\n").substr(0, kTemplate);
  YamlStream stream = parse_yaml(text.substr(0, kDocument), "in.yaml");
  const Value root = stream.documents.empty() ? Value() : std::move(stream.documents[0]);
  check_selector(query, root);
  check_template(query, root);
  check_explain(query);
  return 0;
}
