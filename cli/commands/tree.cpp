#include <algorithm>
#include "cli/command.hpp"
#include "cli/commands/relations.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/style.hpp"
#include "cli/output/table.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

constexpr int kTreeDepth = 4;
constexpr size_t kIdCharacters = 8;

struct Line {
  std::string branch, name, remark;
  bool bad = false;
};

// A uuid is known by its beginning; the whole of it stands in `describe`.
std::string shortened(const std::string& id) {
  return id.size() > kIdCharacters ? id.substr(0, kIdCharacters) + "…" : id;
}

std::string state_of(const Value& object, bool& bad) {
  if (object.at_path("metadata.deletionTimestamp").is_string()) return "deleting";
  std::string phase = object.at_path("status.phase").text();
  std::string kind = object["kind"].text();
  if (kind == "Backup" || kind == "Operation") {
    bad = phase == "Failed";
    return phase.empty() ? "Pending" : phase;
  }
  if (kind == "Secret") return "(values hidden)";
  std::string ready = condition_status(object, "Ready");
  bad = ready != "True" && ready != "-";
  if (ready == "True") return "Ready";
  return ready == "-" ? "" : "not ready";
}

std::string remark_of(const Value& object, const Relations& relations, Time now, bool& bad) {
  std::string text = state_of(object, bad);
  auto add = [&](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : "   ") + more;
  };
  std::string kind = object["kind"].text();
  if (kind == "DatabaseInstance") add(object.at_path("status.endpoints.primary").text());
  if (kind == "User" && object.at_path("spec.password").find("generate")) {
    add("password in secret/" + object.at_path("metadata.name").text() + "-password");
  }
  if (kind == "Volume") {
    int64_t gib = object.at_path("status.size").int_or(object.at_path("spec.size").int_or(0));
    if (gib > 0) add(std::to_string(gib) + "G");
  }
  if (kind == "ConfigurationGroup") {
    size_t users = relations.users_of(object);
    if (users > 1) add("(shared by " + std::to_string(users) + ")");
  }
  if (kind == "BackupSchedule") {
    if (auto last = parse_time(object.at_path("status.lastRun").text()))
      add("last " + format_age(now - *last) + " ago");
    if (auto next = parse_time(object.at_path("status.nextRun").text())) add("next in " + format_age(*next - now));
  }
  if (kind == "Backup" && object.at_path("status.bytes").is_int())
    add(human_bytes(object.at_path("status.bytes").int_or(0)));
  return text;
}

class Tree {
 public:
  Tree(const Relations& relations, Time now) : relations_(relations), now_(now) {}

  std::vector<Line> of(const Value& root) {
    Line line{"", root["kind"].text() + "/" + root.at_path("metadata.name").text(), ""};
    line.remark = remark_of(root, relations_, now_, line.bad);
    lines_.push_back(line);
    below(root, "", 0);
    return lines_;
  }

 private:
  void below(const Value& object, const std::string& indent, int depth) {
    if (depth >= kTreeDepth) return;
    const auto& members =
        object["kind"].text() == "DatabaseInstance" ? object.at_path("status.members").items() : Value::List{};
    std::vector<const Value*> children;
    if (depth == 0) {
      // What the root stands on is shown beside what stands on it; deeper down only the latter, or it would go in
      // circles.
      for (const Value* other : relations_.needs(object)) {
        if (object["kind"].text() == "DatabaseInstance") children.push_back(other);
      }
    }
    for (const Value* other : relations_.dependants(object)) {
      if (std::find(children.begin(), children.end(), other) == children.end()) children.push_back(other);
    }
    children.erase(
        std::remove_if(children.begin(), children.end(),
                       [&](const Value* c) { return std::find(seen_.begin(), seen_.end(), c) != seen_.end(); }),
        children.end());
    // A generated password hangs under its user, not beside it.
    children.erase(std::remove_if(children.begin(), children.end(), [&](const Value* child) {
      for (const Value& owner : (*child).at_path("metadata.ownerReferences").items()) {
        for (const Value* sibling : children) {
          if (sibling != child && owner["kind"].text() == (*sibling)["kind"].text() &&
              owner["name"].text() == sibling->at_path("metadata.name").text()) {
            return true;
          }
        }
      }
      return false;
    }), children.end());
    seen_.insert(seen_.end(), children.begin(), children.end());

    size_t total = members.size() + children.size(), index = 0;
    for (const Value& member : members) {
      Line line{indent + (++index == total ? "└─ " : "├─ "), member["name"].text(), member["role"].text()};
      for (const char* field : {"server", "volume", "port"}) {
        if (std::string id = member[field].text(); !id.empty())
          line.remark += "   " + std::string(field) + " " + shortened(id);
      }
      if (std::string address = member["address"].text(); !address.empty()) line.remark += "   " + address;
      if (std::string health = member["health"].text(); !health.empty()) {
        line.remark += "   " + health;
        line.bad = health != "HEALTHY";
      }
      lines_.push_back(line);
    }
    for (const Value* child : children) {
      bool last = ++index == total;
      Line line{indent + (last ? "└─ " : "├─ "), (*child)["kind"].text() + "/" + child->at_path("metadata.name").text(),
                ""};
      line.remark = remark_of(*child, relations_, now_, line.bad);
      lines_.push_back(line);
      below(*child, indent + (last ? "   " : "│  "), depth + 1);
    }
  }

  const Relations& relations_;
  const Time now_;
  std::vector<Line> lines_;
  std::vector<const Value*> seen_;
};

}  // namespace

Try<int> run_tree(Context& context) {
  auto target = parse_target(context.args.words);
  if (!target) return tl::unexpected(target.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto relations = Relations::read(**api);
  if (!relations) return tl::unexpected(relations.error());
  const Value* root = relations->find(std::string(target->kind->name), target->name);
  if (!root) {
    auto object = (*api)->get(*target->kind, target->name);   // says it is not there, in the usual words
    if (!object) return tl::unexpected(object.error());
    return failed(kConflict, to_string(*target) + " appeared just now; run the command again");
  }
  auto lines = Tree(*relations, context.clock.wall()).of(*root);
  size_t width = 0;
  for (const Line& line : lines) width = std::max(width, characters(line.branch) + characters(line.name));
  Style style(context.colour(context.out_tty));
  for (const Line& line : lines) {
    std::string text = line.branch + printable(line.name, 300);
    if (!line.remark.empty()) {
      size_t used = characters(text);
      text += std::string(used < width ? width - used + 3 : 3, ' ');
      std::string remark = printable(line.remark, 400);
      text += line.bad ? style.bad(remark) : remark;
    }
    context.out << text << '\n';
  }
  return kOk;
}

}  // namespace trove::cli
