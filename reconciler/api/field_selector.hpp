// Field selectors: "status.phase=HEALTHY,spec.flavor!=db.tiny,metadata.name=x"; and what a list or a watch is narrowed to
// altogether. Plain values.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "reconciler/api/selector.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/resource.hpp"

namespace trove {

class FieldSelector {
 public:
  // "" matches everything. Paths of metadata and spec must exist, those of a status are free (it grows with the
  // program); what is sensitive cannot be asked about.
  static Result<FieldSelector> parse(std::string_view text, const Kind& kind);
  // A field that is absent has its default, or else equals nothing but "".
  bool matches(const Resource& resource) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    std::string path, value;
    std::string fallback;  // the default of the table, as it would be written
    bool equal = true;
  };
  std::vector<Term> terms_;
};

struct Filter {
  Selector labels;
  FieldSelector fields;
  bool empty() const { return labels.empty() && fields.empty(); }
  bool matches(const Resource& resource) const {
    return labels.matches(resource.metadata.labels) && fields.matches(resource);
  }
};
Result<Filter> parse_filter(std::string_view labels, std::string_view fields, const Kind& kind);

}  // namespace trove
