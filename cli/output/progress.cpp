#include "cli/output/progress.hpp"

#include "cli/output/style.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

namespace {
constexpr size_t kLiveCharacters = 100;   // one line of any terminal; a wrapped one could not be rewritten
}

void Progress::clear() {
  if (!shown_) return;
  context_.err << "\r\033[K" << std::flush;
  shown_ = false;
}
void Progress::step(const std::string& line) {
  if (!context_.err_tty) context_.err << line << std::endl;
}
void Progress::lasting(const std::string& line) {
  clear();
  context_.err << line << std::endl;
}
void Progress::live(const std::string& line) {
  if (!context_.err_tty) return;
  Style style(context_.colour(true));
  context_.err << "\r\033[K" << style.faint(printable(line, kLiveCharacters)) << std::flush;
  shown_ = true;
}

}  // namespace trove::cli
