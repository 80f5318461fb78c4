// Databases and users: brings the engine to what the document asks for, tells drift from news, and repairs it as each
// item's policy says. One item's failure holds up no other. Belongs to the reconcile thread.
#pragma once
#include <map>
#include <string>
#include <vector>
#include "providers/guest/agent/memory.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

struct ItemsOutcome {
  std::vector<ItemState> databases, users;
  std::vector<std::string> events;      // repairs, one sentence each
};

class Items {
 public:
  Items(EngineDriver& driver, Memory& memory, const Clock& clock) : driver_(driver), memory_(memory), clock_(clock) {}

  // One pass. An Error means that the engine could not be asked; nothing is known about the items then.
  Result<ItemsOutcome> pass(const Document& document);

 private:
  enum class Need { nothing, make, repair };
  struct Work;
  struct Failure {
    std::string digest, message;
    int times = 0;
    Millis next{0};
  };
  void judge(Work& work, const Document& document);
  void settle(Work& work, const std::optional<Facets>& facets);
  void note_failure(Work& work, const Error& error);

  EngineDriver& driver_;
  Memory& memory_;
  const Clock& clock_;
  std::map<std::string, Failure> failures_;
};

}  // namespace trove::guest
