// PostgreSQL's parameters: live means written to the generated configuration and reloaded.
#include <charconv>
#include <set>
#include "providers/guest/engines/postgresql.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

constexpr int kReloadLooks = 100;
constexpr Millis kReloadLook{10};

// Settings that decide where data is, who gets in, what is run, and what backups need.
const std::set<std::string>& reserved() {
  static const std::set<std::string> names = {
      "data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "listen_addresses", "port",
      "unix_socket_directories", "unix_socket_group", "unix_socket_permissions", "archive_command",
      "archive_library", "archive_mode", "restore_command", "archive_cleanup_command", "recovery_end_command",
      "ssl_passphrase_command", "ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_crl_file", "ssl_crl_dir",
      "ssl_dh_params_file", "dynamic_library_path", "session_preload_libraries", "local_preload_libraries",
      "jit_provider", "log_destination", "log_directory", "log_filename", "logging_collector", "wal_level",
      "max_wal_senders", "password_encryption", "krb_server_keyfile", "primary_conninfo", "include", "include_dir",
      "include_if_exists", "allow_system_table_mods"};
  return names;
}

struct Unit {
  bool memory = false;
  double factor = 0;          // to bytes, or to milliseconds
};

// "kB" "8kB" "MB" "ms" "s" "min"; a factor of 0 is no unit.
Unit unit_of(std::string_view text) {
  static const std::map<std::string_view, Unit> kUnits = {
      {"B", {true, 1}},     {"kB", {true, 1024.0}}, {"MB", {true, 1048576.0}}, {"GB", {true, 1073741824.0}},
      {"TB", {true, 1099511627776.0}}, {"us", {false, 0.001}}, {"ms", {false, 1}}, {"s", {false, 1000}},
      {"min", {false, 60'000}}, {"h", {false, 3'600'000}}, {"d", {false, 86'400'000}}};
  double times = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), times);
  if (error == std::errc()) text.remove_prefix(static_cast<size_t>(end - text.data()));
  else times = 1;
  const auto found = kUnits.find(text);
  if (found == kUnits.end()) return {};
  return {found->second.memory, found->second.factor * times};
}

// In the variable's own unit; nullopt when the text is no number, or of another kind of unit.
std::optional<double> number_in(std::string_view text, std::string_view unit) {
  text = trimmed(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  const std::string_view suffix = trimmed(text.substr(static_cast<size_t>(end - text.data())));
  if (suffix.empty()) return value;
  const Unit own = unit_of(unit), given = unit_of(suffix);
  if (own.factor == 0 || given.factor == 0 || own.memory != given.memory) return std::nullopt;
  return value * given.factor / own.factor;
}

// "16384" of 8 kB becomes "128MB".
std::string readable(const std::string& value, const std::string& unit) {
  const Unit own = unit_of(unit);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (own.factor == 0 || error != std::errc() || end != value.data() + value.size() || number <= 0) return value;
  const auto total = static_cast<int64_t>(static_cast<double>(number) * own.factor);
  if (total <= 0) return value + unit;
  using Names = std::vector<std::pair<std::string_view, int64_t>>;
  static const Names kMemory = {{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}};
  static const Names kTime = {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}};
  for (const auto& [name, size] : own.memory ? kMemory : kTime) {
    if (total % size == 0) return std::to_string(total / size) + std::string(name);
  }
  return value + unit;
}

}  // namespace

std::string PostgresqlDriver::canonical_name(const std::string& name) const { return lower(name); }

std::string PostgresqlDriver::refuses(const std::string& name, const std::string& value) const {
  if (auto why = unsafe_parameter(name, value); !why.empty()) return why;
  if (reserved().count(name)) return "is set by trove-guest itself";
  if (name.find('-') != std::string::npos) return "not a parameter name";
  return "";
}

Result<PostgresqlDriver::Variable> PostgresqlDriver::variable(const std::string& name) {
  // reset_val is what new sessions get; setting would show what this session set for itself.
  auto rows = query(
      "SELECT reset_val, unit, context, vartype, min_val, max_val, array_to_string(enumvals, ','), sourcefile "
      "FROM pg_settings WHERE lower(name) = " +
      postgresql::quote_text(name));
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (rows->empty()) return fail(Code::not_found, "unknown");
  const auto& r = (*rows)[0];
  return Variable{r[0].value_or(""), r[1].value_or(""), r[2].value_or(""), r[3].value_or(""),
                  r[4].value_or(""), r[5].value_or(""), r[6].value_or(""), r[7].value_or("")};
}

