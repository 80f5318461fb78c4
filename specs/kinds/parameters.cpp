#include "specs/kinds/parameters.hpp"
#include <algorithm>
#include <array>
#include <unordered_map>
#include "specs/kinds/parameter_tables.hpp"

namespace trove {
namespace {

using tables::OwnedParameter;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string replaced(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

const std::vector<Parameter>& table_of(Engine engine) {
  switch (engine) {
    case Engine::mariadb: return tables::mariadb_parameters();
    case Engine::postgresql: return tables::postgresql_parameters();
    case Engine::redis: return tables::redis_parameters();
    case Engine::memcached: break;
  }
  return tables::memcached_parameters();
}

std::span<const OwnedParameter> owned_of(Engine engine) {
  switch (engine) {
    case Engine::mariadb: return tables::mariadb_owned();
    case Engine::postgresql: return tables::postgresql_owned();
    case Engine::redis: return tables::redis_owned();
    case Engine::memcached: break;
  }
  return tables::memcached_owned();
}

using Index = std::unordered_map<std::string_view, const Parameter*>;
const Index& index_of(Engine engine) {
  static const std::array<Index, 4> all = [] {
    std::array<Index, 4> built;
    for (Engine e : {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached}) {
      for (const Parameter& parameter : table_of(e)) built[static_cast<size_t>(e)].emplace(parameter.name, &parameter);
    }
    return built;
  }();
  return all[static_cast<size_t>(engine)];
}

// Memcached's one-letter options that are not in the catalogue; the catalogue knows its own.
struct Letter {
  char letter;
  std::string_view name;
};
constexpr Letter kLetters[] = {
    {'p', "port"},
    {'U', "udp-port"},
    {'s', "unix-socket"},
    {'a', "unix-mask"},
    {'A', "enable-shutdown"},
    {'l', "listen"},
    {'d', "daemon"},
    {'r', "enable-coredumps"},
    {'u', "user"},
    {'k', "lock-memory"},
    {'v', "verbose"},
    {'h', "help"},
    {'i', "license"},
    {'V', "version"},
    {'P', "pidfile"},
    {'L', "enable-largepages"},
    {'S', "enable-sasl"},
    {'Y', "auth-file"},
    {'e', "memory-file"},
    {'Z', "enable-ssl"},
    {'o', "extended"},
    {'N', "napi-ids"},
};

std::string canonical_memcached(std::string_view name) {
  while (name.starts_with('-')) name.remove_prefix(1);
  if (name.size() == 1) {
    for (const Letter& letter : kLetters) {
      if (letter.letter == name[0]) return std::string(letter.name);
    }
    for (const Parameter& parameter : tables::memcached_parameters()) {
      if (parameter.flag[1] == name[0] && parameter.flag != "-o") return std::string(parameter.name);
    }
    return std::string(name);
  }
  const std::string text = lowered(name);
  // Long options are written with -, extended ones with _; fingers do not know which is which.
  for (const std::string& spelling : {text, replaced(text, '_', '-'), replaced(text, '-', '_')}) {
    if (index_of(Engine::memcached).contains(spelling)) return spelling;
    for (const OwnedParameter& owned : tables::memcached_owned()) {
      if (owned.name == spelling) return spelling;
    }
  }
  return text;
}

// MariaDB takes skip-X, loose_X and the like for X.
std::string_view without_prefixes(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kPrefixes = {"loose_",  "skip_",    "disable_",
                                                                "enable_", "maximum_", "autoset_"};
  for (bool again = true; again;) {
    again = false;
    for (std::string_view prefix : kPrefixes) {
      if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        again = true;
      }
    }
  }
  return name;
}

std::string_view owned_reason(Engine engine, std::string_view name) {
  for (const OwnedParameter& owned : owned_of(engine)) {
    std::string_view wanted = owned.name;
    if (wanted.ends_with('*')) {
      wanted.remove_suffix(1);
      if (name.starts_with(wanted)) return owned.reason;
    } else if (name == wanted) {
      return owned.reason;
    }
  }
  return {};
}

// The owned name that MariaDB would take `name` as an abbreviation of; "" when it is none.
std::string_view abbreviates(std::string_view name) {
  for (const OwnedParameter& owned : tables::mariadb_owned()) {
    std::string_view wanted = owned.name;
    if (wanted.ends_with('*')) wanted.remove_suffix(1);
    if (wanted.size() > name.size() && wanted.starts_with(name)) return owned.name;
  }
  return {};
}

}  // namespace

std::string_view to_string(ParameterType type) {
  static constexpr std::array<std::string_view, 6> names = {"integer", "number",      "size",
                                                            "boolean", "enumeration", "string"};
  return names[static_cast<size_t>(type)];
}

std::span<const Parameter> known_parameters(Engine engine) { return table_of(engine); }

std::string_view engine_title(Engine engine) {
  static constexpr std::array<std::string_view, 4> titles = {"MariaDB 10.11", "PostgreSQL 15", "Redis 7",
                                                             "Memcached 1.6"};
  return titles[static_cast<size_t>(engine)];
}

std::string canonical_parameter(Engine engine, std::string_view name) {
  switch (engine) {
    case Engine::mariadb: return replaced(lowered(name), '-', '_');
    case Engine::memcached: return canonical_memcached(name);
    default: return lowered(name);
  }
}

const Parameter* find_parameter(Engine engine, std::string_view name) {
  const Index& index = index_of(engine);
  if (const auto found = index.find(name); found != index.end()) return found->second;
  const std::string canonical = canonical_parameter(engine, name);
  const auto found = index.find(std::string_view(canonical));
  return found == index.end() ? nullptr : found->second;
}

std::string is_owned_parameter(Engine engine, std::string_view name) {
  const std::string canonical = canonical_parameter(engine, name);
  if (index_of(engine).contains(canonical)) return {};
  if (engine != Engine::mariadb) return std::string(owned_reason(engine, canonical));
  const std::string_view bare = without_prefixes(canonical);
  for (std::string_view spelling : {std::string_view(canonical), bare}) {
    if (const std::string_view reason = owned_reason(engine, spelling); !reason.empty()) return std::string(reason);
  }
  if (index_of(engine).contains(bare)) return {};   // loose_max_connections
  if (const std::string_view whole = abbreviates(bare); !whole.empty()) {
    // Not the list's own "*": the reader should see a name.
    return "MariaDB would read it as " + std::string(whole.substr(0, whole.find('*'))) + ": " +
           std::string(owned_reason(engine, whole.substr(0, whole.find('*'))));
  }
  return {};
}

}  // namespace trove
