#include "providers/guest/machine/format.hpp"
#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include "providers/guest/engines/files.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostIntent = 4096;
constexpr size_t kBlock = 4096;
constexpr Millis kMakeDeadline{15 * 60'000};

}  // namespace

Result<Formatter::Intent> Formatter::read_intent() const {
  auto text = read_file(intent_file(), kMostIntent);
  if (!text) return tl::unexpected<Error>(text.error());
  auto json = parse_json(*text);
  if (!json) return tl::unexpected<Error>(json.error());
  Intent intent{(*json)["uuid"].text(), (*json)["seconds"].int_or(0)};
  if ((*json)["volume"].text() != volume_id_ || !is_volume_id(intent.uuid) || intent.seconds <= 0) {
    return fail(Code::not_found, "the intent is for another volume");
  }
  return intent;
}

Result<void> Formatter::make(const std::string& target, const Intent& intent, const Cancel& cancel) const {
  const std::string program = find_program({"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"});
  const std::string env = find_program({"/usr/bin/env", "/bin/env"});
  if (program.empty() || env.empty()) return fail(Code::not_found, "mkfs.ext4 is not installed");
  // No discard: it takes long on some storage, and what was blank stays blank. Inode tables are zeroed by the kernel
  // later.
  return run_tool({.argv = {env, "E2FSPROGS_FAKE_TIME=" + std::to_string(intent.seconds), program, "-q", "-m", "1",
                            "-b", std::to_string(kBlock), "-L", kVolumeLabel, "-U", intent.uuid, "-E",
                            "hash_seed=" + intent.uuid + ",lazy_itable_init=1,lazy_journal_init=1,nodiscard", target},
                   .user = current_os_user(),
                   .log_file = places_.state + "/disk.log"},
                  kMakeDeadline, cancel);
}

bool Formatter::half_made(const std::string& device, const Found& found, const Cancel& cancel) {
  if (found.content == Found::Content::unreadable || found.content == Found::Content::blank) return false;
  auto intent = read_intent();
  if (!intent) return false;
  // Data that has a name of its own is never ours to redo, but for the file system that was intended.
  const bool nameless = found.type.empty() && found.content == Found::Content::foreign;
  if (!nameless && !(found.type == "ext4" && found.uuid == intent->uuid && found.label == kVolumeLabel)) return false;

  const std::string model = places_.state + "/format.model";
  unlink(model.c_str());
  auto size = device_bytes(device);
  if (!size) return false;
  UniqueFd fd(open(model.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool sparse = fd && ftruncate(fd.get(), *size) == 0;
  fd.reset();
  auto made =
      sparse
          ? make(model, *intent, cancel)
          : Result<void>(fail(Code::unavailable, std::string("cannot make a file of that size: ") + strerror(errno)));
  Result<std::string> wanted = made ? read_edges(model) : Result<std::string>(tl::unexpected<Error>(made.error()));
  unlink(model.c_str());
  auto seen = read_edges(device);
  if (!wanted || !seen) {
    log::warning("cannot tell whether the volume is a half-made one",
                 {{"error", wanted ? seen.error().message : wanted.error().message}});
    return false;
  }
  const std::string zeros(kBlock, '\0');
  for (size_t at = 0; at < seen->size(); at += kBlock) {
    if (seen->compare(at, kBlock, zeros) != 0 && seen->compare(at, kBlock, *wanted, at, kBlock) != 0) return false;
  }
  return true;
}

Result<void> Formatter::format(const std::string& device, const Found& found, const Cancel& cancel) {
  Intent intent;
  if (found.content != Found::Content::blank) {
    auto kept = read_intent();
    if (!kept) return tl::unexpected<Error>(kept.error());
    intent = *kept;
  } else {
    intent = {new_uid(rng_), clock_.wall().ms / 1000};
    const Value v = Value::map({{"volume", volume_id_}, {"uuid", intent.uuid}, {"seconds", intent.seconds}});
    if (auto kept = write_file(intent_file(), dump_json(v) + "\n", 0600); !kept) return kept;
  }
  log::info("making the volume's file system", {{"volume", volume_id_}, {"device", device}});
  if (auto made = make(device, intent, cancel); !made) return made;
  // mkfs has made it durable; what is not there as we meant it must not be mounted.
  const Found now = inspect_device(device, true);
  if (now.content != Found::Content::ext4 || now.uuid != intent.uuid || now.label != kVolumeLabel) {
    return fail(Code::unavailable, "the new file system is not what was made: the disk holds " + now.what);
  }
  if (unlink(intent_file().c_str()) != 0) {
    return fail(Code::unavailable, "cannot remove " + intent_file() + ": " + strerror(errno));
  }
  // Gone for good before the first mount: from there on the volume holds data.
  UniqueFd state(open(places_.state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!state || fsync(state.get()) != 0) return fail(Code::unavailable, "cannot write " + places_.state);
  return {};
}

}  // namespace trove::guest
