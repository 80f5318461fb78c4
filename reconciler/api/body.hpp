// Requests that hand in documents, in one form or another. Private to reconciler/api.
#pragma once
#include "providers/http/server.hpp"
#include "reconciler/api/applier.hpp"

namespace trove {

// The documents of a body: {documents: [{source, lines, object}]} or a YAML stream. `remove` of {remove: [{kind, name}]}.
struct Body {
  std::vector<Source> sources;
  Value remove;
};
Attempt<Body> read_body(const http::Request& request);

// What the query says about an apply: fieldManager, force, set, prune, maxDelete, confirm, breakGlass, dryRun. Not the
// author.
Attempt<ApplyOrder> read_order(const http::Request& request, const std::string& project, const std::string& caller);

}  // namespace trove
