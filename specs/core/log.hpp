// A constant message plus fields, one line per decision. Fields are escaped; a Secret cannot be passed. Thread-safe.
// spdlog hides in log.cpp. Lines go to stderr as key=value, or JSON with LogFormat::json.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace trove::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

struct Field {
  std::string_view name;
  std::string value;
  Field(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(v) {}
  template <class Int>
    requires std::is_integral_v<Int>
  Field(std::string_view n, Int v) : name(n), value(std::to_string(v)) {}
};
void configure(Level least, Format format);    // once, from main; default: info, text
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::debug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::warning, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }

}  // namespace trove::log
