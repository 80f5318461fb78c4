// MariaDB as a process: where its programs are, its configuration, its life, its backups.
#include "providers/guest/engines/mariadb.hpp"
#include <signal.h>
#include <algorithm>
#include <set>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

constexpr Millis kInstallTime{300'000};
constexpr Millis kPrepareTime{6 * 3'600'000};
constexpr int64_t kMiB = int64_t{1} << 20;

std::string server_program() { return find_program({"/usr/sbin/mariadbd", "/usr/sbin/mysqld"}); }

// Settings that decide where data is, who gets in, or what runs as the engine's user.
const std::set<std::string>& reserved() {
  static const std::set<std::string> names = {
      "datadir", "basedir", "socket", "port", "bind_address", "pid_file", "user", "log_error", "init_file",
      "plugin_dir", "plugin_load", "plugin_load_add", "secure_file_priv", "skip_grant_tables", "skip_networking",
      "tmpdir", "chroot", "innodb_data_home_dir", "innodb_data_file_path", "innodb_log_group_home_dir",
      "innodb_undo_directory", "slave_load_tmpdir", "character_sets_dir", "lc_messages_dir", "general_log_file",
      "slow_query_log_file", "log_bin", "log_basename", "log_bin_index", "relay_log", "relay_log_index",
      "defaults_file", "defaults_extra_file", "wsrep_provider", "wsrep_sst_method", "wsrep_notify_cmd",
      "des_key_file", "skip_name_resolve", "extra_port", "core_file", "external_locking", "lower_case_table_names",
      "debug"};
  return names;
}

// A value in an option file: quoted, with backslashes doubled. Control characters were refused before.
std::string option_value(const std::string& value) {
  std::string out = "\"";
  for (char c : value) {
    out += c;
    if (c == '\\') out += c;
  }
  return out + "\"";
}

}  // namespace

