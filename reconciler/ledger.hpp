// What we asked the cloud to make and what is known of it since: the memory that lists do not have. A list may be older
// than our last create, or lack what a cell that is down hides; so what we made is absent only after it was looked for
// directly and not found. Plain data, one writer: the loop (which keeps /ledger in the store alike); plans read it.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"

namespace trove {

// A create that was never answered may still arrive. Ports and servers are refused by their MAC, port and volume when
// they arrive twice; a volume has nothing of that kind, so it is waited for as long as a cloud may work on a request.
inline constexpr Millis kLatePatience{60'000};
inline constexpr Millis kAskAgain{60'000};  // a delete that hangs; the first pause after a retype that came to nothing
inline constexpr Millis kAskAgainMost{3'600'000};
inline constexpr Millis kProofGap{1'000};   // two looks that are one proof each are at least so far apart

struct Intent {
  Sought::What what = Sought::What::server;
  std::string id;        // "" = sent and never answered
  Millis since{0};       // monotonic: when it was sent, or read from the store
  int tries = 0;         // how often it was sent since the start
  Millis proven{0};      // monotonic: the last proof
  int proofs = 0;        // direct looks in a row that did not find it
  bool listed = false;   // the newest whole list has it
  bool deleted = false;  // the cloud took our delete
  bool recorded = true;  // the store has the id
  // A look that began before the cloud had answered proves nothing.
  bool in_flight = false;
  uint64_t proof_from = 0;  // the first observation's sequence that counts

  bool gone() const;
  Sought sought(const Token& token) const { return {what, token, id}; }
};

// Something that the cloud agreed to do and may never do, without a word: a deletion that hangs, a retype that ended with
// the old type. It is asked for again after a pause.
struct Asked {
  Token token;
  std::string to_type;  // "" = it was asked to go
  Millis at{0};         // monotonic: when it was last asked, or last seen at work on it
  int times = 0;        // for the same thing
  // A deletion costs the cloud nothing; a retype may copy everything there is, each time.
  Millis pause() const;
};

class Ledger {
 public:
  static std::optional<Sought::What> what_of(const Token& token);  // by its role; nullopt: not one that is recorded

  void sent(const Token& token, Millis now);
  // The call is over, whatever it came to; observations from this sequence on may prove that nothing came of it.
  void answered(const Token& token, uint64_t proof_from);
  void created(const Token& token, std::string id, Millis now);
  void refused(const Token& token);  // surely not made
  void not_sent(const Token& token);  // this time; an earlier time may not have been answered
  void deleted(const Token& token, const std::string& id, Millis now);
  void retyped(const Token& token, const std::string& id, const std::string& to_type, Millis now);
  // The owner's spec changed: what was asked for in vain may be asked for at once.
  void pardon(const std::string& uid);
  bool asked_in_vain(const std::string& uid) const;
  void forget(const std::string& uid);
  void forget_one(const Token& token);

  struct News {
    std::set<std::string> uids;   // owners for whom a fact changed
    std::vector<Token> adopted;   // sent, never answered, and now found: they have an id
    std::vector<Token> finished;  // gone, and a newer incarnation is there: forgotten
  };
  // `ours` knows the uids of our owners: the tokens of another installation are none of ours.
  News observe(const Inventory& seen, Millis now, const std::function<bool(const std::string& uid)>& ours);

  // What the next observation should look for; when it should come (monotonic), nullopt: no hurry.
  std::vector<Sought> sought() const;
  std::optional<Millis> next_look(Millis now) const;

  // True when something of the owner is missing from the lists without proof that it is gone.
  bool doubtful(const std::string& uid, Sought::What what) const;
  // The newest incarnation of a role that was ever asked for; null = none.
  const Intent* newest(const std::string& uid, const std::string& role, Token* token) const;
  // What a server or volume was asked for last, and has not done; null = nothing, or not this. "" = to go.
  const Asked* asked(const std::string& id, const std::string& to_type = {}) const;
  // Steady time from which that may be asked for again.
  Time ask_again(const std::string& id, const std::string& to_type = {}) const;
  // Steady time from which a create that ended in error may be tried again: later each time.
  Time try_again(const Token& token) const;
  const std::map<Token, Intent>& intents() const { return intents_; }

 private:
  void note(const Token& token);  // after a change of its intent
  std::map<Token, Intent> intents_;
  std::map<std::string, Asked> asked_;  // servers and volumes by id
  std::set<Token> late_;                 // never answered, proven not to be there, and still looked for
  std::set<Token> open_;                 // neither listed nor proven gone: few, and asked for by every plan
};

}  // namespace trove
