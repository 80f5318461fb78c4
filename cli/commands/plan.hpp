// What the commands that print a plan share: plan, rollback, git plan.
#pragma once
#include "cli/context.hpp"
#include "cli/output/data.hpp"
#include "cli/output/plan.hpp"

namespace trove::cli {

struct PlanOutput {
  Output data;
  bool markdown = false;
};
Try<PlanOutput> plan_output_of(Context& context);  // of -o
int show_plan(Context& context, const PlanOutput& output, const PlanView& view, const Value& plan);

}  // namespace trove::cli