std::string MariadbDriver::data_version() {
  if (!version_.empty()) return version_;
  const std::string program_path = server_program();
  if (program_path.empty()) return "";
  // "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu …"
  auto tool = Tool::start({.argv = {program_path, "--no-defaults", "--version"},
                           .user = where_.engine_user,
                           .pipe_out = true,
                           .log_file = ""});
  if (!tool) return "";
  const UniqueFd out = (*tool)->take_out();
  const auto text = read_file("/proc/self/fd/" + std::to_string(out.get()), 4096);
  Cancel never;
  (*tool)->finish(Millis{10'000}, never);
  const size_t at = text ? text->find("Ver ") : std::string::npos;
  if (at == std::string::npos) return "";
  const size_t first_dot = text->find('.', at);
  const size_t second_dot = text->find('.', first_dot + 1);
  if (second_dot == std::string::npos) return "";
  return version_ = text->substr(at + 4, second_dot - at - 4);
}

Result<void> MariadbDriver::initialise(const std::string& dir, const Document&, const Cancel& cancel) {
  const std::string install = find_program({"/usr/bin/mariadb-install-db", "/usr/bin/mysql_install_db"});
  if (install.empty()) return fail(Code::not_found, "mariadb-install-db is not installed");
  return run_tool({.argv = {install, "--no-defaults", "--datadir=" + dir, "--skip-test-db", "--skip-name-resolve",
                            "--auth-root-authentication-method=socket"},
                   .user = where_.engine_user,
                   .log_file = where_.layout.log_dir + "/install.log",
                   .directory = dir},
                  kInstallTime, cancel);
}

Result<std::vector<std::string>> MariadbDriver::configure(const Document& document, const Parameters& parameters) {
  const std::string program_path = server_program();
  if (program_path.empty()) return fail(Code::not_found, "mariadbd is not installed");
  const Layout& at = where_.layout;
  const int64_t memory = std::max<int64_t>(document.memory_mib, 64);
  own_settings_ = {
      {"innodb_buffer_pool_size", std::to_string(std::max<int64_t>(memory / 2, 16) * kMiB)},
      {"innodb_log_file_size", memory < 2048 ? "33554432" : "100663296"},
      {"performance_schema", "OFF"},
      {"innodb_flush_log_at_trx_commit", "1"},
      {"character_set_server", "utf8mb4"},
  };
  std::map<std::string, std::string> settings = own_settings_;
  for (const auto& [name, value] : parameters) settings[name] = value;
  std::string text = "# Written by trove-guest at every start and change; edits are lost.\n[mariadbd]\n";
  for (const auto& [name, value] : settings) text += name + "=" + option_value(value) + "\n";
  const std::vector<std::pair<std::string, std::string>> fixed = {
      {"datadir", at.data_dir}, {"socket", socket_path()}, {"pid_file", at.engine_dir + "/mariadbd.pid"},
      {"bind_address", document.address}, {"port", std::to_string(document.port)},
      {"log_error", at.log_dir + "/mariadb.log"}, {"secure_file_priv", at.engine_dir},
      {"init_file", at.engine_dir + "/init.sql"}};
  for (const auto& [name, value] : fixed) text += name + "=" + option_value(value) + "\n";
  text += "skip_name_resolve\n";

  // Each statement has a line of its own: that is how init files are read.
  std::string init = "SET SESSION sql_log_bin=0;\n";
  const auto own_account = [&](const std::string& os_user, std::string_view privileges) {
    const std::string who = mariadb::account(os_user, "localhost");
    init += "CREATE OR REPLACE USER " + who + " IDENTIFIED VIA unix_socket;\n";
    init += "GRANT " + std::string(privileges) + " ON *.* TO " + who;
    init += privileges == "ALL PRIVILEGES" ? " WITH GRANT OPTION;\n" : ";\n";
  };
  if (where_.engine_user.name != where_.agent_user.name) {
    own_account(where_.engine_user.name,
                "RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, SLAVE MONITOR, CONNECTION ADMIN");
  }
  own_account(where_.agent_user.name, "ALL PRIVILEGES");
  init += "DELETE FROM mysql.global_priv WHERE User='' AND Host IN ('localhost','127.0.0.1','%','::1');\n";
  init += "FLUSH PRIVILEGES;\n";

  for (const auto& [name, contents] : {std::pair{"/my.cnf", text}, std::pair{"/init.sql", init}}) {
    auto written = write_file_if_changed(at.engine_dir + name, contents, 0600, &where_.engine_user);
    if (!written) return tl::unexpected<Error>(written.error());
  }
  return std::vector<std::string>{program_path, "--defaults-file=" + at.engine_dir + "/my.cnf"};
}

int MariadbDriver::stop_signal() const { return SIGTERM; }

Result<void> MariadbDriver::connect() {
  if (connection_) return {};
  auto opened = mariadb::Connection::open(socket_path(), where_.agent_user.name);
  if (!opened) return tl::unexpected<Error>(opened.error());
  connection_ = std::move(*opened);
  return {};
}

Result<std::vector<mariadb::Row>> MariadbDriver::query(const std::string& statement) {
  if (auto ready = connect(); !ready) return tl::unexpected<Error>(ready.error());
  auto rows = connection_->query(statement);
  if (!rows && rows.error().code == Code::unavailable) connection_.reset();
  return rows;
}

Result<void> MariadbDriver::execute(const std::string& statement) {
  auto rows = query(statement);
  if (!rows) return tl::unexpected<Error>(rows.error());
  return {};
}

Result<std::string> MariadbDriver::running_version() {
  auto rows = query("SELECT VERSION()");
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (rows->empty() || !(*rows)[0][0]) return fail(Code::unavailable, "no version");
  const std::string& text = *(*rows)[0][0];
  return text.substr(0, text.find('-'));
}

std::string MariadbDriver::trouble() {
  // Of the last start, the first line marked as an error: what follows is its consequence.
  const std::string tail = last_words(where_.layout.log_dir + "/mariadb.log", 0, 8000);
  const size_t start = tail.rfind("Starting MariaDB");
  const size_t at = tail.find("[ERROR]", start == std::string::npos ? 0 : start);
  if (at == std::string::npos) return "";
  // Lines became one; the next one begins with its date.
  const size_t end = std::min(tail.find(" 20", at + 8), at + 240);
  return std::string(trimmed(std::string_view(tail).substr(at + 7, end - at - 7)));
}

// ---- parameters -----------------------------------------------------------------------------------------------------

std::string MariadbDriver::canonical_name(const std::string& name) const {
  std::string out = lower(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

std::string MariadbDriver::refuses(const std::string& name, const std::string& value) const {
  if (auto why = unsafe_parameter(name, value); !why.empty()) return why;
  if (reserved().count(name)) return "is set by trove-guest itself";
  if (value.find('"') != std::string::npos) return "the value holds a double quote";
  return "";
}

Result<std::optional<Setting>> MariadbDriver::setting(const std::string& name) {
  auto rows = query(
      "SELECT VARIABLE_NAME, GLOBAL_VALUE, VARIABLE_TYPE, READ_ONLY, COMMAND_LINE_ARGUMENT, VARIABLE_SCOPE "
      "FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = " +
      mariadb::quote_text(name));
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (rows->empty()) return std::optional<Setting>();
  const auto& row = (*rows)[0];
  const Variable variable{row[1].value_or(""), row[3] == "YES", row[4].has_value(), row[5] == "SESSION ONLY"};
  types_[name] = row[2].value_or("");
  // Neither a configuration file nor SET GLOBAL could hold it.
  if (variable.session_only || (variable.read_only && !variable.on_command_line)) return std::optional<Setting>();
  return std::optional<Setting>(Setting{variable.value, !variable.read_only});
}

Result<void> MariadbDriver::set_live(const std::string& name, const std::string& value) {
  auto known = setting(name);
  if (!known) return tl::unexpected<Error>(known.error());
  if (!*known) return fail(Code::invalid, "unknown system variable");
  const std::string type = types_[name];
  std::string literal = mariadb::quote_text(value);
  if (type != "VARCHAR") {
    if (const auto number = size_of(value)) literal = std::to_string(*number);
    else if (type == "DOUBLE" && value.find_first_not_of("0123456789.+-eE") == std::string::npos && !value.empty())
      literal = value;
    else if (const auto word = boolean_of(value); word && type == "BOOLEAN") literal = *word ? "ON" : "OFF";
  }
  return execute("SET GLOBAL " + mariadb::quote_name(name) + " = " + literal);
}

Result<void> MariadbDriver::reset_live(const std::string& name) {
  if (const auto own = own_settings_.find(name); own != own_settings_.end()) return set_live(name, own->second);
  return execute("SET GLOBAL " + mariadb::quote_name(name) + " = DEFAULT");
}

bool MariadbDriver::same(const std::string&, const std::string& a, const std::string& b) { return same_setting(a, b); }

// ---- backups --------------------------------------------------------------------------------------------------------

Result<BackupSource> MariadbDriver::open_backup(const Cancel&) {
  const std::string program_path = find_program({"/usr/bin/mariadb-backup", "/usr/bin/mariabackup"});
  if (program_path.empty()) return fail(Code::not_found, "mariadb-backup is not installed");
  // Its scratch files go beside the sockets: small, and gone with the server.
  auto tool =
      Tool::start({.argv = {program_path, "--defaults-file=" + where_.layout.engine_dir + "/my.cnf", "--backup",
                            "--stream=xbstream", "--socket=" + socket_path(), "--user=" + where_.engine_user.name,
                            "--datadir=" + where_.layout.data_dir, "--target-dir=" + where_.layout.engine_dir},
                   .user = where_.engine_user,
                   .pipe_out = true,
                   .log_file = where_.layout.log_dir + "/backup.log",
                   .directory = where_.layout.engine_dir});
  if (!tool) return tl::unexpected<Error>(tool.error());
  BackupSource source;
  source.fd = (*tool)->take_out();
  source.tool = std::move(*tool);
  source.finish = [tool = source.tool.get()](const Cancel& cancel) { return tool->finish(Millis{60'000}, cancel); };
  return source;
}

Result<void> MariadbDriver::restore(const std::string& dir, const Feed& feed, const Cancel& cancel) {
  const std::string unpack = find_program({"/usr/bin/mbstream"});
  const std::string backup = find_program({"/usr/bin/mariadb-backup", "/usr/bin/mariabackup"});
  if (unpack.empty() || backup.empty()) return fail(Code::not_found, "mariadb-backup is not installed");
  const std::string log = where_.layout.log_dir + "/restore.log";
  auto tool = Tool::start({.argv = {unpack, "-x", "-C", dir},
                           .user = where_.engine_user,
                           .pipe_in = true,
                           .log_file = log,
                           .directory = dir});
  if (!tool) return tl::unexpected<Error>(tool.error());
  const auto fed = feed((*tool)->in());
  (*tool)->close_in();
  if (!fed) {
    (*tool)->end();
    return tl::unexpected<Error>(fed.error());
  }
  if (auto done = (*tool)->finish(kPrepareTime, cancel); !done) return done;
  return run_tool({.argv = {backup, "--no-defaults", "--prepare", "--target-dir=" + dir}, .user = where_.engine_user,
                   .log_file = log, .directory = dir},
                  kPrepareTime, cancel);
}

}  // namespace trove::guest
