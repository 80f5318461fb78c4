#include "reconciler/simulate/faulty_store.hpp"

#include <algorithm>

namespace trove::simulate {
namespace {

using Kind = Fault::Kind;
constexpr Code kDead = Code::unavailable;
tl::unexpected<Error> dead() { return fail(kDead, "the process is dead"); }

// Events and the action log are stamped; everything else is named by what it is.
std::string name_of(const std::string& key) {
  for (std::string_view stamped : {"/event/", "/action/"})
    if (key.starts_with(stamped)) return key.substr(0, std::max(key.rfind('/'), stamped.size() - 1));
  return key;
}

}  // namespace

std::string subject_of(const Txn& txn) {
  for (std::string_view root : {"/spec/", "/status/", "/ledger/", "/owner/", "/gone/", "/action/", "/event/"})
    for (const Op& op : txn.ops)
      if (op.key.starts_with(root)) return (op.kind == Op::Kind::remove ? "remove " : "") + name_of(op.key);
  return txn.ops.empty() ? "nothing" : name_of(txn.ops.front().key);
}

Result<Revision> FaultyStore::commit(const Txn& txn) {
  if (dead_) return dead();
  if (txn.ops.empty()) return inner_.commit(txn);
  const int64_t n = injector_.next_commit();
  const std::string subject = subject_of(txn);
  const auto refuse = [&](Code code, std::string_view why) {
    injector_.say(plane_, "commit " + std::to_string(n) + " " + subject + ": " + std::string(why));
    return fail(code, std::string(why));
  };
  injector_.boundary(plane_, "c0", subject);
  if (injector_.lasting(Kind::disk_full)) return refuse(Code::no_space, "the disk is full");
  if (injector_.aimed(Kind::io_error, n)) return refuse(Code::outcome_unknown, "input/output error");
  if (injector_.aimed(Kind::conflict, n)) overtake(txn);
  Result<Revision> done = inner_.commit(txn);
  if (!done) return refuse(done.error().code, done.error().message);
  injector_.say(plane_, "commit " + std::to_string(n) + " " + subject);
  committed_(txn, *done);
  if (injector_.aimed(Kind::compact, n)) {
    injector_.say(plane_, "the store forgets its history");
    (void)inner_.compact(*done + 1);
  }
  injector_.boundary(plane_, "c4", subject);
  if (injector_.aimed(Kind::ambiguous, n)) return refuse(Code::outcome_unknown, "the answer of the store is lost");
  return done;
}

// Somebody writes an object just before, so that a transaction that has read it loses the race.
void FaultyStore::overtake(const Txn& txn) {
  for (const Guard& guard : txn.guards) {
    if (guard.what != Guard::What::modified_is || !guard.key.starts_with("/spec/")) continue;
    auto current = inner_.get(guard.key);
    if (!current || !*current) continue;
    Txn other;
    other.ops.push_back({Op::Kind::put, guard.key, (*current)->value, 0});
    if (auto done = inner_.commit(other)) committed_(other, *done);
    injector_.say("person", "writes " + guard.key + " at the same moment");
    return;
  }
}

Result<Lease> FaultyStore::grant(Millis ttl) {
  if (dead_) return dead();
  if (injector_.lasting(Kind::disk_full)) return fail(Code::no_space, "the disk is full");
  return inner_.grant(ttl);
}

Result<void> FaultyStore::keep(Lease lease) {
  if (dead_) return dead();
  if (injector_.lasting(Kind::disk_full)) return fail(Code::no_space, "the disk is full");
  return inner_.keep(lease);
}

Result<void> FaultyStore::revoke(Lease lease) {
  if (dead_) return dead();
  return inner_.revoke(lease);
}

}  // namespace trove::simulate
