// The instrument itself: a disk that keeps what was not synced would prove nothing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cerrno>

#include "tests/store/disk.hpp"
#include "tests/store/stores.hpp"

using namespace trove;

namespace {

class Notes {
 public:
  Notes() : disk(directory.path()) { disk.record(); }
  DiskModel model() {
    for (const DiskOp& op : disk.take_notes()) model_.apply(op);
    return model_;
  }
  int make(const std::string& name) { return ::open((directory / name).c_str(), O_RDWR | O_CREAT, 0600); }
  void sync_names() {
    const int fd = ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::fsync(fd) == 0);
    ::close(fd);
  }
  TempDir directory;
  Disk disk;

 private:
  DiskModel model_;
};

void write_at(int fd, const std::string& text, off_t at) {
  REQUIRE(::pwrite(fd, text.data(), text.size(), at) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("a disk forgets bytes and names that were not synced") {
  Notes notes;
  const int fd = notes.make("a");
  write_at(fd, "one", 0);
  CHECK(notes.model().cached() == DiskModel::Files{{"a", "one"}});
  REQUIRE(::fsync(fd) == 0);
  CHECK(notes.model().durable().empty());  // its name is not there yet
  notes.sync_names();
  CHECK(notes.model().durable() == DiskModel::Files{{"a", "one"}});
  write_at(fd, "twofold", 0);
  REQUIRE(::ftruncate(fd, 3) == 0);
  CHECK(notes.model().cached() == DiskModel::Files{{"a", "two"}});
  CHECK(notes.model().durable() == DiskModel::Files{{"a", "one"}});
  REQUIRE(::fdatasync(fd) == 0);
  CHECK(notes.model().durable() == DiskModel::Files{{"a", "two"}});
  REQUIRE(::rename((notes.directory / "a").c_str(), (notes.directory / "b").c_str()) == 0);
  CHECK(notes.model().cached() == DiskModel::Files{{"b", "two"}});
  CHECK(notes.model().durable() == DiskModel::Files{{"a", "two"}});
  REQUIRE(::unlink((notes.directory / "b").c_str()) == 0);
  notes.sync_names();
  CHECK(notes.model().durable().empty());
  ::close(fd);
}

TEST_CASE("a directory takes what is in it along") {
  Notes notes;
  REQUIRE(::mkdir((notes.directory / "d").c_str(), 0700) == 0);
  const int fd = notes.make("d/a");
  REQUIRE(::fsync(fd) == 0);
  ::close(fd);
  const int directory = ::open((notes.directory / "d").c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(::fsync(directory) == 0);
  ::close(directory);
  CHECK(notes.model().durable().empty());
  notes.sync_names();
  CHECK(notes.model().durable() == DiskModel::Files{{"d/", ""}, {"d/a", ""}});
}

TEST_CASE("what tears is sectors and each may be old or new") {
  Notes notes;
  const int fd = notes.make("a");
  write_at(fd, std::string(1'536, 'o'), 0);
  REQUIRE(::fsync(fd) == 0);
  notes.sync_names();
  write_at(fd, std::string(1'000, 'n'), 300);  // parts of the first and third sector, all of the second
  ::close(fd);
  const DiskModel model = notes.model();
  SeededRng rng(1);
  std::map<std::string, int> seen;
  for (int i = 0; i < 300; ++i) {
    const std::string text = model.torn(rng).at("a");
    REQUIRE(text.size() == 1'536);
    CHECK((text.substr(300, 212) == std::string(212, text[300])));
    CHECK((text.substr(512, 512) == std::string(512, text[512])));
    CHECK((text.substr(1'024, 276) == std::string(276, text[1'024])));
    CHECK(text.substr(0, 300) + text.substr(1'300) == std::string(536, 'o'));
    ++seen[{text[300], text[512], text[1'024]}];
  }
  CHECK(seen.size() == 8);  // every combination, also the later without the earlier
}

TEST_CASE("a sync that failed loses the bytes for good and a refused write is half done") {
  Notes notes;
  const int fd = notes.make("a");
  write_at(fd, "sunk", 0);
  notes.sync_names();
  notes.disk.on_call([](DiskCall call, const std::string&) { return call == DiskCall::sync ? EIO : 0; });
  errno = 0;
  CHECK(::fsync(fd) == -1);
  CHECK(errno == EIO);
  notes.disk.on_call({});
  write_at(fd, "!", 4);
  CHECK(::fsync(fd) == 0);
  CHECK(notes.model().durable().at("a") == std::string("\0\0\0\0!", 5));  // not what the kernel shows
  CHECK(notes.model().cached().at("a") == "sunk!");

  notes.disk.on_call(
      [](DiskCall call, const std::string& path) { return call == DiskCall::write && path == "a" ? ENOSPC : 0; });
  CHECK(::pwrite(fd, "abcd", 4, 0) == -1);
  CHECK(errno == ENOSPC);
  CHECK(notes.model().cached().at("a") == "abnk!");
  CHECK(read_file(notes.directory / "a") == "abnk!");
  ::close(fd);
}
