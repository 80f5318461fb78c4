#include <algorithm>
#include <map>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/data.hpp"
#include "cli/watch.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

constexpr Millis kWatchTick{60'000};

// The objects that the words name, kind by kind in the order asked for.
struct Found {
  const Kind* kind;
  std::vector<Value> objects;
};
struct Answer {
  std::vector<Found> kinds;
  std::vector<Failure> missing;   // names that are not there; the others are still shown
  bool single = false;            // one object, by name
};

// --at: a time, or how long ago.
Try<std::string> time_asked(const Context& context) {
  std::string text = context.args.get("at");
  if (text.empty()) return text;
  if (const auto ago = parse_duration(text)) return format_time(context.clock.wall() - *ago);
  if (text.size() == 17 && text.back() == 'Z') text.insert(16, ":00");  // minutes are fine enough for people
  const auto time = parse_time(text);
  if (!time) return usage_error("--at: \"" + printable(text, 40) + "\" is neither a time nor a duration",
                                "for example 2026-09-19T00:00Z, or 2h for two hours ago");
  return format_time(*time);
}

Try<Answer> fetch(Context& context, const std::vector<Target>& targets) {
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  std::string selector = context.args.get("selector");
  auto at = time_asked(context);
  if (!at) return tl::unexpected(at.error());
  Answer answer;
  answer.single = targets.size() == 1 && !targets[0].name.empty();
  for (const Target& target : targets) {
    auto it =
        std::find_if(answer.kinds.begin(), answer.kinds.end(), [&](const Found& f) { return f.kind == target.kind; });
    if (it == answer.kinds.end()) it = answer.kinds.insert(answer.kinds.end(), {target.kind, {}});
    if (target.name.empty()) {
      if (!at->empty()) return usage_error("--at needs names: KIND/NAME");
      auto listing = (*api)->list(*target.kind, selector);
      if (!listing) return tl::unexpected(listing.error());
      it->objects = std::move(listing->items);
    } else {
      auto object = at->empty() ? (*api)->get(*target.kind, target.name)
                                : (*api)->get_at(*target.kind, target.name, *at);
      if (object) {
        it->objects.push_back(std::move(*object));
      } else if (object.error().exit == kNotFound) {
        answer.missing.push_back(object.error());
      } else {
        return tl::unexpected(object.error());
      }
    }
  }
  return answer;
}

void print_tables(Context& context, const Output& output, const std::vector<Found>& kinds) {
  ColumnOptions options{output.format == Format::wide, kinds.size() > 1};
  bool first = true;
  for (const Found& found : kinds) {
    if (found.objects.empty()) continue;
    if (!first) context.out << '\n';
    first = false;
    print(context.out, table_of(*found.kind, found.objects, context.clock.wall(), options),
          !context.args.has("no-headers"));
  }
  if (first) context.err << "nothing found in project " << context.project() << '\n';
}

std::string revision_text(const Value& object) { return object.at_path("metadata.resourceVersion").as_written(); }

// A row for each change, until Ctrl-C. A list after a broken stream shows what changed meanwhile, and only that.
Try<int> watch(Context& context, const Output& output, const std::vector<Target>& targets) {
  std::vector<const Kind*> kinds;
  for (const Target& target : targets) {
    if (std::find(kinds.begin(), kinds.end(), target.kind) == kinds.end()) kinds.push_back(target.kind);
  }
  if (output.is_table() && kinds.size() > 1) return usage_error("-w shows one kind at a time");
  std::string selector = context.args.get("selector");
  auto wanted = [&](const Kind* kind, const std::string& name) {
    return std::any_of(targets.begin(), targets.end(),
                       [&](const Target& t) { return t.kind == kind && (t.name.empty() || t.name == name); });
  };
  auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  context.catch_interrupts();
  Watcher watcher(**settings, context.interrupt, kinds, selector);
  ColumnOptions options{output.format == Format::wide, false};
  std::map<std::string, Value> shown;   // by object_name
  std::vector<size_t> widths;
  bool headed = context.args.has("no-headers"), connected = false;

  auto show = [&](const Kind& kind, const Value& object) -> Try<void> {
    if (!output.is_table()) {
      auto printed = print_objects(context, output, {object}, true);
      context.out.flush();
      return printed;
    }
    Table table{columns_of(kind, options), {row_of(kind, object, context.clock.wall(), options)}};
    widths = widths_of(table, widths);
    if (!headed) print_row(context.out, table.columns, widths);
    headed = true;
    print_row(context.out, table.rows[0], widths);
    context.out.flush();
    return {};
  };
  // With a selector the stream carries other objects too; only the server evaluates selectors, so ask it.
  auto selected = [&](const Kind& kind, const std::string& name) {
    if (selector.empty()) return true;
    auto api = context.api();
    auto listing = api ? (*api)->list(kind, selector) : Try<Listing>(tl::unexpected(Failure{}));
    return listing && std::any_of(listing->items.begin(), listing->items.end(),
                                  [&](const Value& o) { return o.at_path("metadata.name").text() == name; });
  };
  for (;;) {
    auto event = watcher.next(kWatchTick);
    if (context.interrupt.raised() || !context.out) return kInterrupted;
    if (!event) continue;
    if (event->what == WatchEvent::What::trouble) {
      if (event->failure.exit != kUnavailable || !connected) return tl::unexpected(event->failure);
      continue;
    }
    connected = true;
    if (event->what == WatchEvent::What::listed && output.is_table() && !headed) {
      Table all = table_of(*event->kind, event->objects, context.clock.wall(), options);
      widths = widths_of(all);
    }
    for (const Value& object : event->objects) {
      std::string name = object.at_path("metadata.name").text(), key = object_name(object);
      if (!wanted(event->kind, name)) continue;
      if (event->what == WatchEvent::What::deleted) {
        shown.erase(key);
        context.err << key << " deleted\n";
        continue;
      }
      auto it = shown.find(key);
      bool same = it != shown.end() && revision_text(it->second) == revision_text(object) && it->second == object;
      if (same || (event->what == WatchEvent::What::changed && !selected(*event->kind, name))) continue;
      shown[key] = object;
      if (auto printed = show(*event->kind, object); !printed) return tl::unexpected(printed.error());
    }
  }
}

}  // namespace

