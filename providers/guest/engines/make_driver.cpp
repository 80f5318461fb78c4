// The registry of engines: one line each.
#include "providers/guest/engines/mariadb.hpp"
#include "providers/guest/engines/memcached.hpp"
#include "providers/guest/engines/postgresql.hpp"
#include "providers/guest/engines/redis.hpp"

namespace trove::guest {

std::unique_ptr<EngineDriver> make_driver(Engine engine, Surroundings surroundings) {
  switch (engine) {
    case Engine::mariadb: return std::make_unique<MariadbDriver>(std::move(surroundings));
    case Engine::postgresql: return std::make_unique<PostgresqlDriver>(std::move(surroundings));
    case Engine::redis: return std::make_unique<RedisDriver>(std::move(surroundings));
    case Engine::memcached: return std::make_unique<MemcachedDriver>(std::move(surroundings));
  }
  check_failed("an engine without a driver", __FILE__, __LINE__);
}

std::vector<std::string> engine_os_users(Engine engine) {
  switch (engine) {
    case Engine::mariadb: return {"mysql", "nobody"};
    case Engine::postgresql: return {"postgres", "nobody"};
    case Engine::redis: return {"redis", "nobody"};
    case Engine::memcached: return {"memcache", "nobody"};
  }
  return {"nobody"};
}

}  // namespace trove::guest
