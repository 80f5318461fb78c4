#include <set>
#include "specs/kinds/parameters.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using Catch::Matchers::Contains;

namespace {

constexpr Engine kEngines[] = {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached};

std::string render(Engine engine, std::string_view name, const Value& value, int64_t memory_mib = 1000) {
  const auto text = render_parameter(engine, name, value, memory_mib);
  return text ? *text : "error: " + text.error().message;
}

}  // namespace

TEST_CASE("every entry of the catalogues is sound") {
  for (Engine engine : kEngines) {
    std::set<std::string_view> names;
    CHECK(known_parameters(engine).size() >= 25);
    for (const Parameter& p : known_parameters(engine)) {
      INFO(engine_title(engine) << " " << p.name);
      CHECK(names.insert(p.name).second);
      CHECK(canonical_parameter(engine, p.name) == p.name);
      CHECK(find_parameter(engine, p.name) == &p);
      CHECK(is_owned_parameter(engine, p.name) == "");
      CHECK(p.doc.ends_with('.'));
      CHECK((p.change == Change::live || p.change == Change::restart));
      CHECK(p.min <= p.max);
      CHECK((p.type == ParameterType::enumeration) == !p.values.empty());
      CHECK((engine == Engine::memcached) == !p.flag.empty());
    }
  }
}

TEST_CASE("every default is a value that its own entry accepts") {
  for (Engine engine : kEngines) {
    for (const Parameter& p : known_parameters(engine)) {
      if (p.default_text.empty()) continue;
      INFO(engine_title(engine) << " " << p.name << " = " << p.default_text);
      const std::string text(p.default_text);
      const bool number = text.find_first_not_of("-0123456789") == std::string::npos;
      const bool decimal = text.find_first_not_of("-0123456789.") == std::string::npos;
      const Value value = number                                       ? Value(int64_t{std::stoll(text)})
                          : decimal && p.type == ParameterType::number ? Value::number(std::stod(text), text)
                                                                       : Value(text);
      CHECK_THAT(render(engine, p.name, value), !Contains("error"));
    }
  }
}

TEST_CASE("names that trove owns are refused in every spelling") {
  for (std::string_view name : {"datadir",
                                "DataDir",
                                "port",
                                "socket",
                                "bind-address",
                                "bind_address",
                                "plugin_dir",
                                "basedir",
                                "pid-file",
                                "user",
                                "init_file",
                                "secure_file_priv",
                                "skip-grant-tables",
                                "skip_grant_tables",
                                "log-bin",
                                "skip-log-bin",
                                "ssl_key",
                                "ssl-ca",
                                "plugin-load-add",
                                "loose-datadir",
                                "loose_skip_grant_tables",
                                "datad",
                                "plugin_lo",
                                "wsrep_provider",
                                "wsre",
                                "skip-networking",
                                "server-id",
                                "skip-name-resolve"}) {
    INFO(name);
    CHECK(is_owned_parameter(Engine::mariadb, name) != "");
  }
  for (std::string_view name :
       {"data_directory", "hba_file", "ident_file", "listen_addresses", "PORT", "unix_socket_directories",
        "archive_command", "restore_command", "shared_preload_libraries", "session_preload_libraries", "ssl_key_file",
        "fsync", "include_dir", "ssl_passphrase_command", "recovery_target_time", "jit_provider"}) {
    INFO(name);
    CHECK(is_owned_parameter(Engine::postgresql, name) != "");
  }
  for (std::string_view name :
       {"dir", "dbfilename", "port", "bind", "unixsocket", "aclfile", "requirepass", "masterauth", "rename-command",
        "loadmodule", "enable-debug-command", "include", "user", "tls-port", "replicaof", "CLUSTER-ENABLED"}) {
    INFO(name);
    CHECK(is_owned_parameter(Engine::redis, name) != "");
  }
  for (std::string_view name :
       {"-p", "p", "--port", "-l", "listen", "-U", "-u", "-s", "unix_socket", "-e", "-Y", "-o", "ext_path", "-P"}) {
    INFO(name);
    CHECK(is_owned_parameter(Engine::memcached, name) != "");
  }
}

TEST_CASE("names that look like owned ones are left to users") {
  for (std::string_view name : {"general_log", "slow_query_log", "max_connections", "skip-external-thing",
                                "loose_max_connections", "innodb_ft_cache_size", "event_scheduler"}) {
    INFO(name);
    CHECK(is_owned_parameter(Engine::mariadb, name) == "");
  }
  CHECK(is_owned_parameter(Engine::postgresql, "pg_stat_statements.track") == "");
  CHECK(is_owned_parameter(Engine::redis, "save") == "");
  CHECK(is_owned_parameter(Engine::memcached, "-m") == "");
}

