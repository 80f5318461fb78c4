#include "support/temp_dir.hpp"
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <system_error>

namespace trove {

TempDir::TempDir() {
  char name[] = "/tmp/trove-test-XXXXXX";
  if (!mkdtemp(name)) throw std::system_error(errno, std::generic_category(), "mkdtemp");
  path_ = name;
  chmod(name, 0755);
}

TempDir::~TempDir() {
  std::error_code ignored;   // a leftover directory must not turn a passed test into a crash
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace trove
