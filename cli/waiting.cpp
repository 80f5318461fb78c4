#include "cli/waiting.hpp"

#include <algorithm>
#include <map>
#include "cli/output/columns.hpp"
#include "cli/output/progress.hpp"
#include "cli/output/table.hpp"
#include "cli/watch.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {
namespace {

constexpr Millis kLiveTick{500};
constexpr size_t kNamedInHint = 5;   // objects spelt out in "trovectl wait …"

bool is_deleting(const Value& object) { return object.at_path("metadata.deletionTimestamp").is_string(); }

// Has the loop acted on the generation that counts? A Ready of an older one says nothing about this change.
bool is_current(const Condition& condition, const Value& object, int64_t generation) {
  return std::max(condition.observed_generation, object.at_path("status.observedGeneration").int_or(0)) >= generation;
}

std::string joined(const std::string& reason, const std::string& message) {
  if (reason.empty()) return message;
  return message.empty() ? reason : reason + "  " + message;
}

struct Watched {
  Target target;
  Verdict verdict;
  bool seen = false;      // has existed
  std::string shown;      // the last line about it
};

class Wait {
 public:
  Wait(Context& context, std::vector<Target> targets, const Goal& goal, Millis timeout)
      : context_(context), goal_(goal), started_(context.clock.monotonic()), deadline_(started_ + timeout),
        timeout_(timeout), progress_(context) {
    for (Target& target : targets) {
      widest_ = std::max(widest_, to_string(target).size());
      watched_.push_back({std::move(target), {}, false, ""});
    }
  }

  Try<int> run(const Settings& settings) {
    std::vector<const Kind*> kinds;
    for (const Watched& one : watched_) {
      if (std::find(kinds.begin(), kinds.end(), one.target.kind) == kinds.end()) kinds.push_back(one.target.kind);
    }
    Watcher watcher(settings, context_.interrupt, kinds);
    for (;;) {
      Millis left = deadline_ - context_.clock.monotonic();
      if (all_done()) return finished();
      if (left <= Millis{0}) return time_over();
      auto event = watcher.next(std::min(left, kLiveTick));
      if (context_.interrupt.raised()) return interrupted();
      if (event) {
        auto taken = take(*event);
        if (!taken) return tl::unexpected(taken.error());
      }
      show_live();
    }
  }

 private:
  Try<void> take(const WatchEvent& event) {
    if (event.what == WatchEvent::What::trouble) {
      // Waiting cannot cure a refusal; an unreachable server may come back, but it must have answered once.
      if (event.failure.exit != kUnavailable || !connected_) return tl::unexpected(event.failure);
      if (!unreachable_) progress_.lasting("the server does not answer; trying again");
      unreachable_ = true;
      return {};
    }
    connected_ = true;
    unreachable_ = false;
    if (event.what == WatchEvent::What::listed) {
      std::map<std::string, const Value*> there;
      for (const Value& object : event.objects) there[object.at_path("metadata.name").text()] = &object;
      for (Watched& one : watched_) {
        if (one.target.kind != event.kind) continue;
        auto it = there.find(one.target.name);
        if (auto updated = update(one, it == there.end() ? nullptr : it->second); !updated) return updated;
      }
      return {};
    }
    const Value& object = event.objects.front();
    for (Watched& one : watched_) {
      if (one.target.kind != event.kind || one.target.name != object.at_path("metadata.name").text()) continue;
      const Value* now = event.what == WatchEvent::What::deleted ? nullptr : &object;
      if (auto updated = update(one, now); !updated) return updated;
    }
    return {};
  }

  Try<void> update(Watched& one, const Value* object) {
    std::string name = to_string(one.target);
    if (!object && goal_.what != Goal::What::deleted && (one.seen || one.target.generation > 0)) {
      return failed(kNotFound, name + " was deleted meanwhile");
    }
    if (object) one.seen = true;
    Verdict before = one.verdict;
    one.verdict = judge(goal_, one.target, object);
    if (one.verdict.state == Verdict::State::failed) {
      progress_.clear();
      Failure failure{kStalled,
                      name + " is stalled: " + printable(joined(one.verdict.reason, one.verdict.message), 1000),
                      "waiting longer is useless; see: trovectl why " + name};
      const Value last = object ? (*object).at_path("status.lastError") : Value();
      failure.code = printable(last["code"].text(), 60);
      failure.actor = printable(last["actor"].text(), 60);
      return tl::unexpected(failure);
    }
    std::string padded = name + std::string(widest_ - name.size() + 2, ' ');
    if (one.verdict.state == Verdict::State::done) {
      // Of many, only those that had to be waited for; the last line counts them all.
      bool news = !one.shown.empty() || watched_.size() == 1;
      if (before.state != Verdict::State::done && news) progress_.lasting(padded + done_word_of(one) + after());
      return {};
    }
    std::string line = padded + printable(joined(one.verdict.reason, one.verdict.message), 300);
    if (line != one.shown) {
      one.shown = line;
      progress_.step(line);
    }
    return {};
  }

