// YAML text to located Values, through the event parser only (the node API hangs on ",": see yaml.cpp). Thread-safe.
// The subset: no aliases, anchors, tags or merge keys, no duplicate keys. Plain true/false are booleans, decimal
// numbers are numbers; yes, no, on, off, 010, 0x1F and the like are refused with advice to quote them.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "specs/problem.hpp"
#include "specs/value.hpp"

namespace trove {

struct YamlLimits {
  size_t bytes = 1u << 20;
  size_t nodes = 100'000;
  int depth = 64;
  size_t documents = 10'000;
};

// Every document that could be read and every problem met. Empty documents are skipped. `file` goes into problems.
struct YamlStream {
  std::vector<Value> documents;
  Problems problems;
};
YamlStream parse_yaml(std::string_view text, std::string_view file, YamlLimits limits = {});
std::string dump_yaml(const Value& value);   // block style; parse_yaml reads it back as the same Value

}  // namespace trove
