// Small texts with a meaning: durations, times, sizes, tokens, encodings. The same text is tried as each of them.
#include "providers/cloud.hpp"
#include "providers/http/client.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/time.hpp"
#include "specs/core/utf8.hpp"
#include "specs/json.hpp"
#include "specs/kinds/parameters.hpp"
#include "specs/yaml_scalar.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

void check_times(std::string_view text) {
  if (auto duration = parse_duration(text)) {
    expect(duration->count() >= 0, "a duration is not negative");
    const std::string printed = format_duration(*duration);
    expect(parse_duration(printed) == duration, "a duration reads back", [&] { return printed; });
    expect(!format_age(*duration).empty(), "an age is printed");
  }
  if (auto time = parse_time(text)) {
    const std::string printed = format_time(*time);
    expect(parse_time(printed) == time, "a time reads back", [&] { return printed; });
    expect(printed.size() <= 32, "a time is short", [&] { return printed; });
  }
}

void check_parameter(Engine engine, std::string_view name, const Value& value) {
  const auto plain = render_parameter(engine, name, value, 0);
  const auto rendered = render_parameter(engine, name, value, 4'096);
  expect(!find_parameter(engine, name) || rendered.has_value() == plain.has_value() || !plain.has_value() ||
             plain->find("%ram") != std::string::npos,
         "memory matters to shares of it only", [&] { return std::string(name) + ": " + dump_json(value); });
  expect(is_owned_parameter(engine, name).empty() || !rendered, "what belongs to trove cannot be set");
  if (!rendered) return expect(rendered.error().code == Code::invalid, "a bad value is invalid");
  for (unsigned char c : *rendered)
    expect(!is_control(c), "no value breaks a line of a configuration file", [&] { return dump_json(value); });
  expect(rendered->size() <= 5'000, "a value is bounded");
  const std::string canonical = canonical_parameter(engine, name);
  expect(canonical_parameter(engine, canonical) == canonical, "a canonical name is its own",
         [&] { return std::string(name) + " " + canonical; });
  const auto again = render_parameter(engine, canonical, value, 4'096);
  expect(again.has_value() && *again == *rendered, "a parameter means the same in every spelling",
         [&] { return std::string(name) + " " + canonical + ": " + dump_json(value); });
}

void check_parameters(std::string_view text) {
  std::string_view rest = text;
  const auto name = take(rest, "\n");
  for (Engine engine : {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached}) {
    check_parameter(engine, name, Value(rest));
    check_parameter(engine, name, read_plain_scalar(rest).value);
  }
}

void check_printing(std::string_view text) {
  const std::string seen = visible(text, 100);
  expect(find_invalid_utf8(seen) == std::string::npos, "what is printed is UTF-8", [&] { return seen; });
  for (unsigned char c : seen) expect(!is_control(c), "nothing printed moves the cursor", [&] { return seen; });
  expect(visible(seen, 1'000) == seen, "printing twice changes nothing", [&] { return seen; });
  expect(seen.size() <= 100 * 8 + 3, "what is printed is cut");
  const std::string quoted = visible(text, 100, true);
  for (size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\')
      ++i;
    else
      expect(quoted[i] != '"', "a quote inside quotes is escaped", [&] { return quoted; });
  }
}

void check_encodings(std::string_view text) {
  std::string bytes;
  expect(from_base64(base64(text), bytes) && bytes == text, "base64 reads back");
  if (from_base64(text, bytes))
    expect(base64(bytes) == text, "one text of base64 for the same bytes", [&] { return base64(bytes); });
  const std::string encoded = http::percent_encode(text);
  expect(encoded.size() <= 3 * text.size() && encoded.find_first_of(" /?#&=+\r\n") == std::string::npos,
         "a percent-encoded text stays where it is put");
  if (auto token = token_from(text)) {
    expect(token_from(to_string(*token)) == token, "a token reads back", [&] { return to_string(*token); });
    expect(token->incarnation >= 0, "an incarnation is a count");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(data, size);
  check_times(text);
  check_parameters(text);
  check_printing(text);
  check_encodings(text);
  return 0;
}
