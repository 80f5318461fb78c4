// Who this machine is to its control plane: a key that never leaves it, and a certificate that is asked for with the
// join's token and renewed with itself. Opens the door for the agent whenever there is a certificate. One thread calls
// open() and then run(); stop() comes from any.
//
// In the state directory (0711: engines' users pass through it to their own folders): key.pem (0600), certificate.pem,
// ca.pem, and identity.json, which says for which server and token they were made.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include "providers/guest/agent/door.hpp"
#include "providers/guest/engines/process.hpp"
#include "providers/guest/machine/join_file.hpp"
#include "providers/http/client.hpp"
#include "specs/core/time.hpp"

namespace trove::guest {

class Identity {
 public:
  struct Pace {
    Millis first{1'000}, longest{60'000};  // without an answer: doubled each time
    Millis refused{300'000};               // after a no
    Millis look{3'600'000};                // at the clock, which may be set
  };
  // `clock` and `rng` are borrowed. door: shared with the plane.
  Identity(const Places& places, Join join, std::shared_ptr<Door> door, const Clock& clock, Rng& rng, Pace pace);
  Identity(const Places& places, Join join, std::shared_ptr<Door> door, const Clock& clock, Rng& rng)
      : Identity(places, std::move(join), std::move(door), clock, rng, Pace()) {}

  // Reads what is there, or starts afresh when it was made for another server or token: then the other server's
  // directory is set aside, not deleted. Postcondition: a key is stored, durably.
  Result<void> open();
  // Joins or renews if it is time to; how long to wait until the next call.
  Millis step();
  void run(const Cancel& stop);
  void stop();  // ends a call in progress

 private:
  std::string file(const char* name) const { return places_.state + "/" + name; }
  Result<void> start_afresh(const std::string& other_server);
  Result<void> load_key();
  void load_certificate();
  Result<void> take_certificate(const std::string& pem);
  // The certificate for our key, asked for at `path`; shows our certificate if `known`.
  Result<std::string> ask(const std::string& path, bool known);
  Millis later(Millis base);
  void open_door();

  const Places places_;
  const Join join_;
  const std::shared_ptr<Door> door_;
  const Clock& clock_;
  Rng& rng_;
  const Pace pace_;
  Secret key_;
  Time renew_at_, until_;  // not set: there is no certificate
  int failures_ = 0;
  std::string said_;  // the last complaint: it is logged once
  bool expiry_said_ = false;
  std::mutex mutex_;
  http::Client* asking_ = nullptr;  // guarded by mutex_
  bool stopped_ = false;            // guarded by mutex_
};

}  // namespace trove::guest
