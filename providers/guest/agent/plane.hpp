// The control plane as the agent sees it: four calls. Behind it is HTTP, or a test. Thread-safe in this sense: fetch,
// report, upload and download are each called from one thread of their own; stop from any.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include "providers/guest/agent/door.hpp"
#include "providers/guest/protocol.hpp"

namespace trove::guest {

class Plane {
 public:
  virtual ~Plane() = default;
  // The document when its digest is not `after`; nullopt when nothing changed for a while.
  virtual Result<std::optional<Document>> fetch(const std::string& after) = 0;
  virtual Result<void> report(const Report& report) = 0;
  // next() gives pieces, an empty one at the end, an Error to abandon the upload.
  virtual Result<void> upload(const std::string& url, const std::function<Result<std::string>()>& next) = 0;
  // take() returns false to end early.
  virtual Result<void> download(const std::string& url, const std::function<bool(std::string_view)>& take) = 0;
  virtual void stop() = 0;      // ends calls in progress; later ones fail
};

struct GuestFile {
  std::string url, token, server, volume, run_as, ca_file;
};
Result<GuestFile> read_guest_file(const std::string& path);
Result<std::unique_ptr<Plane>> make_http_plane(const GuestFile& file);
// Calls wait for the door to open, and go through it as it then is. shared: the plane and whoever opens the door.
std::unique_ptr<Plane> make_http_plane(std::shared_ptr<Door> door);

}  // namespace trove::guest
