#include "reconciler/ledger.hpp"

#include <algorithm>

namespace trove {
namespace {

constexpr int kProofs = 2;
constexpr Millis kLongestPause{300'000};

Token first_of(const std::string& uid) { return {uid, "", 0}; }

bool is_retype_of(const Asked& asked, const std::string& uid) {
  return asked.token.uid == uid && !asked.to_type.empty();
}

}  // namespace

bool Intent::gone() const {
  if (listed) return false;
  if (!id.empty()) return proofs >= (deleted ? 1 : kProofs);
  return proofs >= kProofs && (what != Sought::What::volume || proven - since >= kLatePatience);
}

std::optional<Sought::What> Ledger::what_of(const Token& token) {
  if (token.role.starts_with("server-")) return Sought::What::server;
  if (token.role.starts_with("port-")) return Sought::What::port;
  if (token.role == "data") return Sought::What::volume;
  return std::nullopt;
}

void Ledger::sent(const Token& token, Millis now) {
  const auto what = what_of(token);
  if (!what) return;
  Intent intent;
  intent.what = *what;
  intent.since = now;
  if (auto before = intents_.find(token); before != intents_.end()) intent.tries = before->second.tries;
  ++intent.tries;
  intent.in_flight = true;
  intents_[token] = std::move(intent);
  note(token);
}

void Ledger::answered(const Token& token, uint64_t proof_from) {
  auto found = intents_.find(token);
  if (found == intents_.end()) return;
  found->second.in_flight = false;
  found->second.proof_from = proof_from;
}

void Ledger::note(const Token& token) {
  auto found = intents_.find(token);
  if (found != intents_.end() && !found->second.listed && !found->second.gone())
    open_.insert(token);
  else
    open_.erase(token);
  late_.erase(token);
}

void Ledger::forget_one(const Token& token) {
  intents_.erase(token);
  open_.erase(token);
  late_.erase(token);
}

void Ledger::created(const Token& token, std::string id, Millis now) {
  const auto what = what_of(token);
  if (!what) return;
  Intent& intent = intents_[token];
  if (intent.since == Millis{0}) intent.since = now;
  intent.what = *what;
  intent.id = std::move(id);
  intent.proofs = 0;
  note(token);
}

void Ledger::refused(const Token& token) {
  auto found = intents_.find(token);
  if (found != intents_.end() && found->second.id.empty()) forget_one(token);
}

void Ledger::not_sent(const Token& token) {
  auto found = intents_.find(token);
  if (found == intents_.end() || !found->second.id.empty()) return;
  if (--found->second.tries <= 0) return forget_one(token);
  found->second.in_flight = false;
}

void Ledger::deleted(const Token& token, const std::string& id, Millis now) {
  asked_[id] = {token, "", now, 1};
  auto found = intents_.find(token);
  if (found != intents_.end() && found->second.id == id) found->second.deleted = true;
  note(token);
}

void Ledger::retyped(const Token& token, const std::string& id, const std::string& to_type, Millis now) {
  Asked& asked = asked_[id];
  asked = {token, to_type, now, asked.to_type == to_type ? asked.times + 1 : 1};
}

void Ledger::pardon(const std::string& uid) {
  std::erase_if(asked_, [&](const auto& entry) { return is_retype_of(entry.second, uid); });
}

bool Ledger::asked_in_vain(const std::string& uid) const {
  return std::any_of(asked_.begin(), asked_.end(), [&](const auto& entry) { return is_retype_of(entry.second, uid); });
}

void Ledger::forget(const std::string& uid) {
  auto it = intents_.lower_bound(first_of(uid));
  while (it != intents_.end() && it->first.uid == uid) it = intents_.erase(it);
  for (std::set<Token>* some : {&open_, &late_}) {
    auto token = some->lower_bound(first_of(uid));
    while (token != some->end() && token->uid == uid) token = some->erase(token);
  }
}

Ledger::News Ledger::observe(const Inventory& seen, Millis now,
                             const std::function<bool(const std::string& uid)>& ours) {
  News news;
  auto known = [&](Sought::What what) {
    return what == Sought::What::server   ? seen.servers_known
           : what == Sought::What::volume ? seen.volumes_known
                                          : seen.ports_known;
  };
  for (auto& [token, intent] : intents_)
    if (known(intent.what)) intent.listed = false;
  auto found = [&](const Token& token, const std::string& id) {
    if (token.uid.empty()) return;
    const auto what = what_of(token);
    if (!what) return;
    auto it = intents_.find(token);
    const bool fresh = it == intents_.end();
    if (fresh && !ours(token.uid)) return;
    if (fresh) it = intents_.try_emplace(token).first;
    Intent& intent = it->second;
    if (fresh) {  // from before this store, or of a lost ledger
      intent.what = *what;
      intent.id = id;
      intent.since = now;
      intent.recorded = false;
    } else if (intent.id.empty() || (intent.id != id && intent.gone())) {
      // The answer came by the list; or the other one of two, now that the first is gone.
      intent.id = id;
      intent.deleted = false;
      intent.recorded = false;
      news.uids.insert(token.uid);
    } else if (intent.id != id) {
      return;  // a second one: it says nothing of the first
    }
    if (!intent.recorded) {
      intent.recorded = true;
      news.adopted.push_back(token);
    }
    intent.listed = true;
    intent.proofs = 0;
  };
  for (const Server& s : seen.servers) found(s.token, s.id);
  if (seen.servers_known && seen.volumes_known)
    std::erase_if(asked_, [&](const auto& entry) {
      const auto is = [&](const auto& thing) { return thing.id == entry.first; };
      return std::none_of(seen.servers.begin(), seen.servers.end(), is) &&
             std::none_of(seen.volumes.begin(), seen.volumes.end(), is);
    });
  for (const CloudVolume& v : seen.volumes) {
    found(v.token, v.id);
    auto asked = asked_.find(v.id);
    if (asked == asked_.end() || asked->second.to_type.empty()) continue;
    // However long it takes: the pause begins when it is over.
    if (v.status == CloudVolume::Status::retyping)
      asked->second.at = now;
    else if (same_volume_type(seen.volume_types, asked->second.to_type, v.type).value_or(false))
      asked_.erase(asked);
  }
  for (const Port& p : seen.ports) found(p.token, p.id);
  for (const Sought& absent : seen.absent) {
    auto it = intents_.find(absent.token);
    if (it == intents_.end()) continue;
    Intent& intent = it->second;
    if (intent.listed || intent.gone() || intent.id != absent.id) continue;
    if (intent.in_flight || seen.sequence < intent.proof_from) continue;
    if (intent.proofs > 0 && now - intent.proven < kProofGap) continue;
    // A volume that was never answered for: proofs count once its patience is over.
    if (intent.id.empty() && intent.what == Sought::What::volume && now - intent.since < kLatePatience) continue;
    ++intent.proofs;
    intent.proven = now;
    if (intent.gone()) news.uids.insert(absent.token.uid);
  }
  open_.clear();
  late_.clear();
  for (auto it = intents_.begin(); it != intents_.end();) {
    const auto next = std::next(it);
    const bool superseded = next != intents_.end() && next->first.uid == it->first.uid &&
                            next->first.role == it->first.role && !next->second.id.empty();
    // One that was never answered and never came is over in time; should it still come, its token tells whose it is.
    const bool over = it->second.id.empty() && now - it->second.since >= kLatePatience;
    if (it->second.gone() && (superseded || over)) {
      news.finished.push_back(it->first);
      intents_.erase(it);
    } else if (!it->second.listed && !it->second.gone()) {
      open_.insert(open_.end(), it->first);
    } else if (!it->second.listed && it->second.id.empty()) {
      late_.insert(late_.end(), it->first);
    }
    it = next;
  }
  return news;
}

std::vector<Sought> Ledger::sought() const {
  std::vector<Sought> list;
  for (const Token& token : open_) list.push_back(intents_.at(token).sought(token));
  // Proven not to be there, and not asked for again yet: it may come at the last moment.
  for (const Token& token : late_) list.push_back(intents_.at(token).sought(token));
  return list;
}

std::optional<Millis> Ledger::next_look(Millis now) const {
  std::optional<Millis> soonest;
  for (const Token& token : open_) {
    const Intent& intent = intents_.at(token);
    Millis due = intent.proofs > 0 ? intent.proven + kProofGap : now + kProofGap / 4;
    // A look at once, for what has arrived meanwhile; then when the patience is over.
    if (intent.id.empty() && intent.what == Sought::What::volume && now - intent.since < kLatePatience)
      due = intent.since + kLatePatience;
    if (!soonest || due < *soonest) soonest = due;
  }
  return soonest;
}

bool Ledger::doubtful(const std::string& uid, Sought::What what) const {
  if (open_.empty()) return false;
  for (auto it = open_.lower_bound(first_of(uid)); it != open_.end() && it->uid == uid; ++it)
    if (intents_.at(*it).what == what) return true;
  return false;
}

Millis Asked::pause() const {
  if (to_type.empty()) return kAskAgain;
  return std::min(kAskAgain * (int64_t{1} << std::clamp(times - 1, 0, 10)), kAskAgainMost);
}

const Asked* Ledger::asked(const std::string& id, const std::string& to_type) const {
  auto found = asked_.find(id);
  return found == asked_.end() || found->second.to_type != to_type ? nullptr : &found->second;
}

Time Ledger::ask_again(const std::string& id, const std::string& to_type) const {
  const Asked* last = asked(id, to_type);
  return last ? Time{last->at.count()} + last->pause() : Time{};
}

Time Ledger::try_again(const Token& token) const {
  auto found = intents_.find(token);
  if (found == intents_.end() || found->second.tries == 0) return {};
  const Millis pause{std::min<int64_t>(int64_t{1000} << std::min(found->second.tries, 10), kLongestPause.count())};
  return Time{found->second.since.count()} + pause;
}

const Intent* Ledger::newest(const std::string& uid, const std::string& role, Token* token) const {
  const Intent* best = nullptr;
  for (auto it = intents_.lower_bound({uid, role, 0});
       it != intents_.end() && it->first.uid == uid && it->first.role == role; ++it) {
    best = &it->second;
    *token = it->first;
  }
  return best;
}

}  // namespace trove
