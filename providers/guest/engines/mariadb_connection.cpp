#include <mysql.h>
#include "providers/guest/engines/mariadb_sql.hpp"

namespace trove::guest::mariadb {

namespace {
constexpr unsigned kConnectSeconds = 5;
constexpr unsigned kAnswerSeconds = 60;        // of one statement; DROP DATABASE of something large takes a while
constexpr size_t kMostRows = 200'000;
}  // namespace

struct Connection::Handle {
  MYSQL* mysql = nullptr;
  ~Handle() {
    if (mysql) mysql_close(mysql);
  }
};

Connection::Connection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const std::string& socket, const std::string& user) {
  auto handle = std::make_unique<Handle>();
  handle->mysql = mysql_init(nullptr);
  if (!handle->mysql) return fail(Code::unavailable, "no memory for a connection");
  unsigned connect_seconds = kConnectSeconds, answer_seconds = kAnswerSeconds;
  unsigned protocol = MYSQL_PROTOCOL_SOCKET;
  mysql_options(handle->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
  mysql_options(handle->mysql, MYSQL_OPT_READ_TIMEOUT, &answer_seconds);
  mysql_options(handle->mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_seconds);
  mysql_options(handle->mysql, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(handle->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (!mysql_real_connect(handle->mysql, nullptr, user.c_str(), nullptr, nullptr, 0, socket.c_str(), 0)) {
    const Code code = mysql_errno(handle->mysql) == 1045 || mysql_errno(handle->mysql) == 1698 ? Code::denied
                                                                                               : Code::unavailable;
    return fail(code, std::string("cannot connect: ") + mysql_error(handle->mysql));
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(handle)));
  // The modes that the quoting functions were written for, whatever the server's parameters say; and the agent's own
  // work neither waits forever for a lock nor lands in a log that holds statements.
  auto ready = connection->execute(
      "SET SESSION sql_mode='NO_BACKSLASH_ESCAPES', sql_quote_show_create=1, lock_wait_timeout=20, "
      "group_concat_max_len=1048576, slow_query_log=0, log_disabled_statements='', time_zone='+00:00'");
  if (!ready) ready = connection->execute("SET SESSION sql_mode='NO_BACKSLASH_ESCAPES', lock_wait_timeout=20");
  if (!ready) return tl::unexpected<Error>(ready.error());
  return connection;
}

Result<std::vector<Row>> Connection::query(const std::string& statement) {
  MYSQL* mysql = handle_->mysql;
  last_error_ = 0;
  const auto failure = [&] {
    last_error_ = mysql_errno(mysql);
    // 2000 and up are the client's own: the connection broke. 1053 is a server on its way down.
    const bool broken = last_error_ >= 2000 || last_error_ == 1053;
    return fail(broken ? Code::unavailable : Code::invalid, mysql_error(mysql));
  };
  if (mysql_real_query(mysql, statement.data(), statement.size()) != 0) return failure();
  MYSQL_RES* result = mysql_store_result(mysql);
  if (!result) {
    if (mysql_field_count(mysql) != 0) return failure();
    return std::vector<Row>{};
  }
  std::vector<Row> rows;
  const unsigned columns = mysql_num_fields(result);
  while (MYSQL_ROW raw = mysql_fetch_row(result)) {
    if (rows.size() >= kMostRows) break;
    const unsigned long* lengths = mysql_fetch_lengths(result);
    Row row(columns);
    for (unsigned i = 0; i < columns; ++i) {
      if (raw[i]) row[i] = std::string(raw[i], lengths[i]);
    }
    rows.push_back(std::move(row));
  }
  mysql_free_result(result);
  if (rows.size() >= kMostRows) return fail(Code::too_large, "an answer has too many rows");
  return rows;
}

Result<void> Connection::execute(const std::string& statement) {
  auto rows = query(statement);
  if (!rows) return tl::unexpected<Error>(rows.error());
  return {};
}

}  // namespace trove::guest::mariadb
