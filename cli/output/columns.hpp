// Which columns `get` shows for each kind, and how a cell is made from an object. Pure; thread-safe.
#pragma once
#include <string>
#include <vector>
#include "cli/output/table.hpp"
#include "specs/core/time.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/value.hpp"

namespace trove::cli {

// PATH, DESIRED, ACTUAL, BY, SINCE and POLICY of something that was changed outside.
std::vector<std::string> drift_cells(const Value& entry, Time now);

struct ColumnOptions {
  bool wide = false;
  bool with_kind = false;     // NAME as "volume/orders-data": several kinds in one answer
};

std::vector<std::string> columns_of(const Kind& kind, ColumnOptions options);
std::vector<std::string> row_of(const Kind& kind, const Value& object, Time now, ColumnOptions options);
Table table_of(const Kind& kind, const std::vector<Value>& objects, Time now, ColumnOptions options);

// "True", "False", "Unknown"; "-" when the object has no such condition.
std::string condition_status(const Value& object, std::string_view type);
std::string age_of(const Value& object, Time now);
// "12 KiB", "3.4 GiB"
std::string human_bytes(int64_t bytes);
// A whole commit by its first seven digits; anything else as it is.
std::string short_commit(const std::string& commit);
// "databaseinstance/orders-db" of any object
std::string object_name(const Value& object);

}  // namespace trove::cli
