// Where each kind's table comes from, and the rows that tables share. For kind.cpp and the table files only.
#pragma once
#include "specs/kinds/kind.hpp"

namespace trove::tables {

inline constexpr int64_t kHourMs = 3'600'000;
inline constexpr int64_t kDayMs = 24 * kHourMs;
inline constexpr int64_t kMostGib = 16384;

Kind database_instance();
Kind database();
Kind user();
Kind volume();
Kind secret();
Kind configuration_group();
Kind backup_schedule();
Kind backup();
Kind operation();
Kind git_source();

// The common block, last in every table. `default_deletion` is JSON text.
void add_common_block(std::vector<Field>& fields, std::string_view default_deletion);
inline constexpr std::string_view kRetain = R"("Retain")";
inline constexpr std::string_view kDelete = R"("Delete")";

// The `name` row of a reference object.
Field reference_name(std::string_view path, std::string_view doc, Change change = Change::live,
                     std::string_view refusal = {});
// instanceRef of the kinds that live in one instance for good.
void add_instance_ref(std::vector<Field>& fields, std::string_view doc, Change change, std::string_view refusal = {});

}  // namespace trove::tables
