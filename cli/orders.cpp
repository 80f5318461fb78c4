#include "cli/orders.hpp"

#include "cli/names.hpp"
#include "providers/http/client.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

Try<std::string> order_query(Context& context) {
  std::string query;
  const auto add = [&](const char* name, const std::string& value) {
    query += (query.empty() ? "?" : "&") + std::string(name) + "=" + http::percent_encode(value);
  };
  const auto& args = context.args;
  const std::string dry = args.get("dry-run");
  if (!dry.empty() && dry != "server")
    return usage_error("--dry-run: only \"server\" is known", "without a server: trovectl validate -f …");
  if (!dry.empty()) add("dryRun", dry);
  if (args.has("field-manager")) add("fieldManager", args.get("field-manager"));
  if (args.has("force-conflicts")) add("force", "true");
  if (args.has("prune") && !args.has("set"))
    return usage_error("--prune needs --set NAME", "what was applied in that set before and is missing now is pruned");
  if (args.has("set")) add("set", args.get("set"));
  if (args.has("prune")) add("prune", "true");
  if (args.has("max-delete")) add("maxDelete", args.get("max-delete"));
  if (args.has("break-glass")) {
    if (args.has("field-manager") || args.has("force-conflicts"))
      return usage_error("--break-glass has a field manager of its own, and takes over what is in its way",
                         "leave out --field-manager and --force-conflicts");
    add("breakGlass", args.get("break-glass"));
  }
  std::string confirm;
  for (const std::string& given : args.all("confirm")) confirm += (confirm.empty() ? "" : ",") + given;
  if (!confirm.empty()) add("confirm", confirm);
  return query;
}

}  // namespace trove::cli
