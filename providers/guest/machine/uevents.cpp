#include "providers/guest/machine/uevents.hpp"
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

constexpr unsigned kKernelGroup = 1;
constexpr size_t kMostMessage = 16u << 10;
constexpr int kMostAtOnce = 4096;  // messages of one storm
constexpr Millis kSettle{200};     // a disk that comes says so several times

}  // namespace

bool is_about_disks(std::string_view message) {
  bool block = false, scsi = false, capacity = false;
  while (!message.empty()) {
    const size_t end = std::min(message.find('\0'), message.size());
    const std::string_view field = message.substr(0, end);
    block = block || field == "SUBSYSTEM=block";
    scsi = scsi || field == "SUBSYSTEM=scsi";
    capacity = capacity || field == "SDEV_UA=CAPACITY_DATA_HAS_CHANGED";
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  return block || (scsi && capacity);
}

Uevents::Uevents() : socket_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (!socket_ || bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    log::warning("the kernel's news of disks cannot be heard; they are looked at once a minute",
                 {{"error", strerror(errno)}});
    socket_.reset();
  }
}

bool Uevents::drain() {
  bool about_disks = false;
  for (int i = 0; i < kMostAtOnce; ++i) {
    char buffer[kMostMessage];
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t n = recvfrom(socket_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return about_disks || errno == ENOBUFS;  // some were lost: look
    // Any process may send to this group's sockets; port 0 is the kernel.
    if (size != sizeof from || from.nl_pid != 0 || from.nl_groups != kKernelGroup) continue;
    about_disks = is_about_disks({buffer, static_cast<size_t>(n)}) || about_disks;
  }
  return about_disks;
}

bool Uevents::wait(Millis most, const Cancel& cancel) {
  if (!socket_) return pause_for(most, cancel), false;
  pollfd p[2] = {{socket_.get(), POLLIN, 0}, {cancel.fd(), POLLIN, 0}};
  poll(p, 2, static_cast<int>(most.count()));
  if (cancel.is_set() || !(p[0].revents & (POLLIN | POLLERR)) || !drain()) return false;
  pause_for(kSettle, cancel);
  drain();
  return !cancel.is_set();
}

}  // namespace trove::guest
