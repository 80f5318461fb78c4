#include "providers/guest/agent/parameters.hpp"
#include <set>
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {
constexpr size_t kMostMessage = 500;

std::string short_text(std::string text) {
  if (text.size() > kMostMessage) text.resize(kMostMessage);
  return text;
}
}  // namespace

Result<void> ParameterKeeper::one(const Parameter& parameter, const std::string& name, const Document& document,
                                  ParametersOutcome& outcome) {
  ParameterState state{parameter.name, "", false, "Applied", ""};
  const auto finish = [&](std::string word, std::string message) -> Result<void> {
    state.state = std::move(word);
    state.message = short_text(std::move(message));
    outcome.pending_restart |= state.pending_restart;
    outcome.states.push_back(std::move(state));
    return {};
  };
  if (auto why = driver_.refuses(name, parameter.value); !why.empty()) return finish("Failed", why);
  auto seen = driver_.setting(name);
  if (!seen) {
    if (seen.error().code == Code::unavailable) return tl::unexpected<Error>(seen.error());
    return finish("Failed", seen.error().message);
  }
  if (!*seen) {
    memory_.persisted.erase(name);
    return finish("Failed", "unknown system variable");
  }
  const Setting& running = **seen;
  state.value = running.value;
  const auto rejected = memory_.rejected.find(name);
  if (rejected != memory_.rejected.end()) {
    if (rejected->second.value == parameter.value) return finish("Failed", rejected->second.running);
    memory_.rejected.erase(rejected);
  }

  const auto known = memory_.parameters.find(name);
  const bool asked_before = known != memory_.parameters.end() && known->second.value == parameter.value;
  const bool fits = driver_.same(name, running.value, parameter.value);
  if (asked_before && (fits || driver_.same(name, running.value, known->second.running))) {
    memory_.persisted[name] = parameter.value;
    return finish("Applied", fits ? "" : "the engine made " + running.value + " of " + parameter.value);
  }
  if (asked_before && running.live) {     // it was in force and is no more
    if (parameter.drift == Drift::ignore) return finish("Applied", "");
    if (parameter.drift == Drift::report) return finish("Drifted", "someone set it to " + running.value);
  }
  if (document.suspended) return finish("Pending", "suspended: nothing is changed");
  if (fits) {
    memory_.persisted[name] = parameter.value;
    memory_.parameters[name] = {parameter.value, running.value};
    return finish("Applied", "");
  }
  if (!running.live) {
    const auto started = memory_.started_with.find(name);
    if (started != memory_.started_with.end() && started->second == parameter.value) {
      memory_.parameters[name] = {parameter.value, running.value};
      return finish("Applied", "the engine made " + running.value + " of " + parameter.value);
    }
    if (auto why = driver_.objection(name, parameter.value); !why.empty()) return finish("Failed", why);
    memory_.persisted[name] = parameter.value;
    state.pending_restart = true;
    return finish("Pending", "takes effect at the next restart");
  }
  memory_.originals.emplace(name, running.value);
  auto set = driver_.set_live(name, parameter.value);
  if (!set) {
    if (set.error().code == Code::unavailable) return tl::unexpected<Error>(set.error());
    return finish("Failed", set.error().message);
  }
  auto after = driver_.setting(name);
  if (!after) return tl::unexpected<Error>(after.error());
  if (*after) state.value = (*after)->value;
  memory_.persisted[name] = parameter.value;
  memory_.parameters[name] = {parameter.value, state.value};
  if (asked_before) {
    outcome.events.push_back("parameter " + name + " was set to " + running.value + " by someone; set to " +
                             parameter.value + " again");
  }
  const bool as_asked = driver_.same(name, state.value, parameter.value);
  return finish("Applied", as_asked ? "" : "the engine made " + state.value + " of " + parameter.value);
}

Result<void> ParameterKeeper::reset(const std::string& name, ParametersOutcome& outcome) {
  memory_.rejected.erase(name);
  if (!memory_.persisted.count(name) && !memory_.parameters.count(name) && !memory_.started_with.count(name)) return {};
  ParameterState state{name, "", false, "Dropped", ""};
  auto seen = driver_.setting(name);
  if (!seen)
    return seen.error().code == Code::unavailable ? Result<void>(tl::unexpected<Error>(seen.error())) : Result<void>();
  const bool was_persisted = memory_.persisted.erase(name) > 0;
  const bool was_set = memory_.parameters.erase(name) > 0;
  if (*seen && (*seen)->live && (was_persisted || was_set)) {
    const auto original = memory_.originals.find(name);
    auto done = driver_.reset_live(name);
    if (!done && done.error().code == Code::invalid && original != memory_.originals.end()) {
      done = driver_.set_live(name, original->second);
    }
    if (!done && done.error().code == Code::unavailable) return done;
    if (!done) state = {name, (*seen)->value, false, "Failed", short_text(done.error().message)};
    memory_.originals.erase(name);
    if (done) memory_.started_with.erase(name);
  } else if (*seen && !(*seen)->live && memory_.started_with.count(name)) {
    state = {name, (*seen)->value, true, "Pending", "back to the default at the next restart"};
    outcome.pending_restart = true;
  } else {
    return {};
  }
  outcome.states.push_back(std::move(state));
  return {};
}

Result<ParametersOutcome> ParameterKeeper::pass(const Document& document) {
  ParametersOutcome outcome;
  const Parameters before = memory_.persisted;
  std::set<std::string> wanted;
  for (const Parameter& parameter : document.parameters) {
    const std::string name = driver_.canonical_name(parameter.name);
    if (!wanted.insert(name).second) continue;
    if (auto done = one(parameter, name, document, outcome); !done) return tl::unexpected<Error>(done.error());
  }
  for (const auto& given : document.reset_parameters) {
    const std::string name = driver_.canonical_name(given);
    if (document.suspended || wanted.count(name) || !unsafe_parameter(name, "").empty()) continue;
    if (auto done = reset(name, outcome); !done) return tl::unexpected<Error>(done.error());
  }
  if (memory_.persisted != before) {
    auto written = driver_.configure(document, memory_.persisted);
    if (!written) return tl::unexpected<Error>(written.error());
  }
  return outcome;
}

bool ParameterKeeper::fall_back(const std::string& why) {
  if (memory_.persisted == memory_.started_with) return false;
  for (const auto& [name, value] : memory_.persisted) {
    const auto good = memory_.started_with.find(name);
    if (good != memory_.started_with.end() && good->second == value) continue;
    memory_.rejected[name] = {value, "the engine did not start with it" + (why.empty() ? "" : ": " + why)};
    memory_.parameters.erase(name);
  }
  memory_.persisted = memory_.started_with;
  return true;
}

}  // namespace trove::guest
