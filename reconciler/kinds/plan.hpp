// The plan: a pure function of the world. `plan(object, world)` does no I/O, reads no clock, draws no chance; the loop
// performs what it returns, `trovectl plan` prints it, `trovectl why` explains it. There is no second code path.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>
#include "providers/cloud.hpp"
#include "reconciler/kinds/drift.hpp"
#include "reconciler/world.hpp"
#include "specs/kinds/kind.hpp"

namespace trove {

// Actions on what is not the cloud. Data, like CloudAction.
struct PutGuestDocument {
  Token server;
  guest::Document document;
};
struct CreateObject {
  Resource resource;
};  // a Volume of an instance, a Backup of a schedule
struct UpdateObject {
  Resource resource;
  std::string what;
};  // an owned object follows its owner; CAS on its version
struct DeleteObject {
  Key key;
  std::string uid;
  std::string why;
};  // marks for deletion; its own plan does the rest
struct RemoveObject {
  Key key;
  std::string uid;
};  // the end of a deletion: the object is forgotten
struct GenerateSecret {
  Key secret;
  OwnerReference owner;
  int64_t length = 0;
};

using Effect =
    std::variant<CloudAction, PutGuestDocument, CreateObject, UpdateObject, DeleteObject, RemoveObject, GenerateSecret>;

struct Action {
  Effect effect;
  Key object;                    // whose plan asked for it
  Change change = Change::live;  // what it does to the database, product.md 2.6
  std::string interrupts = {};   // "database stops for one restart"; "" = nothing
};
std::string_view action_name(const Action& action);  // "nova.server.create" "guest.apply" "object.create" …
std::string describe(const Action& action);          // one line for people; no secret
bool reads(const Action& action);                    // it asks, and changes nothing

// Actions on what a deleted owner left behind carry this kind and the owner's uid as their object.
inline constexpr const char* kOrphan = "Orphan";

// Why something is not done, in the words of product.md.
struct Trouble {
  std::string code;   // CLOUD_QUOTA_EXCEEDED …
  std::string actor;  // User CloudOperator System
  std::string message;
};

struct Plan {
  std::vector<Action> actions;  // in order; the loop looks again after the last
  Value status = Value::map();  // the whole status, conditions included (transition times are the loop's)
  std::optional<Time> wake;     // look again then, whatever happens
  bool keep_status = false;     // too little is known to say anything new
  std::vector<Suspect> suspects;  // look at the cloud again, and come back
  std::string waiting_reason, waiting_message;  // what a person should know when there is no action and no convergence
};

// What requests that arrived late have left behind: things in the cloud with the token of an owner that was deleted.
// Servers and ports go; a volume only when its owner's deletionPolicy was Delete.
std::vector<Action> plan_orphans(const World& world);

// Leaks are found by looking and never by knowing less: a list that could not be read leaves what was found in it
// before. `owned` tells whether an object with this uid exists.
inline constexpr const char* kLeak = "Leak";
std::map<std::string, Leak> find_leaks(const World& world, const std::function<bool(const std::string& uid)>& owned);
std::vector<Action> plan_leaks(const World& world);

// Where something is suspected, nothing is said and nothing is done before the cloud was looked at again: a moment later.
Plan looked_at_again(Plan plan, const DriftJudge& drift);
// The plan of any object. An unknown kind gives an empty plan.
Plan plan_object(const Object& object, const World& world);

// Adds lastTransitionTime (text) to a condition that has none, where to_value() would put it.
void set_transition_time(Value& condition, Value since);

// For the kinds. Conditions and the rest of a status are built in one place, so that every kind says things the same way.
class StatusBuilder {
 public:
  explicit StatusBuilder(const Object& object, const World& world);
  Value& fields() { return fields_; }
  // What the last status said of a field is said again, unless this one sets it.
  StatusBuilder& carry(std::span<const std::string_view> fields);
  StatusBuilder& phase(std::string_view phase);
  StatusBuilder& ready(bool is, std::string_view reason, std::string message = {});
  StatusBuilder& ready_unknown(std::string_view reason, std::string message);
  StatusBuilder& synced(bool is, std::string_view reason, std::string message = {});
  StatusBuilder& progressing(std::string_view reason, std::string message);  // default: not progressing
  StatusBuilder& stalled(Trouble trouble, std::string_view reason = {});     // default: not stalled; the code
  // Something is wrong that is tried again at `next`: no stall, and to be read in lastError.
  StatusBuilder& trouble(Trouble trouble, Time next);
  // What the judge has found becomes part of the status and the Drifted condition. It has to live until build().
  StatusBuilder& drift(const DriftJudge& judge);
  // The generation that this status speaks of; default: the object's own. Zero keeps the last one.
  StatusBuilder& observed(int64_t generation);
  Value build();

 private:
  const Object& object_;
  const World& world_;
  Value fields_ = Value::map();
  Condition ready_, synced_, progressing_, stalled_, drifted_;
  std::optional<Trouble> trouble_;
  std::optional<Time> next_retry_;
  const DriftJudge* judge_ = nullptr;
  std::span<const std::string_view> carried_;
  int64_t generation_;
};
// A failed action's code in product.md's words.
Trouble trouble_of(const Failure& failure);

// Plans of one kind each, in reconciler/kinds/<kind>.cpp.
Plan plan_database_instance(const Object& object, const World& world);
Plan plan_database(const Object& object, const World& world);
Plan plan_user(const Object& object, const World& world);
Plan plan_volume(const Object& object, const World& world);
Plan plan_secret(const Object& object, const World& world);
Plan plan_configuration_group(const Object& object, const World& world);
Plan plan_backup_schedule(const Object& object, const World& world);
Plan plan_backup(const Object& object, const World& world);
Plan plan_operation(const Object& object, const World& world);
Plan plan_git_source(const Object& object, const World& world);

// What several kinds ask of an instance.
struct InstanceView {
  const Object* instance = nullptr;   // null: no such object
  const Server* server = nullptr;     // the current one, when there is one
  const GuestState* guest = nullptr;  // of that server
  bool going() const { return !instance || instance->deleting(); }
  // It was told something and has said something since we started.
  bool spoken() const { return guest && guest->report && guest->document; }
  // The guest has worked through the newest document that we gave it.
  bool settled() const {
    return spoken() && guest->report->document_digest == guest->document_digest;
  }
};
InstanceView view_instance(const World& world, const std::string& project, const std::string& name);
// The one in use among servers of an owner: attached to the volume first, then the newest incarnation.
const Server* current_server(const std::vector<const Server*>& servers);

// The document of an instance's server: everything that the objects around it ask for. Pure.
guest::Document compile_document(const Object& instance, const Server& server, const Port& port, const World& world,
                                 const std::string& restart_word);

}  // namespace trove
