// The agent inside a database server: `--dir <server directory>` where the local cloud made one, `--machine` in a
// virtual machine of Nova. SIGTERM ends it and leaves the engine.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <filesystem>
#include <iostream>
#include <thread>
#include "providers/guest/agent/agent.hpp"
#include "providers/guest/machine/machine.hpp"
#include "specs/core/log.hpp"
#include "specs/core/real.hpp"

using namespace trove;

namespace {

// A directory that the local cloud made, with guest.json in it.
Result<void> run_directory(std::string directory, const Clock& clock, Rng& rng, const guest::Cancel& stop) {
  std::error_code error;
  directory = std::filesystem::absolute(directory, error).lexically_normal().string();
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  auto file = guest::read_guest_file(directory + "/guest.json");
  if (!file) return tl::unexpected<Error>(file.error());
  auto plane = guest::make_http_plane(*file);
  if (!plane) return tl::unexpected<Error>(plane.error());
  log::info("trove-guest begins", {{"server", file->server}, {"directory", directory}});
  guest::Agent agent({.server_dir = directory, .volume_dir = file->volume, .run_as = file->run_as}, **plane, clock,
                     rng);
  return agent.run(stop);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "usage: trove-guest --dir <server directory>\n       trove-guest --machine\n";
  std::string directory;
  bool machine = false;
  guest::Places places;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--dir" && i + 1 < argc) directory = argv[++i];
    else if (word.rfind("--dir=", 0) == 0) directory = word.substr(6);
    else if (word == "--machine") machine = true;
    else if (word == "--state" && i + 1 < argc) places.state = argv[++i];      // this and the next: for tests
    else if (word == "--join" && i + 1 < argc) places.join_file = argv[++i];
    else return std::cerr << kUsage, word == "--help" ? 0 : 2;
  }
  if (directory.empty() != machine) return std::cerr << kUsage, 2;

  // Descriptors 0 to 2 must exist before anything else takes their numbers.
  for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
    if (fd > 2) {
      close(fd);
      break;
    }
  }
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  // Blocked everywhere, taken by one thread: no handler, nothing to be careful about in it.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  guest::Cancel stop;
  std::thread([&stop, ends] {
    int signal_number = 0;
    sigwait(&ends, &signal_number);
    stop.set();
  }).detach();

  RealClock clock;
  RealRng rng;
  auto done = machine ? guest::run_machine(places, clock, rng, stop) : run_directory(directory, clock, rng, stop);
  if (!done) std::cerr << "trove-guest: " << done.error().message << "\n";
  // _exit: the signal thread may still hold `stop`.
  _exit(done ? 0 : 1);
}