TEST_CASE("a name has one canonical spelling") {
  CHECK(canonical_parameter(Engine::mariadb, "Max-Connections") == "max_connections");
  CHECK(canonical_parameter(Engine::postgresql, "Work_Mem") == "work_mem");
  CHECK(canonical_parameter(Engine::redis, "MaxMemory-Policy") == "maxmemory-policy");
  CHECK(canonical_parameter(Engine::memcached, "-m") == "memory-limit");
  CHECK(canonical_parameter(Engine::memcached, "max_item_size") == "max-item-size");
  CHECK(canonical_parameter(Engine::memcached, "idle-timeout") == "idle_timeout");
  CHECK(canonical_parameter(Engine::memcached, "-U") == "udp-port");
  CHECK(find_parameter(Engine::mariadb, "max-connections")->name == "max_connections");
  CHECK(find_parameter(Engine::mariadb, "no_such_thing") == nullptr);
}

TEST_CASE("integers are kept within their bounds") {
  CHECK(render(Engine::mariadb, "max_connections", 10) == "10");
  CHECK(render(Engine::mariadb, "max_connections", 100000) == "100000");
  CHECK_THAT(render(Engine::mariadb, "max_connections", 9), Contains("error: 9 is out of range: 10 to 100000"));
  CHECK_THAT(render(Engine::mariadb, "max_connections", 100001), Contains("out of range"));
  CHECK_THAT(render(Engine::mariadb, "max_connections", "800"), Contains("remove the quotes"));
  CHECK_THAT(render(Engine::mariadb, "max_connections", "many"), Contains("is not an integer"));
  CHECK_THAT(render(Engine::mariadb, "max_connections", true), Contains("is not an integer"));
  CHECK(render(Engine::postgresql, "statement_timeout", "30s") == "30s");
  CHECK_THAT(render(Engine::postgresql, "checkpoint_timeout", "10s"), Contains("out of range: 30 s to 86400 s"));
  CHECK_THAT(render(Engine::mariadb, "wait_timeout", "30s"), Contains("is not an integer"));
}

TEST_CASE("sizes are written as each engine writes them") {
  CHECK(render(Engine::mariadb, "innodb_buffer_pool_size", "128M") == "128M");
  CHECK(render(Engine::mariadb, "innodb_buffer_pool_size", 134217728) == "134217728");
  CHECK_THAT(render(Engine::mariadb, "innodb_buffer_pool_size", "1M"), Contains("at least 2 MiB"));
  CHECK_THAT(render(Engine::mariadb, "innodb_buffer_pool_size", "128MB"), Contains("is not a size"));
  CHECK(render(Engine::postgresql, "shared_buffers", "1GB") == "1GB");
  CHECK(render(Engine::postgresql, "shared_buffers", 16384) == "16384");
  CHECK(render(Engine::postgresql, "work_mem", "4 MB") == "4 MB");
  CHECK_THAT(render(Engine::postgresql, "shared_buffers", "1gb"), Contains("is not a size"));
  CHECK_THAT(render(Engine::postgresql, "shared_buffers", "64kB"), Contains("out of range"));
  CHECK(render(Engine::postgresql, "wal_buffers", -1) == "-1");
  CHECK(render(Engine::redis, "maxmemory", "100mb") == "100mb");
  CHECK(render(Engine::redis, "maxmemory", "2GB") == "2GB");
  CHECK(render(Engine::memcached, "memory-limit", 64) == "64");
  CHECK(render(Engine::memcached, "memory-limit", "1024m") == "1024");
  CHECK(render(Engine::memcached, "max-item-size", "4m") == "4m");
  CHECK_THAT(render(Engine::mariadb, "innodb_buffer_pool_size", "99999999999T"), Contains("error"));
  CHECK_THAT(render(Engine::mariadb, "innodb_buffer_pool_size", INT64_MIN), Contains("error"));
  CHECK_THAT(render(Engine::postgresql, "shared_buffers", INT64_MAX), Contains("error"));
}

