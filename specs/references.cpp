// Who points to whom, and whether it is there.
#include <algorithm>
#include <map>
#include "specs/decode.hpp"
#include "specs/decode_parts.hpp"

namespace trove {
namespace {

using namespace decoding;

void collect(const FieldNode& node, const Value& object, const Trail& trail, std::vector<Reference>& out) {
  for (const FieldNode& child : node.children) {
    if (!child.is(FieldType::object)) continue;
    const Value* value = object.find(child.name);
    if (!value || !value->is_map()) continue;
    const Trail here = trail.member(child.name);
    if (!child.field->reference.empty()) {
      const Value& name = (*value)["name"];
      if (!name.text().empty()) out.push_back({here.text(), std::string(child.field->reference), name.text(), name.at});
    }
    collect(child, *value, here, out);
  }
}

// Where an object of a set comes from.
struct Member {
  const Resource* resource;
  const Value* located;
  std::vector<Reference> references;
};

using Members = std::vector<Member>;
using ByKey = std::map<Key, size_t>;

Position position_in(const Member& member, const Reference& reference) {
  const Value& found = member.located ? member.located->at_path(reference.path + ".name") : Value();
  return found.at.line > 0 ? found.at : reference.at;
}

void report_missing(const Member& member, const Reference& reference, const Key& wanted, const ByKey& by_key,
                    int document, Problems& problems) {
  std::vector<std::string_view> names;
  for (const auto& [key, index] : by_key) {
    if (key.kind == wanted.kind && key.project == wanted.project) names.push_back(key.name);
  }
  const std::string near = nearest(wanted.name, names);
  std::string message = to_string(wanted) + " does not exist";
  if (!wanted.project.empty()) message += " in project " + quote(wanted.project);
  message += near.empty() ? "" : ". Did you mean \"" + near + "\"?";
  problems.push_back({{}, position_in(member, reference), reference.path + ".name", std::move(message),
                      near.empty() ? "Apply it first, or in the same set." : "", document, Code::not_found});
}

// Takes away what points to nothing in the set, again and again; what is left are cycles and what leads into them.
void check_cycles(const Members& members, const std::vector<std::vector<size_t>>& targets, Problems& problems) {
  std::vector<size_t> open(members.size());
  std::vector<std::vector<size_t>> pointed_from(members.size());
  std::vector<size_t> done;
  for (size_t i = 0; i < members.size(); ++i) {
    open[i] = targets[i].size();
    for (size_t target : targets[i]) pointed_from[target].push_back(i);
    if (open[i] == 0) done.push_back(i);
  }
  while (!done.empty()) {
    const size_t node = done.back();
    done.pop_back();
    for (size_t from : pointed_from[node]) {
      if (--open[from] == 0) done.push_back(from);
    }
  }
  // What is still open points to something that is.
  const auto next_open = [&](size_t node) {
    return *std::find_if(targets[node].begin(), targets[node].end(), [&](size_t target) { return open[target] > 0; });
  };
  std::vector<int> walk(members.size(), 0);   // the number of the walk that came by
  int number = 0;
  for (size_t start = 0; start < members.size(); ++start) {
    if (open[start] == 0 || walk[start] != 0) continue;
    ++number;
    size_t node = start;
    while (walk[node] == 0) {
      walk[node] = number;
      node = next_open(node);
    }
    if (walk[node] != number) continue;   // led into a cycle that was reported
    std::vector<size_t> ring;
    do {
      ring.push_back(node);
      node = next_open(node);
    } while (node != ring.front());
    // From its earliest member on, for a steady message.
    const size_t first = static_cast<size_t>(std::min_element(ring.begin(), ring.end()) - ring.begin());
    std::string text;
    for (size_t i = 0; i <= ring.size(); ++i)
      text += (i ? " -> " : "") + to_string(members[ring[(first + i) % ring.size()]].resource->key());
    const size_t blamed = ring[first];
    const Reference* reference = nullptr;
    const Resource& next = *members[ring[(first + 1) % ring.size()]].resource;
    for (const Reference& candidate : members[blamed].references) {
      if (candidate.kind == next.kind && candidate.name == next.metadata.name) reference = &candidate;
    }
    problems.push_back({{},
                        reference ? position_in(members[blamed], *reference) : Position{},
                        reference ? reference->path : "",
                        "refers back to itself: " + text,
                        "Nothing can come first: take one of these references away.",
                        static_cast<int>(blamed),
                        Code::invalid});
  }
}

}  // namespace

std::vector<Reference> references_of(const Resource& resource) {
  std::vector<Reference> references;
  const Kind* kind = find_kind(resource.kind);
  if (!kind || !resource.spec.is_map()) return references;
  const Trail root;
  collect(field_tree(*kind), resource.spec, root.member("spec"), references);
  return references;
}

void check_references(const std::vector<Resource>& set, const std::vector<Value>& located,
                      const std::function<const Resource*(const Key&)>& find, Problems& problems) {
  Members members;
  ByKey by_key;
  for (size_t i = 0; i < set.size(); ++i) {
    members.push_back({&set[i], i < located.size() ? &located[i] : nullptr, references_of(set[i])});
    if (!set[i].metadata.name.empty()) by_key.emplace(set[i].key(), i);
  }
  std::vector<std::vector<size_t>> targets(set.size());
  for (size_t i = 0; i < set.size(); ++i) {
    for (const Reference& reference : members[i].references) {
      const Key wanted{set[i].metadata.project, reference.kind, reference.name};
      const auto in_set = by_key.find(wanted);
      // What exists already can be first, whatever it refers to: an instance made again from an old backup of itself.
      const bool exists = find && find(wanted) != nullptr;
      if (in_set != by_key.end() && !exists) targets[i].push_back(in_set->second);
      if (in_set == by_key.end() && !exists)
        report_missing(members[i], reference, wanted, by_key, static_cast<int>(i), problems);
    }
  }
  check_cycles(members, targets, problems);
}

}  // namespace trove
