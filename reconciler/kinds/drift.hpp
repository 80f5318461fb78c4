// Drift: what was brought to the spec and somebody else changed since. Whether a difference is that, or a change of the
// spec that is still to be carried out, is told from the status alone: status.inSync holds, per path, what the spec said
// when the world was last seen to follow it. A difference while that is still what the spec says came from outside.
//
// One judge belongs to one plan of one object. Planners show it every fact (judge(), judge_size(), report()) and do what
// it answers; StatusBuilder writes what it has found: status.inSync, status.drift, status.corrections.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#include "reconciler/world.hpp"

namespace trove {

// The same correction this often within an hour, and once more wanted, is a fight that nobody wins.
inline constexpr int kMaxCorrections = 3;
inline constexpr Millis kCorrectionWindow{3'600'000};

struct DriftFact {
  std::string path;       // below spec: "/flavor"
  Value desired, actual;
  bool fits = false;      // the two are the same thing
  Value mark;             // remembered while it fits; null: `desired`
  bool correctable = true;
};

// What seems to have been changed outside: what the cloud shows at a path.
struct Suspect {
  std::string path;
  Value actual;
};

class DriftJudge {
 public:
  enum class Finding {
    fits,
    change,   // the spec changed (or this is new): carry it out
    correct,  // drift, to be put right: then say corrected()
    asking,   // drift it seems; the cloud is looked at again first (suspects()), and asked who it was (asks())
    left,     // drift that is reported, ignored, or fought over too often: nothing is done
  };
  DriftJudge(const Object& object, const World& world);

  Finding judge(DriftFact fact);
  // Of something that a server's own record tells the author of: "resize", "stop".
  Finding judge(DriftFact fact, const Server& server, std::string_view deed);
  // A volume's type. fits: as it should be, none is asked for, or it cannot be told.
  Finding judge_type(const std::string& path, const std::string& wants, const CloudVolume& volume);
  // A volume's size: larger than the spec is drift only if it grew after it was last seen.
  Finding judge_size(const std::string& path, int64_t want_gib, int64_t have_gib, std::string accept);
  // Drift that somebody else found (a guest). Its paths are those below which `clear` made room.
  void report(std::string path, Value desired, Value actual, Drift policy, std::string waits_for = {});
  // Nothing is known of what guests find but what is reported from here on.
  void clear_reported();

  // The correction is being made in this plan; counted once for each time that something drifts.
  void corrected(const std::string& path);
  // What the correction waits for, for people.
  void waits_for(const std::string& path, std::string what);
  // A person asked for it: corrections that were stopped are tried again.
  void try_again() { corrections_ = Value::list(); }
  void forget(const std::string& path);
  void forget_all();

  const std::vector<CloudAction>& asks() const { return asks_; }
  const std::vector<Suspect>& suspects() const { return suspects_; }
  bool drifted() const { return !drift_.empty(); }
  bool drifted(const std::string& path) const { return drift_.contains(path); }
  std::string message() const;         // "" = nothing has drifted
  std::string flapping() const;        // why corrections were stopped; "" = none was
  void write(Value& status) const;

 private:
  Finding found(DriftFact fact, const Server* server, std::string_view deed);
  Value* record_of(const std::string& path);
  bool recent(const Value& time) const;
  bool flaps(const std::string& path, const Value& entry);
  bool seen_twice(const DriftFact& fact);

  const Object& object_;
  const World& world_;
  const Common& common_;
  Value in_sync_;                      // path -> mark
  std::map<std::string, Value> drift_;  // path -> entry
  std::map<std::string, Value> before_;
  Value corrections_;
  std::set<std::string> stopped_;
  std::vector<CloudAction> asks_;
  std::vector<Suspect> suspects_;
};

// "/flavor: db.large instead of db.small, by keystone:kim"
std::string describe_drift(const Value& entry);
// The same drift as in `before`, seen again (an entry's policy may have changed).
bool same_drift(const Value& before, const Value& entry);
std::string_view to_string(Drift policy);

// Of a parameter: its instance's policy or its group's, whichever is the milder; `group` may be null.
Drift parameter_drift(const DatabaseInstanceSpec& instance, const ConfigurationGroupSpec* group, const std::string& name);

// Whether what is to be seen of `owner` at `path`, and is not what its spec says, is to be brought there: a change, or drift
// that its own judge has found and corrects. For a thing of its own that does it, and is not the one to judge.
bool to_be_done(const Object& owner, const std::string& path, const Value& desired);

// The memory that the engine is sized for: the server's flavor's, unless that was changed outside and is only reported;
// then no more than the spec's. Of a flavor that is not known (the list could not be read, or it was retired): what the
// guest was told last; 0 = nobody knows.
int64_t engine_memory_mib(const Object& instance, const Server& server, const World& world);

}  // namespace trove
