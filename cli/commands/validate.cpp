#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "specs/decode.hpp"

namespace trove::cli {

Try<int> run_validate(Context& context) {
  if (!context.args.words.empty()) {
    return usage_error("validate takes files, not words",
                       "did you mean -f " + printable(context.args.words[0], 80) + "?");
  }
  // Offline: a broken configuration file or a missing TROVE_DATA is no reason to refuse.
  auto documents = load_documents(context);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->problems.empty()) {
    std::vector<Resource> set;
    std::vector<Value> values;
    for (const Document& document : documents->items) {
      set.push_back(document.resource);
      values.push_back(document.value);
    }
    // What lies outside the files may well be on the server; here it counts as there.
    static const Resource elsewhere;
    check_references(set, values, [](const Key&) { return &elsewhere; }, documents->problems);
    for (Problem& problem : documents->problems) {
      if (problem.file.empty() && problem.document >= 0 &&
          static_cast<size_t>(problem.document) < documents->items.size()) {
        problem.file = documents->items[static_cast<size_t>(problem.document)].file;
      }
    }
  }
  if (!documents->problems.empty()) {
    Failure failure = report_problems(context, documents->problems);
    failure.exit = kUsage;
    return tl::unexpected(failure);
  }
  size_t count = documents->items.size();
  context.err << count << (count == 1 ? " object is valid\n" : " objects are valid\n");
  return kOk;
}

}  // namespace trove::cli
