// A random but repeatable life of a SQLite store, with the memory store beside it as the word on what each revision
// holds. It lives on a Disk and leaves marks in the disk's notes, so that whatever a cut in power leaves can be asked:
// is all there that was acknowledged by then, is nothing there that nobody wrote? Used by one thread.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/store/disk.hpp"
#include "tests/store/stores.hpp"

namespace trove {

class Story {
 public:
  // What the marks up to some moment say.
  struct Known {
    Revision acknowledged = 0, asked = 0;
    std::set<uint64_t> leases;  // granted, and not asked to be revoked
    std::set<uint64_t> revoked;
    void take(const DiskOp& op);
  };
  // What a recovered store turned out to be.
  struct Found {
    std::string wrong;      // "" = nothing
    Revision revision = 0;  // the newest of the story
    bool followed = false;  // the commit that examine() makes when asked is there
  };

  Story(uint64_t seed, std::string path, StoreBounds bounds);

  // Each returns "" or what went wrong.
  std::string open(Disk& disk);
  void close() { store_.reset(); }
  std::string step(Disk& disk);
  std::string write_much(Disk& disk, size_t bytes);
  Store& store() { return *store_; }

  // Opens the store as a new process would, looks at everything, and with `follow` commits once more.
  Found examine(const Known& known, Disk* disk = nullptr, bool follow = false) const;
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  std::string commit(Disk& disk, const Txn& txn);
  std::string burst(Disk& disk);
  std::string lease(Disk& disk);
  Txn any_change();
  Revision predict(const Txn& txn);
  void remember();
  Found compare(Store& store, const Known& known) const;

  SeededRng rng_;
  const std::string path_;
  const StoreBounds bounds_;
  FakeClock clock_;
  std::unique_ptr<Store> model_, store_;
  std::unique_ptr<Watch> model_watch_;
  std::map<Revision, std::string> contents_;  // all but the boot epoch
  std::map<Revision, std::vector<std::string>> events_;
  std::map<Revision, Txn> transactions_;  // those with an id
  std::map<Revision, uint64_t> boots_;    // the epoch as of a revision
  std::vector<uint64_t> leases_;
  uint64_t opened_ = 0, ids_ = 0, acknowledged_ = 0;
};

// SQLite's own judgement of the file, and whether our counters agree with the rows; "" or what is wrong.
std::string structure_of(const std::string& path);

}  // namespace trove
