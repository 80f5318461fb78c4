// Everything a command may touch: its arguments, the three streams, the environment, time, the server. main.cpp makes
// the real one, tests make their own; no command reaches past it. Used by one thread; Interrupt alone is thread-safe.
#pragma once
#include <condition_variable>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>
#include "cli/failure.hpp"
#include "cli/settings.hpp"
#include "specs/core/time.hpp"

namespace trove::cli {

class Api;

// What was typed after the command, already checked against the command's flags.
struct Arguments {
  std::vector<std::string> words;                            // positional
  std::map<std::string, std::vector<std::string>> flags;     // by long name, without dashes; a switch has {"true"}
  std::vector<std::string> rest;                             // after "--"
  bool has(const std::string& flag) const { return flags.count(flag) != 0; }
  std::string get(const std::string& flag, std::string fallback = {}) const {
    auto it = flags.find(flag);
    return it == flags.end() || it->second.empty() ? fallback : it->second.back();
  }
  std::vector<std::string> all(const std::string& flag) const {
    auto it = flags.find(flag);
    return it == flags.end() ? std::vector<std::string>{} : it->second;
  }
};

// Ctrl-C as a value that waits can see. raise() may be called from any thread, not from a signal handler.
class Interrupt {
 public:
  void raise();
  bool raised() const;
  // Sleeps at most `most`; true when interrupted before or meanwhile.
  bool wait(Millis most);
  // `action` runs on the raising thread; {} forgets it. Not called for an interrupt that came before.
  void on_raise(std::function<void()> action);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
  std::function<void()> action_;
};

struct Context {
  std::ostream& out;             // data
  std::ostream& err;             // talk
  std::istream& in;
  const Clock& clock;
  Interrupt& interrupt;
  std::function<std::string(const std::string&)> env;
  bool out_tty = false, err_tty = false, in_tty = false;
  // Called once before a long wait; from then on Ctrl-C raises `interrupt` instead of killing the process.
  std::function<void()> catch_interrupts = [] {};
  // Replaces the process by a program found in PATH; returns only when that failed. Tests record instead.
  std::function<Result<int>(const std::vector<std::string>& argv, const std::vector<std::string>& extra_env)> exec;
  Arguments args = {};

  Try<const Settings*> settings();   // read once
  Try<Api*> api();                   // connected to nothing until the first call
  std::string project();             // after settings() succeeded: the flag, the environment, the file, "default"
  Try<Millis> timeout(Millis fallback) const;   // --timeout
  bool colour(bool tty) const;       // a terminal, and NO_COLOR is not set

  Context(std::ostream& o, std::ostream& e, std::istream& i, const Clock& c, Interrupt& n,
          std::function<std::string(const std::string&)> environment);
  ~Context();

 private:
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Api> api_;
};

// stderr: "error: …", "conflict: …" or "refused: …", then the hint. Returns the exit status.
int print_failure(Context& context, const Failure& failure);
void warn(Context& context, const std::string& message);   // "warning: …" on stderr

}  // namespace trove::cli