Result<std::optional<Setting>> PostgresqlDriver::setting(const std::string& name) {
  auto v = variable(name);
  if (!v && v.error().code == Code::not_found) return std::optional<Setting>();
  if (!v) return tl::unexpected<Error>(v.error());
  if (v->context == "internal") return std::optional<Setting>();
  return std::optional<Setting>(Setting{readable(v->value, v->unit), v->context != "postmaster"});
}

bool PostgresqlDriver::same(const std::string& name, const std::string& a, const std::string& b) {
  auto v = variable(name);
  if (!v) return same_setting(a, b);
  if (v->type == "bool") {
    const auto left = boolean_of(a), right = boolean_of(b);
    return left && right && *left == *right;
  }
  if (v->type == "integer" || v->type == "real") {
    const auto left = number_in(a, v->unit), right = number_in(b, v->unit);
    // PostgreSQL rounds to its own unit.
    return left && right && std::abs(*left - *right) < (v->type == "integer" ? 0.5 : 1e-9);
  }
  return v->type == "enum" ? lower(a) == lower(b) : a == b || same_setting(a, b);
}

std::string PostgresqlDriver::objection(const std::string& name, const std::string& value) {
  auto v = variable(name);
  if (!v) return "";
  if (v->type == "bool" && !boolean_of(value)) return "\"" + value + "\" is neither on nor off";
  if (v->type == "enum") {
    for (size_t from = 0; from <= v->words.size();) {
      const size_t comma = std::min(v->words.find(',', from), v->words.size());
      if (lower(v->words.substr(from, comma - from)) == lower(value)) return "";
      from = comma + 1;
    }
    return boolean_of(value) ? "" : "\"" + value + "\" is none of " + v->words;
  }
  if (v->type == "integer" || v->type == "real") {
    const auto number = number_in(value, v->unit);
    if (!number) return "\"" + value + "\" is no number" + (v->unit.empty() ? "" : " of " + v->unit);
    if (*number < atof(v->least.c_str()) || *number > atof(v->most.c_str())) {
      return value + " is outside of " + v->least + " to " + v->most + (v->unit.empty() ? "" : " " + v->unit);
    }
  }
  return "";
}

Result<void> PostgresqlDriver::reload_configuration() { return execute("SELECT pg_reload_conf()"); }

Result<void> PostgresqlDriver::set_live(const std::string& name, const std::string& value) {
  if (auto why = objection(name, value); !why.empty()) return fail(Code::invalid, why);
  const Parameters before = parameters_;
  Parameters after = before;
  after[name] = value;
  auto put = [&](const Parameters& parameters) -> Result<void> {
    auto written = configure(Document(document_), parameters);
    if (!written) return tl::unexpected<Error>(written.error());
    return {};
  };
  if (auto done = put(after); !done) return done;
  auto refused = query("SELECT 1 FROM pg_file_settings WHERE lower(name) = " + postgresql::quote_text(name) +
                       " AND error IS NOT NULL");
  if (!refused || !refused->empty()) {
    if (auto back = put(before); !back) return back;
    if (!refused) return tl::unexpected<Error>(refused.error());
    return fail(Code::invalid, "PostgreSQL refuses the value");
  }
  // ALTER SYSTEM wins over every file of ours.
  auto now = variable(name);
  if (!now) return tl::unexpected<Error>(now.error());
  if (now->file.find("postgresql.auto.conf") != std::string::npos) {
    if (auto reset = execute("ALTER SYSTEM RESET " + postgresql::quote_name(name)); !reset) return reset;
  }
  if (auto done = reload_configuration(); !done) return done;
  Cancel never;
  for (int i = 0; i < kReloadLooks; ++i) {
    now = variable(name);
    if (!now) return tl::unexpected<Error>(now.error());
    if (same(name, now->value, value)) return {};
    pause_for(kReloadLook, never);
  }
  return {};
}

Result<void> PostgresqlDriver::reset_live(const std::string& name) {
  auto now = variable(name);
  if (!now) return tl::unexpected<Error>(now.error());
  if (now->file.find("postgresql.auto.conf") != std::string::npos) {
    if (auto reset = execute("ALTER SYSTEM RESET " + postgresql::quote_name(name)); !reset) return reset;
  }
  Parameters after = parameters_;
  after.erase(name);
  auto written = configure(Document(document_), after);
  if (!written) return tl::unexpected<Error>(written.error());
  return reload_configuration();
}

}  // namespace trove::guest