  std::string done_word() const {
    if (goal_.what == Goal::What::deleted) return "deleted";
    return goal_.what == Goal::What::condition ? goal_.type + "=" + goal_.status : "ready";
  }
  // A backup is never "ready": it has completed.
  std::string done_word_of(const Watched& one) const {
    bool phase = goal_.what == Goal::What::ready && !one.verdict.reason.empty();
    return phase ? lower(one.verdict.reason) : done_word();
  }
  std::string after() const { return "  (" + format_age(context_.clock.monotonic() - started_) + ")"; }
  size_t done_count() const {
    return static_cast<size_t>(std::count_if(watched_.begin(), watched_.end(), [](const Watched& one) {
      return one.verdict.state == Verdict::State::done;
    }));
  }
  bool all_done() const { return done_count() == watched_.size(); }
  const Watched* first_waiting() const {
    for (const Watched& one : watched_) {
      if (one.verdict.state != Verdict::State::done) return &one;
    }
    return nullptr;
  }

  void show_live() {
    const Watched* one = first_waiting();
    if (!one) return;
    progress_.live(std::to_string(done_count()) + "/" + std::to_string(watched_.size()) + " " + done_word() + "  " +
                   format_age(context_.clock.monotonic() - started_) + "  " + to_string(one->target) + ": " +
                   joined(one->verdict.reason, one->verdict.message));
  }

  Try<int> finished() {
    progress_.clear();
    if (watched_.size() > 1) {
      context_.err << "all " << watched_.size() << " " << done_word() << " after "
                   << format_age(context_.clock.monotonic() - started_) << '\n';
    }
    return kOk;
  }
  std::string command_to_go_on() const {
    std::string command = "trovectl wait";
    size_t named = 0;
    for (const Watched& one : watched_) {
      if (one.verdict.state == Verdict::State::done) continue;
      if (++named > kNamedInHint) break;
      command += " " + to_string(one.target);
    }
    if (goal_.what == Goal::What::deleted) command += " --for=delete";
    if (goal_.what == Goal::What::condition) command += " --for=condition=" + goal_.type + "=" + goal_.status;
    return command;
  }
  Try<int> time_over() {
    progress_.clear();
    const Watched* one = first_waiting();
    size_t open = watched_.size() - done_count();
    std::string what = to_string(one->target) + " is not " + done_word() + " after " + format_duration(timeout_);
    std::string reason = printable(joined(one->verdict.reason, one->verdict.message), 500);
    if (!reason.empty()) what += ": " + reason;
    if (open > 1) what += " (and " + std::to_string(open - 1) + " more)";
    return failed(kTimeout, what, "the server continues; see: trovectl why " + to_string(one->target));
  }
  Try<int> interrupted() {
    progress_.clear();
    context_.err << "interrupted; the server continues. To go on waiting: " << command_to_go_on() << '\n';
    return tl::unexpected(Failure{kInterrupted, ""});
  }

  Context& context_;
  const Goal goal_;
  const Millis started_, deadline_, timeout_;
  Progress progress_;
  std::vector<Watched> watched_;
  size_t widest_ = 0;
  bool connected_ = false, unreachable_ = false;
};

Verdict judge_phase(const Value& object) {
  const std::string& phase = object.at_path("status.phase").text();
  Verdict verdict;
  verdict.reason = phase.empty() ? "Pending" : phase;
  if (phase == "Completed" || phase == "Succeeded") verdict.state = Verdict::State::done;
  if (phase == "Failed") {
    verdict.state = Verdict::State::failed;
    const Value& error = object.at_path("status.lastError");
    verdict.message = error["message"].text();
    auto conditions = conditions_of(object["status"]);
    if (verdict.message.empty()) {
      for (const char* type : {"Stalled", "Ready"}) {
        auto* condition = find_condition(conditions, type);
        if (condition && verdict.message.empty()) verdict.message = condition->message;
      }
    }
  }
  return verdict;
}

}  // namespace

