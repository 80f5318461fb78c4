#include "reconciler/loop/checks.hpp"

#include <algorithm>

#include "specs/problem.hpp"

namespace trove {
namespace {

Value entry(const char* check, Value ok, std::string message) {
  return Value::map({{"check", check}, {"ok", std::move(ok)}, {"message", std::move(message)}});
}

void add(std::string& list, const std::string& word) { list += (list.empty() ? "" : ", ") + word; }

void check_quotas(const Needs& needs, const Limits& limits, Value& out) {
  const struct {
    const char* name;
    int64_t more;
    const std::optional<Quota>& quota;
    const char* unit;
  } rows[] = {{"instances", needs.instances, limits.instances, ""},
              {"cores", needs.cores, limits.cores, ""},
              {"ram", needs.ram_mib, limits.ram_mib, " MiB"},
              {"volumes", needs.volumes, limits.volumes, ""},
              {"volume gigabytes", needs.gigabytes, limits.gigabytes, ""}};
  std::string unlimited, unknown;
  for (const auto& row : rows) {
    if (row.more <= 0) continue;
    if (!row.quota) {
      add(unknown, row.name);
    } else if (row.quota->most < 0) {
      add(unlimited, row.name);
    } else {
      const int64_t after = row.quota->used + row.more, over = after - row.quota->most;
      out.push_back(entry("quota", over <= 0,
                          std::string(row.name) + ' ' + std::to_string(row.quota->used) + " → " + std::to_string(after) +
                              " of " + std::to_string(row.quota->most) + row.unit +
                              (over > 0 ? ": " + std::to_string(over) + row.unit + " too many" : "")));
    }
  }
  if (!unlimited.empty()) out.push_back(entry("quota", true, "no limit on " + unlimited));
  if (!unknown.empty()) out.push_back(entry("quota", Value(), "not known: " + unknown));
}

}  // namespace

Value checks_of(const Needs& needs, const std::set<std::string>& flavors, const Inventory& cloud) {
  Value out = Value::list();
  check_quotas(needs, cloud.limits, out);
  std::vector<std::string_view> there;
  for (const Flavor& flavor : cloud.flavors) there.push_back(flavor.name);
  std::string good, unknown;
  for (const std::string& wanted : flavors) {
    if (there.empty())
      add(unknown, wanted);
    else if (std::find(there.begin(), there.end(), wanted) != there.end())
      add(good, wanted);
    else
      out.push_back(entry("flavor", false, [&] {
        std::string message = "this cloud has no flavor " + printable(wanted), like = nearest(wanted, there);
        if (!like.empty()) return message + ". Did you mean " + like + "?";
        std::string names;
        for (std::string_view name : there) add(names, std::string(name));
        return message + "; there are: " + printable(names, 300);
      }()));
  }
  if (!good.empty()) out.push_back(entry("flavor", true, printable(good, 300)));
  if (!unknown.empty()) out.push_back(entry("flavor", Value(), "not known: " + printable(unknown, 300)));
  return out;
}

}  // namespace trove
