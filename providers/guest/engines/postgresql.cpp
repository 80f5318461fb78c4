// PostgreSQL as a process: where its programs are, its configuration, its life, its backups.
#include "providers/guest/engines/postgresql.hpp"
#include <signal.h>
#include <algorithm>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

constexpr Millis kInitTime{300'000};
constexpr Millis kUnpackTime{6 * 3'600'000};
constexpr const char* kPrograms = "/usr/lib/postgresql";

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

bool is_cidr(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string_view::npos;
}

}  // namespace

std::string PostgresqlDriver::newest_bin() const {
  int best = 0;
  for (const auto& name : names_in(kPrograms)) {
    const int major = atoi(name.c_str());
    if (major > best && exists(std::string(kPrograms) + "/" + name + "/bin/postgres")) best = major;
  }
  return best > 0 ? std::to_string(best) : "";
}

std::string PostgresqlDriver::data_version() { return newest_bin(); }

std::string PostgresqlDriver::bin(const std::string& name) const {
  return std::string(kPrograms) + "/" + newest_bin() + "/bin/" + name;
}

Result<void> PostgresqlDriver::initialise(const std::string& dir, const Document&, const Cancel& cancel) {
  // The caller makes everything durable at once, hence --no-sync.
  return run_tool(
      {.argv = {bin("initdb"), "-D", dir, "-U", "postgres", "--auth-local=peer", "--auth-host=scram-sha-256",
                "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-sync", "--no-instructions"},
       .user = where_.engine_user,
       .log_file = where_.layout.log_dir + "/install.log",
       .directory = dir},
      kInitTime, cancel);
}

std::string PostgresqlDriver::access_rules(const Document& document) const {
  std::string text = "# Written by trove-guest; edits are lost. Locally: the administrator, and nobody else.\n"
                     "local all postgres peer map=trove\n"
                     "local replication postgres peer map=trove\n"
                     "local all all reject\n"
                     "host all postgres 0.0.0.0/0 reject\n"
                     "host all postgres ::/0 reject\n";
  for (const auto& cidr : document.allowed_cidrs) {
    if (!is_cidr(cidr)) continue;
    const bool bare = cidr.find('/') == std::string::npos;
    text += "host all all " + cidr +
            (!bare                                 ? ""
             : cidr.find(':') == std::string::npos ? "/32"
                                                   : "/128") +
            " scram-sha-256\n";
  }
  return text;
}

Result<std::vector<std::string>> PostgresqlDriver::configure(const Document& document, const Parameters& parameters) {
  if (newest_bin().empty()) return fail(Code::not_found, "PostgreSQL is not installed");
  const Layout& at = where_.layout;
  const int64_t memory = std::max<int64_t>(document.memory_mib, 64);
  Parameters settings = {{"shared_buffers", std::to_string(std::max<int64_t>(memory / 4, 16)) + "MB"},
                         {"max_wal_size", document.volume_gib > 0 && document.volume_gib < 4 ? "256MB" : "1GB"},
                         {"timezone", "UTC"},
                         {"log_timezone", "UTC"}};
  for (const auto& [name, value] : parameters) settings[name] = value;
  std::string text = "# Written by trove-guest at every start and change; edits are lost.\n";
  for (const auto& [name, value] : settings) text += name + " = " + quoted(value) + "\n";
  const Parameters fixed = {{"data_directory", at.data_dir}, {"hba_file", at.engine_dir + "/pg_hba.conf"},
                            {"ident_file", at.engine_dir + "/pg_ident.conf"},
                            {"external_pid_file", at.engine_dir + "/postgres.pid"},
                            {"listen_addresses", document.address}, {"port", std::to_string(document.port)},
                            {"unix_socket_directories", at.socket_dir}, {"unix_socket_permissions", "0700"},
                            {"wal_level", "replica"}, {"max_wal_senders", "4"}, {"logging_collector", "off"},
                            {"log_destination", "stderr"}, {"password_encryption", "scram-sha-256"}};
  for (const auto& [name, value] : fixed) text += name + " = " + quoted(value) + "\n";
  std::string ident = "trove " + postgresql::quote_name(where_.agent_user.name) + " postgres\n";
  if (where_.engine_user.name != where_.agent_user.name) {
    ident += "trove " + postgresql::quote_name(where_.engine_user.name) + " postgres\n";
  }
  for (const auto& [name, contents] : {std::pair<std::string, std::string>{"/postgresql.conf", text},
                                       {"/pg_hba.conf", access_rules(document)},
                                       {"/pg_ident.conf", ident}}) {
    auto written = write_file_if_changed(at.engine_dir + name, contents, 0600, &where_.engine_user);
    if (!written) return tl::unexpected<Error>(written.error());
  }
  document_ = document;
  parameters_ = parameters;
  return std::vector<std::string>{bin("postgres"), "-D", at.data_dir, "-c",
                                  "config_file=" + at.engine_dir + "/postgresql.conf"};
}

