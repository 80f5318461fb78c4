// trove-sim-cloud: the simulated cloud as a program. For trying things out and for tests; it forgets everything at its
// end.
#include <signal.h>
#include <charconv>
#include <fstream>
#include <iostream>
#include "providers/sim/http_face.hpp"
#include "specs/core/real.hpp"

using namespace trove;

namespace {

constexpr const char* kUsage =
    "usage: trove-sim-cloud [--listen 127.0.0.1:PORT] [--clouds-yaml PATH] [--instant] [--max-file-size BYTES]\n"
    "  --listen       where to serve; port 0 (the default) takes a free one\n"
    "  --clouds-yaml  write a clouds.yaml that leads here\n"
    "  --instant      servers and volumes are ready at once\n"
    "  --max-file-size  the largest object that Swift takes\n"
    "Faults: POST /sim/faults {\"faults\": [{\"kind\": \"throttled\", \"service\": \"compute\", \"times\": 3}]}\n";

int refuse(const std::string& why) {
  std::cerr << "trove-sim-cloud: " << why << "\n" << kUsage;
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  SimHttpOptions options;
  SimOptions times;
  std::string clouds_yaml;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::cout << kUsage, 0;
    if (word == "--instant") {
      times = SimOptions::instant();
    } else if (word == "--clouds-yaml" && i + 1 < argc) {
      clouds_yaml = argv[++i];
    } else if (word == "--max-file-size" && i + 1 < argc) {
      const std::string_view bytes = argv[++i];
      const char* end = bytes.data() + bytes.size();
      if (std::from_chars(bytes.data(), end, options.max_file_size).ptr != end || options.max_file_size <= 0)
        return refuse("--max-file-size wants a number of bytes, not " + std::string(bytes));
    } else if (word == "--listen" && i + 1 < argc) {
      const std::string listen = argv[++i];
      const size_t colon = listen.rfind(':');
      const char* end = listen.data() + listen.size();
      if (colon == std::string::npos || std::from_chars(listen.data() + colon + 1, end, options.port).ptr != end ||
          colon + 1 == listen.size())
        return refuse("--listen wants ADDRESS:PORT, not " + listen);
      options.address = listen.substr(0, colon);
    } else {
      return refuse("unknown argument " + std::string(word));
    }
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);

  RealClock clock;
  RealRng rng;
  SimCloud cloud(clock, rng, times);
  auto face = SimHttp::start(cloud, clock, rng, options);
  if (!face) {
    std::cerr << "trove-sim-cloud: " << face.error().message << "\n";
    return 1;
  }
  if (!clouds_yaml.empty()) {
    std::ofstream file(clouds_yaml, std::ios::trunc);
    file << (*face)->clouds_yaml();
    if (!file.flush()) {
      std::cerr << "trove-sim-cloud: cannot write " << clouds_yaml << "\n";
      return 1;
    }
  }
  std::cout << "serving " << (*face)->url() << "/v3" << std::endl;
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  (*face)->stop();
  return 0;
}
