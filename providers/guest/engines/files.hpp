// The few things done to files, each whole or not at all. Thread-safe: no state.
#pragma once
#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include "providers/guest/engines/process.hpp"
#include "specs/core/result.hpp"

namespace trove::guest {

Result<std::string> read_file(const std::string& path, size_t most);       // not_found, too_large, unavailable
// Replaces the file in one step; a power cut leaves the old or the new text. `owner` may be nullptr.
Result<void> write_file(const std::string& path, std::string_view text, mode_t mode, const OsUser* owner = nullptr);
// As write_file, but leaves an equal file alone; true when something was written.
Result<bool> write_file_if_changed(const std::string& path, std::string_view text, mode_t mode,
                                   const OsUser* owner = nullptr);
// Makes the directory (its parent must exist), or checks that it is one; then sets mode and owner.
Result<void> make_directory(const std::string& path, mode_t mode, const OsUser* owner = nullptr);
Result<void> remove_tree(const std::string& path);                         // absent is fine; never follows a link
Result<void> chown_tree(const std::string& path, const OsUser& owner);
Result<void> rename_durably(const std::string& from, const std::string& to);
bool exists(const std::string& path);
std::vector<std::string> names_in(const std::string& directory);          // without . and ..
// Bytes on disk below `path`; stops after `most_entries` and returns what it has.
int64_t disk_usage(const std::string& path, size_t most_entries);
// The end of a log from an offset on: one line, control characters replaced.
std::string last_words(const std::string& path, int64_t from, size_t most);
// The first directory on the way to `path` that `user` may not enter; "" when all are open.
std::string closed_directory(const std::string& path, const OsUser& user);

}  // namespace trove::guest
