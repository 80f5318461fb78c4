// What must hold of every value that a parser made, and of every document that was decoded or refused. Shared by the
// targets whose input becomes documents. Each function ends the program when a promise is broken.
#pragma once
#include <optional>
#include <string_view>
#include <vector>
#include "specs/problem.hpp"
#include "specs/resource.hpp"
#include "specs/value.hpp"

namespace trove::fuzz {

// The lines of a text, to judge positions by.
class Lines {
 public:
  explicit Lines(std::string_view text);
  // Within a line, or just behind its end, where something is missing.
  bool hold(Position at) const;

 private:
  std::vector<int> lengths_;
};

// Every node and key was written somewhere, and no deeper than `depth`.
void check_tree(const Value& value, const Lines& lines, int depth);
// Printed as YAML and JSON it is read back as the same, and is not much longer than what it says.
void check_round_trips(const Value& value);
// Positions, printable text, a bound.
void check_problems(const Problems& problems, const Lines& lines);

// Decodes; either a resource or problems. A resource goes all ways that a stored one goes.
std::optional<Resource> check_document(const Value& document, const Lines& lines);
// An edit from one to the other: differences and what may not change.
void check_edit(const Resource& before, const Resource& after, const Lines& lines);
// Several documents that refer to each other.
void check_set(const std::vector<Resource>& set, const std::vector<Value>& documents, const Lines& lines);

// How often the canary stands in values of Secrets, and in a text: when the numbers are equal it stands nowhere else.
size_t canaries_in_secrets(const Value& document);
size_t canaries_in(std::string_view text);

}  // namespace trove::fuzz
