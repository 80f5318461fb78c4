// A disk that can be pulled and can fail. While a Disk lives, this program's own libc calls on files below its root go
// through it (disk.cpp defines them), whoever makes them: SQLite, or our code beside it. It notes each change, in
// order, and refuses the calls that a test wants refused. DiskModel replays the notes and knows what the platter may
// hold. One Disk at a time; the calls may come from any thread.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>
#include "specs/core/time.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove {

struct DiskOp {
  enum class Kind {
    make_directory,
    create,
    write,
    truncate,
    sync,            // all of one file
    lose,            // a sync that failed: the kernel forgets what it could not write and calls it clean
    sync_directory,  // the names in one directory
    link,            // `path` is a second name of the file `to`
    rename,          // from `to`
    remove,
    mark,  // the test's own note: at
  } kind = Kind::mark;
  std::string path = {}, to = {};  // below the root
  uint64_t file = 0;               // which file: names come and go
  uint64_t at = 0;                 // of a write; the new size; the note
  std::string bytes = {};
};

enum class DiskCall { open, create, read, write, truncate, sync, sync_directory, remove, rename, restrict, lock };

class Disk {
 public:
  explicit Disk(const std::string& root);  // an existing directory
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Notes are kept from now on. The first say what is there already, and that it is durable.
  void record();
  std::vector<DiskOp> take_notes();
  void mark(uint64_t what);

  // Asked before each call below the root; an errno other than 0 is what the caller gets. A refused write has written
  // its first half. Called under a lock: it must touch no file.
  using Fault = std::function<int(DiskCall call, const std::string& path)>;
  void on_call(Fault fault);
  void call_itself(long file_system);  // what statfs says, as NFS does
};

// What is in the files after some of the notes: as the kernel shows it, and as the platter has it.
class DiskModel {
 public:
  using Files = std::map<std::string, std::string>;  // by path below the root; directories end in '/'

  void apply(const DiskOp& op);
  Files cached() const;   // what a kill -9 leaves
  Files durable() const;  // a power loss that took everything that was not synced
  // A power loss that took any of it: each unsynced sector of 512 bytes, each size and each name by itself.
  Files torn(Rng& rng) const;

 private:
  struct File {
    bool directory = false;
    std::string durable, cached;
    std::vector<DiskOp> pending;  // writes and truncations since the last sync
  };
  struct Name {
    uint64_t durable = 0, cached = 0;  // file; 0 = no such name
  };
  template <class NameOf, class TextOf>
  Files pick(NameOf name_of, TextOf text_of) const;

  std::map<uint64_t, File> files_;
  std::map<std::string, Name> names_;
};

// In memory where the machine has such a place: thousands of images are written and read.
class MemoryDir {
 public:
  MemoryDir() {
    char name[] = "/dev/shm/trove-test-XXXXXX";
    if (::mkdtemp(name)) path_ = name;
  }
  ~MemoryDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.empty() ? fallback_.path().string() : path_; }

 private:
  TempDir fallback_;
  std::string path_;
};

// Makes the directory `root` hold exactly `files`.
void put_files(const std::string& root, const DiskModel::Files& files);

}  // namespace trove
