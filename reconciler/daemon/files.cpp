#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "reconciler/daemon/site.hpp"

namespace trove {

std::pair<std::string, int> split_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {"", -1};
  int port = -1;
  const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65'535) return {"", -1};
  return {text.substr(0, colon), port};
}

Result<void> write_private(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::unavailable, fresh + ": " + std::strerror(errno));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(Code::unavailable, path + ": " + std::strerror(errno));
  return {};
}

}  // namespace trove
