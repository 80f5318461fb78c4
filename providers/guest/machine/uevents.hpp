// What the kernel says of disks: one came, went, or changed its size. Messages of anyone but the kernel are ignored.
// Belongs to one thread.
#pragma once
#include "providers/guest/engines/process.hpp"

namespace trove::guest {

class Uevents {
 public:
  // Without a socket (in a container, say) there is just no news: the caller's regular look remains.
  Uevents();
  // True when something was said of a disk; false after `most` without it, or when cancelled.
  bool wait(Millis most, const Cancel& cancel);

 private:
  bool drain();  // reads all that is there
  UniqueFd socket_;
};

// One message: NUL-separated "action@path", "KEY=value"...
bool is_about_disks(std::string_view message);

}  // namespace trove::guest
