// Where an authority lives: a directory that one start holds at a time, with files that are whole or not there. Private
// to providers/pki. Owned by one thread, for as long as it takes to open an authority.
#pragma once
#include <sys/types.h>
#include <optional>
#include <string>
#include <string_view>
#include "specs/core/result.hpp"
#include "specs/core/secret.hpp"

namespace trove::pki {

class Directory {
 public:
  // Made (0700) when there is none. Waits for another one that holds it: that is only as long as two small files need.
  static Result<Directory> hold(const std::string& path);
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  // Nothing when there is no such file; at most 64 KiB.
  Result<std::optional<std::string>> read(const char* name) const;
  // denied when anybody but its owner may read it, or the owner is neither this user nor root.
  Result<std::optional<Secret>> read_private(const char* name) const;
  // A new file, durable when this returns. Never replaces one.
  Result<void> add(const char* name, std::string_view text, mode_t mode) const;
  // Until this the names of the files, and of the directory itself, may be lost with the power.
  Result<void> sync() const;

 private:
  Directory(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  std::string path_of(const char* name) const { return path_ + '/' + name; }
  Result<std::optional<std::string>> read(const char* name, bool secret) const;

  int fd_;
  std::string path_;
};

}  // namespace trove::pki