Try<int> run_get(Context& context) {
  auto output = output_of(context);
  if (!output) return tl::unexpected(output.error());
  std::vector<Target> targets;
  bool all = context.args.words.size() == 1 && context.args.words[0] == "all";
  if (all) {
    for (const Kind& kind : all_kinds()) targets.push_back({&kind, ""});
  } else {
    auto parsed = parse_targets_or_kinds(context.args.words);
    if (!parsed) return tl::unexpected(parsed.error());
    targets = std::move(*parsed);
  }
  if (context.args.has("watch")) return watch(context, *output, targets);

  auto answer = fetch(context, targets);
  if (!answer) return tl::unexpected(answer.error());
  if (std::string path = context.args.get("sort-by"); !path.empty()) {
    for (Found& found : answer->kinds) {
      auto sorted = sort_objects(found.objects, path);
      if (!sorted) return tl::unexpected(sorted.error());
    }
  }
  size_t count = 0;
  for (const Found& found : answer->kinds) count += found.objects.size();
  if (output->is_table()) {
    if (count > 0 || answer->missing.empty()) print_tables(context, *output, answer->kinds);
  } else if (count > 0 || answer->missing.empty()) {
    std::vector<Value> objects;
    for (Found& found : answer->kinds) {
      std::move(found.objects.begin(), found.objects.end(), std::back_inserter(objects));
    }
    auto printed = print_objects(context, *output, std::move(objects), answer->single);
    if (!printed) return tl::unexpected(printed.error());
  }
  for (const Failure& missing : answer->missing) print_failure(context, missing);
  return answer->missing.empty() ? kOk : kNotFound;
}

}  // namespace trove::cli
