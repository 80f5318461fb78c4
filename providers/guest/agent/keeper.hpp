// Keeps one engine process alive: starts it, finds it again after the agent's own restart, notices its end, backs off
// when it keeps falling over. The process is in a session of its own and outlives the agent. Belongs to the reconcile
// thread; watch_fd may be polled by it between calls.
#pragma once
#include <string>
#include "providers/guest/agent/memory.hpp"
#include "providers/guest/agent/parameters.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

class Keeper {
 public:
  Keeper(EngineDriver& driver, Memory& memory, const Surroundings& where, ParameterKeeper& parameters,
         const Clock& clock)
      : driver_(driver), memory_(memory), where_(where), parameters_(parameters), clock_(clock) {}

  enum class State {
    running,     // answers
    starting,    // alive, or about to be; call keep() again soon
    resting,     // fell over; next try at wake()
    failed,      // cannot be started; message() says why, next try at wake()
  };
  // One step; blocks for at most `patience` while the engine comes up.
  State keep(const Document& document, Millis patience, const Cancel& cancel);
  // Takes note of an engine that ended since the last call.
  void notice();
  // Ends the engine in an orderly way; it is started again by the next keep(). False when it would not end.
  // `diskless`: its data cannot be written, so an orderly end is asked for and not waited for.
  bool stop(const Cancel& cancel, bool diskless = false);

  bool alive() const { return is_alive(mark_); }
  int watch_fd() const { return watch_.get(); }
  Millis wake() const { return not_before_; }
  const std::string& message() const { return message_; }
  int restarts() const { return restarts_; }
  std::vector<std::string> take_events() { return std::exchange(events_, {}); }

 private:
  std::string pid_file() const { return where_.layout.run_dir + "/engine.pid"; }
  const std::string& work_directory() const {
    return driver_.has_data() ? where_.layout.data_dir : where_.layout.engine_dir;
  }
  void adopt();
  void remember(const ProcessMark& mark);
  Result<void> start(const Document& document);
  void fell_over();

  EngineDriver& driver_;
  Memory& memory_;
  const Surroundings& where_;
  ParameterKeeper& parameters_;
  const Clock& clock_;
  ProcessMark mark_;
  UniqueFd watch_;
  bool looked_ = false;        // for an engine of an earlier agent
  bool up_ = false;            // it answered since it was started
  bool ours_to_stop_ = false;  // the end of the process is our doing
  int falls_ = 0;
  int starts_ = 0, restarts_ = 0;
  Millis started_{0}, not_before_{0};
  Parameters starting_with_;
  std::string message_;
  std::vector<std::string> events_;
};

}  // namespace trove::guest
