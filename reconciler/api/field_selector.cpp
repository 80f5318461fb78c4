#include "reconciler/api/field_selector.hpp"
#include <algorithm>
#include "specs/json.hpp"
#include "specs/problem.hpp"

namespace trove {
namespace {

constexpr std::string_view kMetadata[] = {"metadata.name",       "metadata.project",
                                          "metadata.uid",        "metadata.generation",
                                          "metadata.resourceVersion", "metadata.creationTimestamp",
                                          "metadata.deletionTimestamp"};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool is_map(const Field& field) { return field.type == FieldType::string_map || field.type == FieldType::scalar_map; }

// "" or why the path cannot be asked about; the default of its field in `fallback`.
std::string check_path(const std::string& path, const Kind& kind, std::string& fallback) {
  if (path.starts_with("status.") && path.size() > 7) return "";
  if (std::find(std::begin(kMetadata), std::end(kMetadata), path) != std::end(kMetadata)) return "";
  for (std::string_view map : {"metadata.labels.", "metadata.annotations."})
    if (path.starts_with(map) && path.size() > map.size()) return "";
  const std::string_view below = path.starts_with("spec.") ? std::string_view(path).substr(5) : std::string_view();
  for (const Field& field : kind.fields) {
    const bool itself = field.path == below;
    const bool inside = below.starts_with(field.path) && below.size() > field.path.size() + 1 &&
                        below[field.path.size()] == '.';
    if (!itself && !(inside && (is_map(field) || field.sensitive))) continue;
    if (field.sensitive) return "is never shown, and cannot be asked about";
    if (itself && (is_map(field) || field.type == FieldType::object || field.type == FieldType::list))
      return "is not one value";
    if (auto value = parse_json(field.default_json); itself && value) fallback = value->as_written();
    return "";
  }
  return "is not a field of " + std::string(kind.name);
}

std::string nearest_path(const std::string& path, const Kind& kind) {
  std::vector<std::string> known(std::begin(kMetadata), std::end(kMetadata));
  known.push_back("status.phase");
  for (const Field& field : kind.fields) {
    const bool one_value = !is_map(field) && field.type != FieldType::object && field.type != FieldType::list;
    if (one_value && !field.sensitive && field.path.find("[]") == std::string_view::npos)
      known.push_back("spec." + std::string(field.path));
  }
  std::vector<std::string_view> views(known.begin(), known.end());
  return nearest(path, views);
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text, const Kind& kind) {
  FieldSelector out;
  const auto wrong = [&](const std::string& why, std::string hint = {}) {
    if (hint.empty()) hint = "terms are path=value and path!=value, joined by commas; all must hold";
    return fail(Code::invalid, "fieldSelector \"" + printable(text, 200) + "\": " + why, std::move(hint));
  };
  if (text.size() > kMaxSelectorBytes) return wrong("too long");
  if (trimmed(text).empty()) return out;
  for (std::string_view rest = text;;) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view one = trimmed(rest.substr(0, comma));
    const size_t at = one.find('=');
    if (one.empty()) return wrong("a term is missing");
    if (at == std::string_view::npos) return wrong("\"" + printable(one, 60) + "\" has no =");
    Term term;
    term.equal = at == 0 || one[at - 1] != '!';
    term.path = trimmed(one.substr(0, term.equal ? at : at - 1));
    std::string_view value = one.substr(at + 1);
    if (term.equal && value.starts_with('=')) value.remove_prefix(1);
    term.value = trimmed(value);
    if (term.path.empty()) return wrong("a path is missing");
    if (std::string why = check_path(term.path, kind, term.fallback); !why.empty()) {
      const std::string near = nearest_path(term.path, kind);
      return wrong(printable(term.path, 60) + " " + why,
                   near.empty() ? "trovectl explain " + std::string(kind.short_name) + " lists the fields of spec"
                                : "did you mean " + near + "?");
    }
    out.terms_.push_back(std::move(term));
    if (comma == rest.size()) return out;
    rest.remove_prefix(comma + 1);
  }
}

bool FieldSelector::matches(const Resource& resource) const {
  if (terms_.empty()) return true;
  const Value whole = to_value(resource);
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    // A label's own name may hold dots.
    const Value* found = nullptr;
    for (std::string_view map : {"metadata.labels", "metadata.annotations"})
      if (std::string_view(term.path).starts_with(map))
        found = whole.at_path(map).find(std::string_view(term.path).substr(map.size() + 1));
    if (!found) found = whole.find_path(term.path);
    return ((found ? found->as_written() : term.fallback) == term.value) == term.equal;
  });
}

Result<Filter> parse_filter(std::string_view labels, std::string_view fields, const Kind& kind) {
  auto by_label = Selector::parse(labels);
  if (!by_label) return tl::unexpected(by_label.error());
  auto by_field = FieldSelector::parse(fields, kind);
  if (!by_field) return tl::unexpected(by_field.error());
  return Filter{std::move(*by_label), std::move(*by_field)};
}

}  // namespace trove
