// The pieces that decode.cpp, metadata.cpp, formats.cpp, checks.cpp and update.cpp share: where a problem is and how it
// is said. For these files only. Plain values on the stack; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include "specs/kinds/field_tree.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"
#include "specs/value.hpp"

namespace trove::decoding {

inline constexpr size_t kMostProblems = 200;       // of one document; nobody reads more
inline constexpr size_t kMostMapEntries = 256;     // labels, annotations, values of a Secret, parameters
inline constexpr size_t kMostLabelValue = 63;
inline constexpr size_t kMostAnnotation = 64 << 10;
inline constexpr size_t kMostGenerateName = 57;    // leaves room for what is added

// The way from the document to a value, as links on the stack: a text is made of it only when there is a problem.
struct Trail {
  const Trail* parent = nullptr;
  std::string_view key = {};    // "" in a list
  size_t index = 0;
  Trail member(std::string_view name) const { return {this, name, 0}; }
  Trail item(size_t i) const { return {this, {}, i}; }
  std::string text() const;     // "spec.grants[0].on"
};

// Adds problems up to the bound; the last one says that there are more.
class Sink {
 public:
  explicit Sink(Problems& problems) : problems_(problems), first_(problems.size()) {}
  void add(Position at, std::string path, std::string message, std::string hint = {}, Code code = Code::invalid);
  void add(Position at, const Trail& trail, std::string message, std::string hint = {}) {
    add(at, trail.text(), std::move(message), std::move(hint));
  }
  bool full() const { return problems_.size() - first_ >= kMostProblems; }

 private:
  Problems& problems_;
  size_t first_;
};

// "\"…\"" of user text, safe and short.
std::string quote(std::string_view text);
// "the number 5.7", "the boolean true", "a list": what was found, for a message. Never used for sensitive values.
std::string describe(const Value& value);

// "an integer", "a map": what was found, without showing it.
std::string type_with_article(const Value& value);

// Empty = fine. The message follows the path: '"Orders" is not a name: …'.
struct Complaint {
  std::string message, hint;
  bool none() const { return message.empty(); }
};
Complaint check_format(Format format, std::string_view text);
// Format, length, enumeration, and control characters.
Complaint check_text(const Field& field, std::string_view text);
Complaint check_integer(const Field& field, int64_t number);
std::string range_of(const Field& field);       // "1 to 16384 GiB"; "" when unbounded
std::string words(const std::vector<std::string_view>& values);   // "Retain, Delete"

void decode_metadata(const Value& document, const Kind& kind, std::string_view project, Metadata& out, Sink& sink);

// That every pointer of ignoreDrift names something that this kind has; in ignore_drift.cpp.
void check_ignore_drift(const Kind& kind, const Value& located_spec, Sink& sink);

// What product plans but this release does not have: said instead of "unknown field". `path` is below spec and without
// "[]". "" = not known either.
std::string unsupported_field(std::string_view kind, std::string_view path);
bool unsupported_kind(std::string_view name);
bool unsupported_value(std::string_view path, std::string_view value);

// The position of `path` ("spec.volume.size") in a located spec, or of the nearest thing above it that was written.
Position position_of(const Value& spec, std::string_view path);

}  // namespace trove::decoding
