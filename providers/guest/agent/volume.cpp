#include "providers/guest/agent/volume.hpp"
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <fcntl.h>
#include <unistd.h>
#include "providers/guest/agent/transfer.hpp"
#include "providers/guest/engines/files.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostMarker = 64u << 10;
constexpr size_t kMostWalked = 200'000;      // directory entries counted for the usage

// What a fresh file system, or an interrupted first write of the marker, leaves behind.
bool is_harmless(const std::string& name) {
  return name == "lost+found" || name == std::string(kMarkerName) + ".new";
}

}  // namespace

Result<void> Volume::write_marker() {
  const Value v = Value::map({{"engine", marker_.engine}, {"version", marker_.version},
                              {"instance_uid", marker_.instance_uid}, {"restored_from", marker_.restored_from},
                              {"filled", marker_.filled}});
  return write_file(base() + "/" + kMarkerName, dump_json(v) + "\n", 0644);
}

Result<void> Volume::claim(const Document& document, const Cancel& cancel) {
  if (!driver_.has_data()) return {};
  // Where the disk is not mounted there is a directory all the same: it must not be taken for an empty volume.
  if (ready_ && !layout_.volume_dir.empty()) {
    if (auto ready = ready_(cancel); !ready) return ready;
  }
  struct stat info{};
  if (stat(base().c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return fail(Code::unavailable, "the volume is not there: " + base());
  }
  const std::string closed = closed_directory(base(), engine_user_);
  if (!closed.empty()) {
    return fail(Code::denied, engine_user_.name + " may not enter " + closed + ", where the data would be",
                "chmod o+x " + closed);
  }
  const std::string version = driver_.data_version();
  if (version.empty()) return fail(Code::not_found, std::string(to_string(document.engine)) + " is not installed");

  auto text = read_file(base() + "/" + kMarkerName, kMostMarker);
  if (!text && text.error().code != Code::not_found) return tl::unexpected<Error>(text.error());
  if (!text) {
    if (!layout_.volume_dir.empty()) {
      for (const auto& name : names_in(base())) {
        if (!is_harmless(name)) {
          return fail(Code::denied, "the volume holds \"" + name + "\" and no marker of ours: it is not touched");
        }
      }
    }
    marker_ = {std::string(to_string(document.engine)), version, document.instance_uid, "", false};
    return write_marker();
  }
  const auto json = parse_json(*text);
  if (!json || !json->is_map() || (*json)["engine"].text().empty()) {
    return fail(Code::denied, "the volume's marker cannot be read: it is not touched");
  }
  const Value& v = *json;
  Marker found{v["engine"].text(), v["version"].text(), v["instance_uid"].text(), v["restored_from"].text(),
               v["filled"].bool_or(false)};
  if (found.engine != to_string(document.engine)) {
    return fail(Code::denied, "the volume holds data of " + found.engine + ", not of " +
                                  std::string(to_string(document.engine)) + ": it is not touched");
  }
  if (found.version != version) {
    return fail(Code::denied, "the volume holds data of " + found.engine + " " + found.version + ", installed is " +
                                  version + ": it is not touched");
  }
  if (found.filled && !has_data()) {
    return fail(Code::denied, "the data directory " + layout_.data_dir + " is gone: no empty one takes its place");
  }
  marker_ = found;
  // A retained volume at a new instance: the data fit, the owner is another.
  marker_.instance_uid = document.instance_uid;
  marker_.filled = has_data();
  if (marker_.instance_uid == found.instance_uid && marker_.filled == found.filled) return {};
  return write_marker();
}

bool Volume::has_data() const { return !driver_.has_data() || exists(layout_.data_dir); }

Result<std::string> Volume::fresh_draft() {
  const std::string draft = layout_.data_dir + ".new";
  if (auto gone = remove_tree(draft); !gone) return tl::unexpected<Error>(gone.error());
  if (auto made = make_directory(draft, 0700, &engine_user_); !made) return tl::unexpected<Error>(made.error());
  return draft;
}

Result<void> Volume::put_in_place(const std::string& draft) {
  // Everything below must be on disk before the name says that it is complete.
  UniqueFd fd(open(draft.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) syncfs(fd.get());
  if (auto placed = rename_durably(draft, layout_.data_dir); !placed) return placed;
  marker_.filled = true;
  return write_marker();
}

Result<void> Volume::initialise(const Document& document, const Cancel& cancel) {
  auto draft = fresh_draft();
  if (!draft) return tl::unexpected<Error>(draft.error());
  if (auto done = driver_.initialise(*draft, document, cancel); !done) return done;
  return put_in_place(*draft);
}

Result<void> Volume::restore(const Document& document, Plane& plane, const Cancel& cancel) {
  const RestoreOrder& order = *document.restore;
  const std::string file = layout_.data_dir + ".download";
  if (auto gone = remove_tree(file); !gone) return gone;
  // The checksum comes before any program reads a byte of it.
  auto fetched = download_to(file, order, plane, cancel);
  if (fetched) {
    auto draft = fresh_draft();
    fetched = draft ? driver_.restore(*draft, [&](int out) { return decompress_to(file, out, cancel); }, cancel)
                    : Result<void>(tl::unexpected<Error>(draft.error()));
    if (fetched) fetched = chown_tree(*draft, engine_user_);
    if (fetched) {
      marker_.restored_from = order.id;
      fetched = write_marker();
    }
    if (fetched) fetched = put_in_place(*draft);
  }
  remove_tree(file);
  return fetched;
}

Volume::Usage Volume::usage(int64_t volume_gib) const {
  Usage usage;
  if (!driver_.has_data()) return usage;
  usage.used = disk_usage(layout_.data_dir, kMostWalked);
  struct statvfs space{};
  if (statvfs(base().c_str(), &space) == 0) {
    usage.total = static_cast<int64_t>(space.f_blocks) * static_cast<int64_t>(space.f_frsize);
  }
  // A volume that is a directory shares its file system: then its size is what was asked for.
  const int64_t asked = volume_gib << 30;
  if (asked > 0 && (usage.total == 0 || usage.total > asked)) usage.total = asked;
  return usage;
}

}  // namespace trove::guest
