// What crosses between the control plane and a guest, as the JSON that either may send.
#include "providers/guest/protocol.hpp"
#include "specs/json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

void check_refusal(const Error& error) {
  expect(error.code == Code::invalid && !error.message.empty() && error.message.size() < 300,
         "a bad message is refused in a few words", [&] { return error.message; });
}

template <class Message, class Read>
void check_message(const Value& value, Read read) {
  auto message = read(value);
  if (!message) return check_refusal(message.error());
  const Value printed = to_value(*message);
  auto again = read(printed);
  expect(again.has_value() && *again == *message, "a message reads back as the same",
         [&] { return dump_json(printed) + (again ? "" : "\n" + again.error().message); });
  expect(canonical_json(to_value(*again)) == canonical_json(printed), "and prints the same");
  // As it crosses the wire.
  auto sent = parse_json(dump_json(printed));
  expect(sent.has_value(), "a message is JSON");
  auto received = read(*sent);
  expect(received.has_value() && *received == *message, "a message survives the wire",
         [&] { return dump_json(printed); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto value = parse_json(text_of(data, size), {1u << 20, 16, 100'000});
  if (!value) return 0;
  check_message<guest::Report>(*value, guest::report_from_value);
  check_message<guest::Document>(*value, guest::document_from_value);
  if (auto document = guest::document_from_value(*value)) {
    auto again = guest::document_from_value(guest::to_value(*document));
    expect(guest::digest(*document) == guest::digest(*again), "equal documents have one digest");
  }
  return 0;
}
