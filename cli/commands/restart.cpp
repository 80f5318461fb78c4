#include "cli/command.hpp"
#include "cli/commands/day2.hpp"
#include "cli/names.hpp"

namespace trove::cli {

Try<int> run_restart(Context& context) {
  auto instance = parse_instance(context.args.words);
  if (!instance) return tl::unexpected(instance.error());
  Value spec = Value::map({{"instanceRef", Value::map({{"name", instance->name}})}, {"restart", Value::map()}});
  if (context.args.has("reason")) spec.set("reason", context.args.get("reason"));
  return make_and_wait(context, Value::map({{"apiVersion", "trove/v1alpha1"},
                                            {"kind", "Operation"},
                                            {"metadata", Value::map({{"generateName", "restart-"}})},
                                            {"spec", spec}}));
}

}  // namespace trove::cli
