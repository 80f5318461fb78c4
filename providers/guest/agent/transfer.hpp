// Streams of backups: zstd around them, cut into segments, a running SHA-256 and byte count over what is stored. A
// Compressor belongs to the thread that uploads; the functions are thread-safe.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  std::string hex();                       // ends the computation

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Pulls a backup out of its source, compressed piece by piece. Memory use is bounded by one piece.
class Compressor {
 public:
  Compressor(BackupSource& source, const Cancel& cancel);
  ~Compressor();
  // "" at the end, and only after the source said that what was read is a backup.
  Result<std::string> next();
  int64_t bytes() const { return bytes_; }
  std::string sha256_hex() { return hash_.hex(); }   // once, after the end

 private:
  struct Zstd;
  BackupSource& source_;
  const Cancel& cancel_;
  std::unique_ptr<Zstd> zstd_;
  Sha256 hash_;
  int64_t bytes_ = 0;
  bool ended_ = false;
};

// Uploads what the compressor gives, one segment after the other and nothing twice; how many there were. After an error
// some may be stored: together they are no backup, and nobody is told their number.
Result<int> upload_from(Compressor& compressor, const BackupOrder& order, Plane& plane);

// All segments, in order. corrupt when their bytes do not have that checksum; the file is gone then.
Result<void> download_to(const std::string& file, const RestoreOrder& order, Plane& plane, const Cancel& cancel);
Result<void> decompress_to(const std::string& file, int out, const Cancel& cancel);

}  // namespace trove::guest
