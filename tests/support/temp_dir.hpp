// A directory under /tmp that is gone when the test is. Owned by the test; not synchronised.
#pragma once
#include <filesystem>
#include <string>

namespace trove {

class TempDir {
 public:
  // Mode 0755, because database servers run as users of their own and must be able to pass through.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);   // "" when it cannot be read

}  // namespace trove
