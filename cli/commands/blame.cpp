#include <algorithm>
#include <map>

#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"
#include "specs/ownership.hpp"
#include "specs/problem.hpp"
#include "specs/yaml.hpp"

namespace trove::cli {
namespace {

struct Line {
  std::string text, pointer;
};

// The spec as YAML, each line with the pointer of the field that stands on it.
void lines_below(const Value& value, const std::string& pointer, const std::string& indent, std::vector<Line>& out) {
  for (const Value::Member& member : value.members()) {
    std::string key;
    for (const char c : member.key) key += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    const std::string here = pointer + '/' + key;
    const Value& child = member.value;
    if (child.is_map() && !child.empty()) {
      out.push_back({indent + member.key + ":", here});
      lines_below(child, here, indent + "  ", out);
      continue;
    }
    const bool keyed = child.is_list() && !child.empty() && child.items()[0].is_map();
    if (!keyed) {
      std::string text = dump_yaml(Value::map({{member.key, child}}));
      size_t from = 0;
      for (size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1)
        out.push_back({indent + text.substr(from, end - from), here});
      continue;
    }
    out.push_back({indent + member.key + ":", here});
    for (const Value& item : child.items()) {
      // An owner's pointer names the item by its key; which field that is, the pointers themselves say.
      const size_t first = out.size();
      lines_below(item, here + "/[]", indent + "  ", out);
      for (size_t i = first; i < out.size(); ++i) {
        if (i == first) out[i].text.replace(indent.size(), 2, "- ");
        for (const Value::Member& field : item.members())
          if (field.key == "on") out[i].pointer.replace(here.size() + 1, 2, "[on=" + field.value.as_written() + "]");
      }
    }
  }
}

struct Owner {
  std::string manager, place, time;
};

}  // namespace

Try<int> run_blame(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  auto target = parse_target(context.args.words);
  if (!target) return tl::unexpected(target.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto object = (*api)->owners(*target->kind, target->name);
  if (!object) return tl::unexpected(object.error());
  const Value& managed = object->at_path("metadata.managedFields");
  if (!output->is_table()) {
    print_value(context, *output, managed);
    return kOk;
  }
  std::map<std::string, Owner> owners;
  for (const Value& one : managed.items()) {
    FieldOwner who;
    who.commit = one["commit"].text();
    who.file = one["file"].text();
    for (const Value::Member& field : one["fields"].members()) {
      std::string place = told(who, static_cast<int>(field.value.int_or(0)));
      place = place.size() > 3 ? place.substr(2, place.size() - 3) : "";  // without the name and the brackets
      Owner& owner = owners[field.key];
      const bool first = owner.manager.empty();
      owner.manager += (first ? "" : ", ") + one["manager"].text();
      if (first) owner.place = std::move(place), owner.time = one["time"].text();
    }
  }
  std::vector<Line> lines;
  lines_below((*object)["spec"], "/spec", "", lines);
  Table table{{"SPEC", "MANAGER", "WHERE", "WHEN"}, {}};
  for (const Line& line : lines) {
    auto found = owners.find(line.pointer);
    const Owner none;
    const Owner& owner = found == owners.end() ? none : found->second;
    table.rows.push_back({printable(line.text, 200), printable(owner.manager, 200), printable(owner.place, 200),
                          printable(owner.time)});
  }
  print(context.out, table, !context.args.has("no-headers"));
  return kOk;
}

}  // namespace trove::cli
