// A MariaDB client for tests, and the document's items in short.
#pragma once
#include <mysql.h>
#include <string>
#include "tests/guest/bed.hpp"

namespace trove::guest {

// A client as an application is one: over TCP, with a password.
class MariadbClient {
 public:
  MariadbClient(const Document& at, const std::string& user, const std::string& password,
                const std::string& database = "") {
    mysql_ = mysql_init(nullptr);
    unsigned protocol = MYSQL_PROTOCOL_TCP;
    mysql_options(mysql_, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(mysql_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    connected_ =
        mysql_real_connect(mysql_, at.address.c_str(), user.c_str(), password.c_str(),
                           database.empty() ? nullptr : database.c_str(), static_cast<unsigned>(at.port), nullptr, 0);
  }
  ~MariadbClient() { mysql_close(mysql_); }
  explicit operator bool() const { return connected_; }
  bool run(const std::string& sql) {
    if (mysql_real_query(mysql_, sql.data(), sql.size()) != 0) return false;
    if (MYSQL_RES* result = mysql_store_result(mysql_)) mysql_free_result(result);
    return true;
  }
  std::string one(const std::string& sql) {
    if (mysql_real_query(mysql_, sql.data(), sql.size()) != 0) return std::string("error: ") + mysql_error(mysql_);
    MYSQL_RES* result = mysql_store_result(mysql_);
    if (!result) return "";
    MYSQL_ROW row = mysql_fetch_row(result);
    std::string text = row && row[0] ? row[0] : "";
    mysql_free_result(result);
    return text;
  }
  std::string error() const { return mysql_error(mysql_); }

 private:
  MYSQL* mysql_;
  bool connected_ = false;
};

inline User mariadb_user(const std::string& name, const std::string& password, std::vector<Grant> grants,
                         bool superuser = false) {
  User u;
  u.name = name;
  u.host = "%";
  u.verifier = mariadb_verifier(password);
  u.grants = std::move(grants);
  u.superuser = superuser;
  return u;
}
inline Database mariadb_database(const std::string& name) {
  Database d;
  d.name = name;
  d.character_set = "utf8mb4";
  d.collate = "utf8mb4_general_ci";
  return d;
}

}  // namespace trove::guest
