// The catalogues themselves, one file per engine family. For parameters.cpp only.
#pragma once
#include <span>
#include <string_view>
#include <vector>
#include "specs/kinds/parameters.hpp"

namespace trove::tables {

struct OwnedParameter {
  std::string_view name;     // canonical; a trailing * covers every longer name
  std::string_view reason;
};

inline constexpr int64_t kKib = 1024, kMib = 1024 * kKib, kGib = 1024 * kMib;

const std::vector<Parameter>& mariadb_parameters();
const std::vector<Parameter>& postgresql_parameters();
const std::vector<Parameter>& redis_parameters();
const std::vector<Parameter>& memcached_parameters();
std::span<const OwnedParameter> mariadb_owned();
std::span<const OwnedParameter> postgresql_owned();
std::span<const OwnedParameter> redis_owned();
std::span<const OwnedParameter> memcached_owned();

// Reasons that come up again and again.
inline constexpr std::string_view kPlaces = "trove decides where the engine keeps its files";
inline constexpr std::string_view kNetwork = "trove decides where the engine listens; use spec.access of the instance";
inline constexpr std::string_view kCode = "it would load foreign code into the engine or run programs";
inline constexpr std::string_view kLogins = "it would go around the logins; use User objects and spec.rootAccess";
inline constexpr std::string_view kTls = "certificates and keys belong to the instance";
inline constexpr std::string_view kProcess = "trove runs the engine's process";
inline constexpr std::string_view kCopies = "trove decides about copies and followers of the instance";
inline constexpr std::string_view kFirstStart =
    "it is fixed when the data directory is made; a change would make the data unreadable";
inline constexpr std::string_view kSafety = "turning it off can lose every database in a crash";

}  // namespace trove::tables
