// One request and its answer: from a checked head to the written response. The library parses the target, decodes it
// and writes the answer; it sees a head that was checked here and none of the client's headers (it would decode percent
// signs in them, obey Range and Accept-Encoding, and let REMOTE_ADDR be forged). Private to providers/http. An Engine
// is shared by all connection threads; everything in it is constant or synchronised.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include "providers/http/framing.hpp"
#include "providers/http/server.hpp"
#include "providers/http/wire.hpp"

namespace trove::http {

// Who may be connected and who may be parked. A parked connection gives its place back while it waits.
class Slots {
 public:
  Slots(size_t connections, size_t parked) : most_active_(connections), most_parked_(parked) {}
  bool enter();
  void leave();
  bool park();
  void unpark();
  size_t open() const;

 private:
  mutable std::mutex mutex_;
  const size_t most_active_, most_parked_;
  size_t active_ = 0, parked_ = 0;
};

// Who is at the other end of a connection.
struct Peer {
  std::string address;
  std::string name;  // of its verified certificate, or ""
};

class Engine {
 public:
  Engine(const Limits& limits, Server::Classify classify, Server::Handler handler, const StopSignal& stop,
         Slots& slots);
  ~Engine();
  // Reads the body as the route asks, calls the handler, writes the answer. False: the connection must be closed.
  bool answer(Input& input, const Head& head, const Peer& peer, int64_t deadline);

 private:
  class Library;  // the subclass of httplib::Server
  std::unique_ptr<Library> library_;
};

// The answer to what could not be parsed, or came when nothing was free: problem+json, Connection: close.
std::string refusal_text(int status, std::string_view message);

}  // namespace trove::http
