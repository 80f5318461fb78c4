#include "providers/local/objects.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include "providers/local/files.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/log.hpp"

namespace trove::local {

namespace {

constexpr size_t kMaxSegmentBytes = 200;
constexpr std::string_view kUploading = ".upload-";
constexpr std::string_view kPrefix = "prefix:";   // no key begins so: what is signed for the one never fits the other
constexpr mode_t kPrivateFile = 0600, kPrivate = 0700;

bool is_segment(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSegmentBytes && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

class FileUpload final : public ObjectStore::Upload {
 public:
  FileUpload(Fd fd, std::string temporary, std::string path)
      : fd_(std::move(fd)), temporary_(std::move(temporary)), path_(std::move(path)) {}
  ~FileUpload() override {
    if (!finished_) unlink(temporary_.c_str());
  }

  Result<void> write(std::string_view piece) override {
    if (broken_) return fail(Code::unavailable, "the upload has failed");
    if (static_cast<int64_t>(piece.size()) > kMaxObjectBytes - bytes_) {
      broken_ = true;
      return fail(Code::too_large, "an object holds at most " + std::to_string(kMaxObjectBytes) + " bytes");
    }
    while (!piece.empty()) {
      const ssize_t n = ::write(fd_.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        broken_ = true;
        return tl::unexpected(errno_error("write", path_));
      }
      piece.remove_prefix(static_cast<size_t>(n));
      bytes_ += n;
    }
    return {};
  }

  Result<int64_t> finish() override {
    if (broken_ || finished_) return fail(Code::unavailable, "the upload has failed or is finished");
    broken_ = true;
    if (fsync(fd_.get()) != 0) return tl::unexpected(errno_error("write", path_));
    if (auto done = rename_path(temporary_, path_); !done) return tl::unexpected(done.error());
    finished_ = true;
    return bytes_;
  }

 private:
  Fd fd_;
  std::string temporary_, path_;
  int64_t bytes_ = 0;
  bool broken_ = false, finished_ = false;
};

class FileDownload final : public ObjectStore::Download {
 public:
  FileDownload(Fd fd, int64_t bytes) : fd_(std::move(fd)), bytes_(bytes) {}
  int64_t bytes() const override { return bytes_; }
  Result<std::string> read(size_t most) override {
    std::string piece(std::min(most, kMaxPieceBytes), '\0');
    ssize_t n;
    do n = ::read(fd_.get(), piece.data(), piece.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) return tl::unexpected(errno_error("read", "an object"));
    piece.resize(static_cast<size_t>(n));
    return piece;
  }

 private:
  Fd fd_;
  int64_t bytes_;
};

}  // namespace

bool is_object_key(std::string_view key) {
  const size_t slash = key.find('/');
  return slash != std::string_view::npos && is_segment(key.substr(0, slash)) && is_segment(key.substr(slash + 1));
}

void ObjectFiles::prepare() {
  const auto projects = list_directory(directory_);
  for (const Entry& project : projects ? *projects : std::vector<Entry>{}) {
    const std::string directory = directory_ + "/" + project.name;
    const auto files = project.directory ? list_directory(directory) : Result<std::vector<Entry>>{};
    for (const Entry& file : files ? *files : std::vector<Entry>{}) {
      if (!file.regular || !file.name.starts_with(kUploading)) continue;
      const std::string path = directory + "/" + file.name;
      const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;   // another process is at it
      if (unlink(path.c_str()) != 0) log::warning("an unfinished upload cannot be removed", {{"file", path}});
    }
  }
}

std::string ObjectFiles::signature(std::string_view method, const std::string& key, const std::string& expires) const {
  return hmac_sha256_hex(key_.reveal(), std::string(method) + "\n" + key + "\n" + expires);
}

std::string ObjectFiles::sign_url(const std::string& base_url, std::string_view method, const std::string& key,
                                  Time expires, Signed what) const {
  TROVE_CHECK(is_object_key(key));   // so that it needs no encoding
  const std::string seconds = std::to_string(expires.ms / 1000);
  const bool prefix = what == Signed::prefix;
  return base_url + "/objects/" + key + "?expires=" + seconds +
         "&signature=" + signature(method, prefix ? std::string(kPrefix) + key : key, seconds) +
         (prefix ? "&prefix=" + key : "");
}

Result<void> ObjectFiles::check(std::string_view method, const std::string& key, const std::string& expires,
                                const std::string& given, const std::string& prefix) const {
  if (!is_object_key(key))
    return fail(Code::invalid, "an object's name is <project>/<uid> of letters, digits and . _ -");
  if (!prefix.empty() && !key.starts_with(prefix))
    return fail(Code::denied, "the URL is good for objects whose names begin with " + prefix);
  // Without a key everybody could sign.
  const std::string what = prefix.empty() ? key : std::string(kPrefix) + prefix;
  if (key_.empty() || !same_bytes(signature(method, what, expires), given)) {
    return fail(Code::denied, "the signature does not fit " + std::string(method) + " of this object");
  }
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  if (error != std::errc{} || end != expires.data() + expires.size())
    return fail(Code::denied, "expires is not a time");
  if (clock_.wall().ms / 1000 >= seconds) return fail(Code::denied, "the URL has expired");
  return {};
}

Result<std::unique_ptr<ObjectStore::Upload>> ObjectFiles::upload(const std::string& key, const std::string& expires,
                                                                 const std::string& given,
                                                                 const std::string& prefix) {
  if (auto fits = check("PUT", key, expires, given, prefix); !fits) return tl::unexpected(fits.error());
  const std::string directory = directory_ + "/" + key.substr(0, key.find('/'));
  if (!exists(directory)) {
    auto done = make_directory(directory, kPrivate);
    if (done) done = sync_directory(directory_);
    if (!done) return tl::unexpected(done.error());
  }
  const std::string temporary = directory + "/" + std::string(kUploading) + new_uid(rng_);
  Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return tl::unexpected(errno_error("write", temporary));
  return std::make_unique<FileUpload>(std::move(fd), temporary, directory_ + "/" + key);
}

Result<std::unique_ptr<ObjectStore::Download>> ObjectFiles::download(const std::string& key, const std::string& expires,
                                                                     const std::string& given,
                                                                     const std::string& prefix) {
  if (auto fits = check("GET", key, expires, given, prefix); !fits) return tl::unexpected(fits.error());
  Fd fd(open((directory_ + "/" + key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat s {};
  if (!fd && errno == ENOENT) return fail(Code::not_found, "there is no object " + key);
  if (!fd || fstat(fd.get(), &s) != 0) return tl::unexpected(errno_error("read", key));
  if (!S_ISREG(s.st_mode)) return fail(Code::not_found, "there is no object " + key);
  return std::make_unique<FileDownload>(std::move(fd), s.st_size);
}

ObjectFiles::Listing ObjectFiles::list() const {
  Listing listing;
  const auto trouble = [&](const std::string& where, const Error& error) {
    listing.known = false;
    listing.trouble.push_back("objects" + where + ": " + error.message);
  };
  const auto projects = list_directory(directory_);
  if (!projects) trouble("", projects.error());
  for (const Entry& project : projects ? *projects : std::vector<Entry>{}) {
    if (!project.directory || !is_segment(project.name)) continue;
    const std::string directory = directory_ + "/" + project.name;
    const auto files = list_directory(directory);
    if (!files && files.error().code != Code::not_found) trouble("/" + project.name, files.error());
    for (const Entry& file : files ? *files : std::vector<Entry>{}) {
      if (!file.regular || !is_segment(file.name)) continue;
      struct stat s {};
      if (lstat((directory + "/" + file.name).c_str(), &s) != 0) {
        if (errno != ENOENT) trouble("/" + project.name + "/" + file.name, errno_error("read", file.name));
        continue;
      }
      listing.objects.push_back({project.name + "/" + file.name, s.st_size});
    }
  }
  std::sort(listing.objects.begin(), listing.objects.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.key < b.key; });
  return listing;
}

Result<void> ObjectFiles::remove(const std::string& key) {
  if (!is_object_key(key)) return fail(Code::invalid, "\"" + key + "\" is not an object's name");
  const std::string path = directory_ + "/" + key;
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return tl::unexpected(errno_error("remove", path));
  }
  return sync_directory(path.substr(0, path.rfind('/')));
}

}  // namespace trove::local
