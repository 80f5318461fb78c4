// A plan (reconciler/api/README.md) as people read it. Pure; thread-safe.
#pragma once
#include <string>
#include "cli/output/style.hpp"
#include "specs/value.hpp"

namespace trove::cli {

struct PlanView {
  bool fields_only = false;    // diff: objects and fields, no actions
  std::string from;            // "12 objects from shop/"; "" for the plan of one object
  Style style{};
  std::string carry_out = {};  // the command that does exactly this; "" = apply --plan ID
};

std::string render_plan(const Value& plan, const PlanView& view);
std::string markdown_plan(const Value& plan, const PlanView& view);   // for merge requests
// Is there any object to change, or any action to take?
bool has_differences(const Value& plan);
bool has_changes(const Value& plan);   // objects only: what diff means

}  // namespace trove::cli