int PostgresqlDriver::stop_signal() const { return SIGINT; }    // "fast": sessions end, data are flushed

Result<void> PostgresqlDriver::connect() {
  if (connection_) return {};
  auto opened = postgresql::Connection::open(where_.layout.socket_dir, document_.port, "postgres");
  if (!opened) return tl::unexpected<Error>(opened.error());
  connection_ = std::move(*opened);
  return {};
}

Result<std::vector<postgresql::Row>> PostgresqlDriver::query(const std::string& statement) {
  if (auto ready = connect(); !ready) return tl::unexpected<Error>(ready.error());
  auto rows = connection_->query(statement);
  if (!rows && rows.error().code == Code::unavailable) connection_.reset();
  return rows;
}

Result<void> PostgresqlDriver::execute(const std::string& statement) {
  auto rows = query(statement);
  if (!rows) return tl::unexpected<Error>(rows.error());
  return {};
}

Result<std::string> PostgresqlDriver::running_version() {
  auto rows = query("SHOW server_version");
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (rows->empty() || !(*rows)[0][0]) return fail(Code::unavailable, "no version");
  const std::string& text = *(*rows)[0][0];
  return text.substr(0, text.find(' '));
}

std::string PostgresqlDriver::trouble() {
  const std::string tail = last_words(where_.layout.log_dir + "/engine.out", 0, 4000);
  const size_t at = tail.rfind("FATAL:");
  return at == std::string::npos ? "" : std::string(trimmed(std::string_view(tail).substr(at + 6, 240)));
}

// ---- backups --------------------------------------------------------------------------------------------------------

Result<BackupSource> PostgresqlDriver::open_backup(const Cancel&) {
  auto tool = Tool::start(
      {.argv = {bin("pg_basebackup"), "-h", where_.layout.socket_dir, "-p", std::to_string(document_.port), "-U",
                "postgres", "--no-password", "-D", "-", "-Ft", "-X", "fetch", "--checkpoint=fast", "--no-manifest"},
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

Result<void> PostgresqlDriver::restore(const std::string& dir, const Feed& feed, const Cancel& cancel) {
  const std::string tar = find_program({"/usr/bin/tar", "/bin/tar"});
  if (tar.empty()) return fail(Code::not_found, "tar is not installed");
  auto tool = Tool::start({.argv = {tar, "--extract", "--file=-", "--no-same-owner", "--directory=" + dir},
                           .user = where_.engine_user,
                           .pipe_in = true,
                           .log_file = where_.layout.log_dir + "/restore.log",
                           .directory = dir});
  if (!tool) return tl::unexpected<Error>(tool.error());
  const auto fed = feed((*tool)->in());
  (*tool)->close_in();
  if (!fed) {
    (*tool)->end();
    return tl::unexpected<Error>(fed.error());
  }
  if (auto done = (*tool)->finish(kUnpackTime, cancel); !done) return done;
  // A server that was running while it was copied: without this file its data would not be consistent.
  if (!exists(dir + "/PG_VERSION")) return fail(Code::corrupt, "the backup holds no PostgreSQL data");
  return {};
}

}  // namespace trove::guest
