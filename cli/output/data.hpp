// -o json|yaml|jsonl|name|jsonpath=…|custom-columns=…: objects as data on stdout. One thread.
#pragma once
#include <string>
#include <vector>
#include "cli/context.hpp"
#include "specs/value.hpp"

namespace trove::cli {

enum class Format { table, wide, json, yaml, jsonl, name, jsonpath, custom_columns };
struct Output {
  Format format = Format::table;
  std::string argument;     // the template or the columns
  bool is_table() const { return format == Format::table || format == Format::wide; }
};

// From -o; `allowed` limits a command to some of the formats (empty = all).
Try<Output> output_of(const Context& context, const std::vector<Format>& allowed = {});
// `single`: one object was asked for by name, so it is printed itself instead of as a List of one.
Try<void> print_objects(Context& context, const Output& output, std::vector<Value> objects, bool single);
// Any value as json or yaml.
void print_value(Context& context, const Output& output, const Value& value);
// Orders by the first thing that `path` finds in each: numbers as numbers, absent last.
Try<void> sort_objects(std::vector<Value>& objects, const std::string& path);

}  // namespace trove::cli