Try<Goal> goal_named(const std::string& text) {
  Goal goal;
  std::string word = lower(text);
  if (text.empty() || word == "ready") return goal;
  if (word == "delete" || word == "deleted") {
    goal.what = Goal::What::deleted;
    return goal;
  }
  goal.what = Goal::What::condition;
  if (word == "synced") {
    goal.type = "Synced";
    return goal;
  }
  if (word.starts_with("condition=") && text.size() > 10) {
    std::string rest = text.substr(10);
    size_t equals = rest.find('=');
    goal.type = rest.substr(0, equals);
    if (equals != std::string::npos) goal.status = rest.substr(equals + 1);
    if (!goal.type.empty() && !goal.status.empty()) return goal;
  }
  std::string near = nearest(text, {"Ready", "Synced", "delete", "condition="});
  return usage_error("--for: \"" + printable(text, 60) + "\" is not something to wait for" +
                         (near.empty() ? "" : ". Did you mean \"" + near + "\"?"),
                     "--for=Ready, Synced, delete, or condition=TYPE[=STATUS]");
}

Verdict judge(const Goal& goal, const Target& target, const Value* object) {
  Verdict verdict;
  if (goal.what == Goal::What::deleted) {
    if (!object) {
      verdict.state = Verdict::State::done;
      return verdict;
    }
    verdict.reason = is_deleting(*object) ? "Deleting" : "NotDeletedYet";
    auto conditions = conditions_of((*object)["status"]);
    for (const char* type : {"Progressing", "Ready"}) {
      auto* condition = find_condition(conditions, type);
      if (is_deleting(*object) && condition && !condition->message.empty() && verdict.message.empty()) {
        verdict.message = condition->message;
      }
    }
    auto* stalled = find_condition(conditions, "Stalled");
    if (is_deleting(*object) && stalled && stalled->status == "True" && stalled->reason == "DeletionBlocked") {
      verdict = {Verdict::State::failed, stalled->reason, stalled->message};
    }
    return verdict;
  }
  if (!object) {
    verdict.reason = "NotThereYet";
    return verdict;
  }
  bool ready_wanted = goal.what != Goal::What::condition;
  std::string_view kind = target.kind->name;
  if (ready_wanted && (kind == "Backup" || kind == "Operation")) return judge_phase(*object);

  int64_t generation =
      target.generation > 0 ? target.generation : object->at_path("metadata.generation").int_or(0);
  auto conditions = conditions_of((*object)["status"]);
  const Condition* wanted = find_condition(conditions, goal.type);
  const Condition* stalled = find_condition(conditions, "Stalled");
  const Condition* progressing = find_condition(conditions, "Progressing");
  if (ready_wanted && !wanted && (kind == "Secret" || kind == "ConfigurationGroup")) {
    verdict.state = Verdict::State::done;   // nothing is made in a cloud for these
    return verdict;
  }
  bool current = wanted && is_current(*wanted, *object, generation);
  bool busy = progressing && progressing->status == "True" && progressing->reason != "WaitingForApproval" &&
              progressing->reason != "WaitingForWindow";
  if (current && wanted->status == goal.status && !(goal.what == Goal::What::settled && busy)) {
    verdict.state = Verdict::State::done;
    return verdict;
  }
  if (stalled && stalled->status == "True" && is_current(*stalled, *object, generation) && goal.type != "Stalled") {
    return {Verdict::State::failed, stalled->reason, stalled->message};
  }
  if (!wanted || (!current && object->at_path("status.observedGeneration").int_or(0) < generation)) {
    verdict.reason = "Pending";
    return verdict;
  }
  const Condition& telling = progressing && progressing->status == "True" ? *progressing : *wanted;
  verdict.reason = telling.reason;
  verdict.message = telling.message;
  return verdict;
}

Try<int> wait_for(Context& context, std::vector<Target> targets, const Goal& goal, Millis timeout) {
  if (targets.empty()) return kOk;
  auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  context.catch_interrupts();
  Wait wait(context, std::move(targets), goal, timeout);
  return wait.run(**settings);
}

}  // namespace trove::cli
