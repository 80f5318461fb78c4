#include "cli/api.hpp"
#include "cli/command.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {
namespace {

constexpr const char* kVersion = "0.1.0";
constexpr Millis kServerAnswers{1'000};   // a version is not worth a longer wait

}  // namespace

Try<int> run_version(Context& context) {
  context.out << "trovectl " << kVersion << " (" << kApiVersion << ")\n";
  if (context.args.has("client")) return kOk;
  auto api = context.api();
  if (!api) return kOk;   // not set up yet: the client's version is all there is
  (*api)->set_deadline(kServerAnswers);
  auto answer = (*api)->version();
  if (answer) {
    context.out << "troved   " << printable((*answer)["version"].text_or("of an unknown version"), 60) << " at "
                << (*context.settings())->server.value << '\n';
  } else {
    context.err << "server: " << answer.error().message << '\n';
  }
  return kOk;
}

}  // namespace trove::cli
