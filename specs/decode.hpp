// Untrusted documents to Resources, and what an update may do. Pure; thread-safe.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/kinds/kind.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove {

// Strict: unknown fields, wrong types, bad formats and bounds all become problems with positions and, where a slip is
// likely, a "did you mean". `file` and `document` are copied into problems. A status in the input is ignored (so that
// `get -o yaml` can be applied back); server-owned metadata (uid, generation, …) is read but not trusted by callers.
// metadata.project defaults to `project`. Nothing is returned when any problem was added.
// `some`: one of several owners names its fields only, and what is required may be another's.
enum class Extent { whole, some };
std::optional<Resource> decode_resource(const Value& document, std::string_view project, std::string_view file,
                                        int document_index, Problems& problems, Extent extent = Extent::whole);

// Checks within one object that rows cannot say (exclusive fields, engine-specific fields, sensible grants). Called by
// decode_resource; exposed for objects built in code.
void check_resource(const Resource& resource, const Value& located_spec, Problems& problems);

// Immutable, forbidden and grows-only fields; spec_immutable kinds.
void check_update(const Resource& before, const Resource& after, const Value& located_spec, Problems& problems);

// Every reference in the spec.
struct Reference {
  std::string path;       // "spec.instanceRef"
  std::string kind;
  std::string name;
  Position at;
};
std::vector<Reference> references_of(const Resource& resource);

// References of `set` must exist in `set` or be found by `exists`; no cycle within what `set` defines
// (an instance that bootstraps from a backup of itself). `located[i]` is the document of set[i].
void check_references(const std::vector<Resource>& set, const std::vector<Value>& located,
                      const std::function<const Resource*(const Key&)>& find, Problems& problems);

// A copy of `spec` with every default of the table filled in (objects on the way to a default are made only when
// the default lies directly in spec or its parent object is present).
Value with_defaults(const Kind& kind, const Value& spec);

// What differs between two specs, field by field, in table order. Defaults count as written, so that spelling one out
// is no difference; when one side is empty (an object that is made or goes) only what was written is listed.
struct FieldChange {
  std::string path;        // "spec.volume.size", "spec.parameters.max_connections"
  Value before, after;     // null = absent; a sensitive value is shown as "(sensitive)"
  Change change = Change::live;
};
std::vector<FieldChange> diff_specs(const Kind& kind, const Value& before, const Value& after);

// One object of JSON Schema 2020-12 for a kind (the whole document), and of all kinds as a bundle with $defs.
Value json_schema(const Kind& kind);
Value json_schema_of_all();
// `explain KIND[.field.path]`; also `cfg.ENGINE` and `cfg.ENGINE.PARAMETER` from the catalogue. Error not_found with a
// "did you mean" for an unknown path.
Result<std::string> explain(std::string_view kind_and_path);

}  // namespace trove
