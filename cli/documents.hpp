// Files of YAML or JSON to checked documents that still know where each field was written, so that what the server says
// about document 3, spec.volume.size becomes shop/db.yaml:41:9. Plain values; one thread.
#pragma once
#include <string>
#include <vector>
#include "cli/context.hpp"
#include "specs/decode.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {

inline constexpr size_t kFileBytes = 1u << 20;    // of one file; the parser's own bound
inline constexpr size_t kFiles = 10'000;          // in one call
inline constexpr size_t kDocuments = 20'000;
inline constexpr int kFolderDepth = 32;
inline constexpr size_t kProblemsShown = 200;     // of one call; the rest is counted

struct Document {
  std::string file;        // "-" is shown as <stdin>
  Value value;             // located
  Resource resource;       // decoded; only when the set has no problem
};

struct Documents {
  std::vector<Document> items;
  Problems problems;       // of every file
};

// Reads every -f of the arguments. A Failure is for what has no position: no such file, no -f at all.
// What is required and missing is a problem here only when `extent` is whole: for a server it may be another owner's.
Try<Documents> load_documents(Context& context, Extent extent = Extent::whole);
// One text, as if read from `file`. Exposed for tests.
void load_text(const std::string& text, const std::string& file, const std::string& project, Documents& into,
               Extent extent = Extent::whole);

// The body of POST /apply and /plans.
Value request_body(const Documents& documents);
// Prints "error: file:line:col  path: message" for each; returns the Failure that only carries the exit status.
Failure report_problems(Context& context, const Problems& problems);
// What the server found wrong, with positions where its documents are ours.
Problems located(const Failure& failure, const Documents& documents);

}  // namespace trove::cli
