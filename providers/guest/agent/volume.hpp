// The data directory: whose it is, how it comes to be, and how full it is. A marker at the volume's root is written
// before any data; a volume that carries someone else's data is refused and never touched. Data appear under their
// final name in one rename, so a crash in the middle of an initialisation or a restore starts over.
// Belongs to the reconcile thread.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

inline constexpr const char* kMarkerName = "trove-volume.json";

struct Marker {
  std::string engine, version, instance_uid;
  std::string restored_from;       // id of the restore that filled it; "" = initialised empty
  bool filled = false;             // data were there: when they are gone, an empty engine must not take their place
};

class Volume {
 public:
  Volume(const Layout& layout, EngineDriver& driver, OsUser engine_user,
         std::function<Result<void>(const Cancel&)> ready = {})
      : layout_(layout), driver_(driver), engine_user_(std::move(engine_user)), ready_(std::move(ready)) {}

  // Claims the place for this document, or says why it is not ours (denied) or not there (unavailable).
  Result<void> claim(const Document& document, const Cancel& cancel);
  bool has_data() const;
  // Both fill a draft beside the final directory. Preconditions: claimed, no data yet.
  Result<void> initialise(const Document& document, const Cancel& cancel);
  Result<void> restore(const Document& document, Plane& plane, const Cancel& cancel);
  const Marker& marker() const { return marker_; }

  struct Usage {
    int64_t used = 0, total = 0;
  };
  Usage usage(int64_t volume_gib) const;    // walks the directory: call it rarely

 private:
  std::string base() const { return layout_.volume_dir.empty() ? layout_.server_dir : layout_.volume_dir; }
  Result<std::string> fresh_draft();
  Result<void> put_in_place(const std::string& draft);
  Result<void> write_marker();

  const Layout& layout_;
  EngineDriver& driver_;
  OsUser engine_user_;
  std::function<Result<void>(const Cancel&)> ready_;
  Marker marker_;
};

}  // namespace trove::guest
