#include "reconciler/store/txn.hpp"
#include <algorithm>

namespace trove {

size_t bytes_of(const StoreEvent& event) { return sizeof(StoreEvent) + event.key.size() + event.value.size(); }

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;  // "" = no key is after all of them: no end
}

namespace {

Result<void> check_key(const std::string& key) {
  if (key.empty()) return fail(Code::invalid, "a key is empty");
  if (key.size() > kMaxKeyBytes)
    return fail(Code::too_large, "key " + key.substr(0, 80) + "... has " + std::to_string(key.size()) +
                                     " bytes, the limit is " + std::to_string(kMaxKeyBytes));
  return {};
}

}  // namespace

Result<std::vector<const Op*>> check_txn(const Txn& txn) {
  if (txn.ops.size() > kMaxTxnOps || txn.guards.size() > kMaxTxnOps)
    return fail(Code::too_large, "a transaction of " + std::to_string(std::max(txn.ops.size(), txn.guards.size())) +
                                     " operations, the limit is " + std::to_string(kMaxTxnOps));
  if (txn.id.size() > kMaxTxnIdBytes)
    return fail(Code::too_large, "a transaction id of " + std::to_string(txn.id.size()) + " bytes, the limit is " +
                                     std::to_string(kMaxTxnIdBytes));
  size_t bytes = 0;
  for (const Guard& guard : txn.guards) {
    if (auto ok = check_key(guard.key); !ok) return tl::unexpected(ok.error());
    bytes += guard.key.size();
  }
  std::vector<const Op*> ops;
  ops.reserve(txn.ops.size());
  for (const Op& op : txn.ops) {
    if (auto ok = check_key(op.key); !ok) return tl::unexpected(ok.error());
    if (op.value.size() > kMaxValueBytes)
      return fail(Code::too_large, "the value of " + op.key + " has " + std::to_string(op.value.size()) +
                                       " bytes, the limit is " + std::to_string(kMaxValueBytes));
    bytes += op.key.size() + op.value.size();
    ops.push_back(&op);
  }
  if (bytes > kMaxTxnBytes)
    return fail(Code::too_large,
                "a transaction of " + std::to_string(bytes) + " bytes, the limit is " + std::to_string(kMaxTxnBytes));
  std::sort(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->key < b->key; });
  auto twice = std::adjacent_find(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->key == b->key; });
  if (twice != ops.end()) return fail(Code::invalid, "key " + (*twice)->key + " occurs twice in one transaction");
  return ops;
}

Result<void> check_ttl(Millis ttl) {
  if (ttl <= Millis{0}) return fail(Code::invalid, "a lease needs a time to live above zero");
  if (ttl > kMaxLeaseTtl) return fail(Code::too_large, "a lease lives for eight days at most");
  return {};
}

Result<void> check_guard(const Guard& guard, Revision created, Revision modified) {
  const auto wrong = [&](const std::string& what) { return fail(Code::conflict, "key " + guard.key + " " + what); };
  const auto at = [](Revision revision) { return std::to_string(revision); };
  switch (guard.what) {
    case Guard::What::absent:
      if (modified != 0) return wrong("exists already, since revision " + at(created));
      return {};
    case Guard::What::present:
      if (modified == 0) return wrong("does not exist");
      return {};
    case Guard::What::modified_is:
      if (modified == guard.revision) return {};
      if (modified == 0) return wrong("does not exist");
      return wrong("was modified at revision " + at(modified) + ", not " + at(guard.revision));
    case Guard::What::created_is:
      if (created == guard.revision) return {};
      if (created == 0) return wrong("does not exist");
      return wrong("was created at revision " + at(created) + ", not " + at(guard.revision));
  }
  return fail(Code::internal, "an unknown kind of guard");
}

Result<void> check_compact(Revision before, Revision newest) {
  if (before > newest)
    return fail(Code::invalid, "cannot forget what was before revision " + std::to_string(before) + ": the newest is " +
                                   std::to_string(newest));
  return {};
}

tl::unexpected<Error> too_many_leases() { return fail(Code::throttled, "there are too many leases"); }

tl::unexpected<Error> waits_in_callback() {
  return fail(Code::internal, "a callback of the store must not wait for the store");
}

}  // namespace trove
