#include "providers/guest/agent/layout.hpp"
#include <unistd.h>
#include "providers/guest/engines/files.hpp"
#include "specs/core/digest.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostSocketDirectory = 91;     // 107 bytes of path less "/.s.PGSQL.65535"
constexpr const char* kOwnerFile = "/server";   // in a socket directory: whose it is
constexpr size_t kMostSwept = 10'000;

std::string short_directory(const std::string& server_dir) {
  return "/tmp/trove-" + sha256_hex(server_dir).substr(0, 16);
}

// Socket directories outlive their servers, because whoever ends a server does not know of them. The next agent of the
// same kind clears them away: only what bears the name that its own contents give it, and whose server is gone.
void sweep() {
  size_t looked = 0;
  for (const auto& name : names_in("/tmp")) {
    if (name.rfind("trove-", 0) != 0 || name.size() != 22 || ++looked > kMostSwept) continue;
    const std::string path = "/tmp/" + name;
    const auto owner = read_file(path + kOwnerFile, 4096);
    if (owner && short_directory(*owner) == path && !exists(*owner)) remove_tree(path);
  }
}

}  // namespace

Result<Surroundings> make_surroundings(const AgentOptions& options, Engine engine, Rng& rng) {
  Surroundings where;
  where.rng = &rng;
  where.agent_user = current_os_user();
  where.engine_user = where.agent_user;
  if (where.agent_user.uid == 0) {
    auto names = engine_os_users(engine);
    if (!options.run_as.empty()) names = {options.run_as};
    bool found = false;
    for (const auto& name : names) {
      if (auto user = find_os_user(name)) {
        where.engine_user = *user;
        found = true;
        break;
      }
    }
    if (!found) return fail(Code::not_found, "there is no OS user to run the engine as");
  }

  Layout& at = where.layout;
  at.server_dir = options.server_dir;
  at.run_dir = options.server_dir + "/run";
  at.engine_dir = at.run_dir + "/engine";
  at.log_dir = options.server_dir + "/log";
  at.volume_dir = options.volume_dir;
  at.data_dir = (options.volume_dir.empty() ? options.server_dir : options.volume_dir) + "/data";
  at.socket_dir = at.engine_dir;
  if (auto made = make_directory(at.run_dir, 0711); !made) return tl::unexpected<Error>(made.error());
  for (const auto& path : {at.engine_dir, at.log_dir}) {
    if (auto made = make_directory(path, 0700, &where.engine_user); !made) return tl::unexpected<Error>(made.error());
  }
  if (const auto closed = closed_directory(at.engine_dir, where.engine_user); !closed.empty()) {
    return fail(Code::denied, where.engine_user.name + " may not enter " + closed, "chmod o+x " + closed);
  }
  if (at.engine_dir.size() > kMostSocketDirectory) {
    sweep();
    at.socket_dir = short_directory(options.server_dir);
    // make_directory refuses a link, and 0700 with our owner keeps everybody else out from here on. What someone had
    // put there before is a file of theirs in a directory of ours: engines replace stale sockets.
    if (auto made = make_directory(at.socket_dir, 0700, &where.engine_user); !made) {
      return tl::unexpected<Error>(made.error());
    }
    if (auto named = write_file(at.socket_dir + kOwnerFile, options.server_dir, 0600); !named) {
      return tl::unexpected<Error>(named.error());
    }
  }
  return where;
}

}  // namespace trove::guest
