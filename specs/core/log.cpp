#include "specs/core/log.hpp"
#include <atomic>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include "specs/core/utf8.hpp"
#include "specs/json.hpp"

namespace trove::log {
namespace {

constexpr size_t kLongestField = 4096;

std::atomic<Level> least_level{Level::info};
std::atomic<Format> chosen_format{Format::text};

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// spdlog calls them "warning" and "error" too. The stderr sink writes a line with one call, so lines never mix.
// Never freed: something may log while statics are being destroyed.
spdlog::logger* make(const char* name, const char* pattern) {
  auto* logger = new spdlog::logger(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::trace);
  return logger;
}

// Made at the first line, so that a program that has nothing to say pays nothing.
spdlog::logger& text_logger() {
  static spdlog::logger* logger = make("text", "%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  return *logger;
}
spdlog::logger& json_logger() {
  static spdlog::logger* logger = make("json", R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)");
  return *logger;
}

void append_text(std::string& line, std::string_view value) {
  std::string escaped = visible(value, kLongestField, true);
  const bool quote = value.empty() || escaped.size() != value.size() || value.find_first_of(" =") != value.npos;
  if (quote) line += '"';
  line += escaped;
  if (quote) line += '"';
}

std::string cut(std::string_view value) {
  if (value.size() <= kLongestField) return std::string(value);
  value = value.substr(0, kLongestField);
  while (!value.empty() && (value.back() & 0x80)) value.remove_suffix(1);   // not in the middle of a character
  return std::string(value) + "…";
}

}  // namespace

void configure(Level least, Format format) {
  least_level = least;
  chosen_format = format;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  if (chosen_format.load(std::memory_order_relaxed) == Format::json) {
    Value line = Value::map();
    line.set("message", message);
    for (const auto& field : fields) line.set(field.name, cut(field.value));
    const std::string text = dump_json(line);
    // The pattern has opened the object.
    json_logger().log(spdlog_level(level), spdlog::string_view_t(text.data() + 1, text.size() - 1));
    return;
  }
  std::string line = visible(message, kLongestField);
  for (const auto& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    append_text(line, field.value);
  }
  text_logger().log(spdlog_level(level), spdlog::string_view_t(line));
}

}  // namespace trove::log
