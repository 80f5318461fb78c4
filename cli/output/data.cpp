#include "cli/output/data.hpp"

#include <algorithm>
#include "cli/output/columns.hpp"
#include "cli/output/jsonpath.hpp"
#include "cli/output/table.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"
#include "specs/yaml.hpp"

namespace trove::cli {
namespace {

struct Name {
  std::string_view text;
  Format format;
  bool argument;
};
constexpr Name kNames[] = {{"wide", Format::wide, false},     {"json", Format::json, false},
                           {"yaml", Format::yaml, false},     {"jsonl", Format::jsonl, false},
                           {"name", Format::name, false},     {"jsonpath", Format::jsonpath, true},
                           {"custom-columns", Format::custom_columns, true}};

Value list_of(std::vector<Value> objects) {
  return Value::map({{"apiVersion", "trove/v1alpha1"}, {"kind", "List"}, {"items", Value::list(std::move(objects))}});
}

Try<void> print_custom_columns(Context& context, const std::string& spec, const std::vector<Value>& objects) {
  Table table;
  std::vector<std::string> paths;
  for (size_t from = 0; from <= spec.size();) {
    size_t comma = std::min(spec.find(',', from), spec.size());
    std::string part = spec.substr(from, comma - from);
    size_t colon = part.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == part.size()) {
      return usage_error("custom-columns: \"" + printable(part, 60) + "\" is not TITLE:PATH",
                         "for example -o custom-columns=NAME:.metadata.name,PHASE:.status.phase");
    }
    table.columns.push_back(part.substr(0, colon));
    paths.push_back(part.substr(colon + 1));
    from = comma + 1;
  }
  for (const Value& object : objects) {
    std::vector<std::string> cells;
    for (const std::string& path : paths) {
      auto found = find_all(path, object);
      if (!found) return failed(found.error());
      std::string cell;
      for (const Value* value : *found) cell += (cell.empty() ? "" : ",") + plain_text(*value);
      cells.push_back(cell.empty() ? "<none>" : cell);
    }
    table.rows.push_back(std::move(cells));
  }
  print(context.out, table, !context.args.has("no-headers"));
  return {};
}

}  // namespace

Try<Output> output_of(const Context& context, const std::vector<Format>& allowed) {
  Output output;
  if (!context.args.has("output")) return output;
  std::string text = context.args.get("output");
  std::string word = text.substr(0, text.find('='));
  for (const Name& name : kNames) {
    if (word != name.text) continue;
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), name.format) == allowed.end()) break;
    output.format = name.format;
    if (size_t equals = text.find('='); equals != std::string::npos) output.argument = text.substr(equals + 1);
    if (name.argument == output.argument.empty()) {
      return usage_error(name.argument ? "-o " + word + " needs a value: -o " + word + "=…"
                                       : "-o " + word + " takes no value");
    }
    return output;
  }
  std::vector<std::string_view> choices;
  std::string list;
  for (const Name& name : kNames) {
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), name.format) == allowed.end()) continue;
    choices.push_back(name.text);
    list += (list.empty() ? "" : ", ") + std::string(name.text) + (name.argument ? "=…" : "");
  }
  std::string near = nearest(word, choices);
  return usage_error("-o: unknown format \"" + printable(word, 60) + "\"" +
                         (near.empty() ? "" : ". Did you mean \"" + near + "\"?"),
                     "formats: " + list);
}

void print_value(Context& context, const Output& output, const Value& value) {
  if (output.format == Format::yaml) {
    std::string text = dump_yaml(value);
    context.out << text << (text.empty() || text.back() != '\n' ? "\n" : "");
  } else if (output.format == Format::jsonl) {
    context.out << dump_json(value) << '\n';
  } else {
    std::string text = dump_json_pretty(value);
    context.out << text << (text.empty() || text.back() != '\n' ? "\n" : "");
  }
}

Try<void> print_objects(Context& context, const Output& output, std::vector<Value> objects, bool single) {
  single = single && objects.size() == 1;
  switch (output.format) {
    case Format::table: case Format::wide: break;   // the command's own affair
    case Format::name:
      for (const Value& object : objects) context.out << printable(object_name(object), 400) << '\n';
      break;
    case Format::jsonl:
      for (const Value& object : objects) print_value(context, output, object);
      break;
    case Format::yaml:
      // Documents, not a List: what is printed can be applied again.
      for (size_t i = 0; i < objects.size(); ++i) {
        if (i > 0) context.out << "---\n";
        print_value(context, output, objects[i]);
      }
      break;
    case Format::json:
      print_value(context, output, single ? objects[0] : list_of(std::move(objects)));
      break;
    case Format::jsonpath: {
      auto text = jsonpath(output.argument, single ? objects[0] : list_of(std::move(objects)));
      if (!text) return failed(text.error());
      context.out << *text;
      if (context.out_tty && !text->empty() && text->back() != '\n') context.out << '\n';
      break;
    }
    case Format::custom_columns: return print_custom_columns(context, output.argument, objects);
  }
  return {};
}

Try<void> sort_objects(std::vector<Value>& objects, const std::string& path) {
  struct Keyed {
    const Value* key;
    size_t index;
  };
  std::vector<Keyed> order;
  for (size_t i = 0; i < objects.size(); ++i) {
    auto found = find_all(path, objects[i]);
    if (!found) return failed(found.error());
    order.push_back({found->empty() ? nullptr : found->front(), i});
  }
  std::stable_sort(order.begin(), order.end(), [](const Keyed& a, const Keyed& b) {
    if (!a.key || !b.key) return a.key != nullptr && b.key == nullptr;
    if (a.key->is_number() != b.key->is_number()) return a.key->is_number();
    if (a.key->is_number()) return a.key->number_or(0) < b.key->number_or(0);
    return plain_text(*a.key) < plain_text(*b.key);
  });
  std::vector<Value> sorted;
  sorted.reserve(objects.size());
  for (const Keyed& keyed : order) sorted.push_back(std::move(objects[keyed.index]));
  objects = std::move(sorted);
  return {};
}

}  // namespace trove::cli