TEST_CASE("a share of the memory becomes a number that the engine reads right") {
  CHECK(render(Engine::mariadb, "innodb_buffer_pool_size", "70%ram", 1024) == "751619276");
  CHECK(render(Engine::postgresql, "shared_buffers", "25%ram", 1024) == "262144kB");
  CHECK(render(Engine::redis, "maxmemory", "50%ram", 100) == "52428800");
  CHECK(render(Engine::memcached, "memory-limit", "50%ram", 1024) == "512");
  CHECK(render(Engine::mariadb, "innodb_buffer_pool_size", "100%ram", 1) ==
        "error: 100%ram of 1 MiB is out of range: at least 2 MiB");
  CHECK(render(Engine::mariadb, "innodb_buffer_pool_size", "70%ram", 0) == "70%ram");
  for (std::string_view bad : {"0%ram", "101%ram", "-1%ram", "%ram", "1.5%ram", "7 0%ram"}) {
    INFO(bad);
    CHECK_THAT(render(Engine::mariadb, "innodb_buffer_pool_size", bad), Contains("is not a size"));
  }
  CHECK_THAT(render(Engine::mariadb, "max_connections", "70%ram"), Contains("is not an integer"));
  CHECK_THAT(render(Engine::mariadb, "some_new_size", "70%ram"), Contains("well-known sizes only"));
}

TEST_CASE("booleans are the engine's words") {
  CHECK(render(Engine::mariadb, "slow_query_log", true) == "ON");
  CHECK(render(Engine::mariadb, "slow_query_log", "off") == "OFF");
  CHECK(render(Engine::mariadb, "slow_query_log", 1) == "ON");
  CHECK(render(Engine::postgresql, "jit", false) == "off");
  CHECK(render(Engine::redis, "appendonly", true) == "yes");
  CHECK(render(Engine::memcached, "disable-cas", true) == "yes");
  CHECK(render(Engine::mariadb, "some_new_switch", true) == "ON");
  CHECK_THAT(render(Engine::mariadb, "slow_query_log", "maybe"), Contains("write true or false"));
}

TEST_CASE("enumerations take any case and booleans where those are words") {
  CHECK(render(Engine::mariadb, "binlog_format", "row") == "ROW");
  CHECK(render(Engine::mariadb, "event_scheduler", true) == "ON");
  CHECK(render(Engine::postgresql, "synchronous_commit", false) == "off");
  CHECK(render(Engine::redis, "appendfsync", false) == "no");
  CHECK(render(Engine::postgresql, "default_transaction_isolation", "read committed") == "read committed");
  CHECK_THAT(render(Engine::redis, "maxmemory-policy", "allkeys-lur"), Contains("Did you mean \"allkeys-lru\"?"));
  CHECK_THAT(render(Engine::postgresql, "log_statement", true), Contains("is not one of none, ddl, mod, all"));
}

TEST_CASE("numbers keep their spelling without exponents") {
  CHECK(render(Engine::mariadb, "long_query_time", Value::number(0.5, "0.5")) == "0.5");
  CHECK(render(Engine::mariadb, "long_query_time", 2) == "2");
  CHECK(render(Engine::postgresql, "random_page_cost", Value::number(11e-1, "11e-1")) == "1.1");
  CHECK_THAT(render(Engine::postgresql, "checkpoint_completion_target", Value::number(1.5, "1.5")), Contains("0 to 1"));
  CHECK_THAT(render(Engine::postgresql, "random_page_cost", "cheap"), Contains("is not a number"));
  CHECK_THAT(render(Engine::memcached, "slab-growth-factor", 1), Contains("out of range"));
  CHECK(render(Engine::memcached, "slab-growth-factor", Value::number(1.01, "1.01")) == "1.01");
}

TEST_CASE("nothing that could start a line of its own gets into a configuration") {
  for (const std::string& text : {std::string("a\nb"), std::string("a\rb"), std::string("a\0b", 3),
                                  std::string("a\x7f"), std::string("\x1b[0m")}) {
    CHECK_THAT(render(Engine::mariadb, "sql_mode", text), Contains("control character"));
    CHECK_THAT(render(Engine::postgresql, "made_up", text), Contains("control character"));
  }
  CHECK_THAT(render(Engine::redis, "made-up", std::string(4097, 'a')), Contains("longer than 4096"));
  CHECK(render(Engine::redis, "made-up", std::string(4096, 'a')).size() == 4096);
  CHECK_THAT(render(Engine::redis, std::string(129, 'a'), 1), Contains("1 to 128"));
  CHECK_THAT(render(Engine::memcached, "--", 1), Contains("1 to 128"));
  CHECK_THAT(render(Engine::mariadb, "made_up", Value::list()), Contains("must be a number, a boolean or a string"));
  CHECK_THAT(render(Engine::mariadb, "datadir", "/tmp"), Contains("belongs to trove"));
  CHECK_THAT(render(Engine::mariadb, "init_connect", "SELECT \"a\""), Contains("double quote"));
}
