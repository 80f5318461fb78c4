// Values of engine parameters: checked against the catalogue and written as the engine reads them.
#include <charconv>
#include <cmath>
#include <optional>
#include "specs/kinds/parameters.hpp"
#include "specs/problem.hpp"

namespace trove {
namespace {

constexpr size_t kMostText = 4096, kMostName = 128;
constexpr int64_t kMostShare = 100;
constexpr std::string_view kShareSuffix = "%ram";

struct Suffix {
  std::string_view text;
  int64_t factor;
};
constexpr int64_t kKib = 1024, kMib = kKib * 1024, kGib = kMib * 1024, kTib = kGib * 1024;
constexpr Suffix kMariadbSizes[] = {{"k", kKib}, {"m", kMib}, {"g", kGib}, {"t", kTib}, {"p", kTib * 1024}};
constexpr Suffix kPostgresqlSizes[] = {{"B", 1}, {"kB", kKib}, {"MB", kMib}, {"GB", kGib}, {"TB", kTib}};
constexpr Suffix kRedisSizes[] = {{"b", 1},     {"k", 1000},          {"kb", kKib}, {"m", 1'000'000},
                                  {"mb", kMib}, {"g", 1'000'000'000}, {"gb", kGib}};
constexpr Suffix kMemcachedSizes[] = {{"k", kKib}, {"m", kMib}};
// PostgreSQL's times, in microseconds.
constexpr Suffix kTimes[] = {{"us", 1},           {"ms", 1000},         {"s", 1'000'000},
                             {"min", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}};

std::span<const Suffix> sizes_of(Engine engine) {
  switch (engine) {
    case Engine::mariadb: return kMariadbSizes;
    case Engine::postgresql: return kPostgresqlSizes;
    case Engine::redis: return kRedisSizes;
    case Engine::memcached: break;
  }
  return kMemcachedSizes;
}

bool same_letters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto letter = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (letter(a[i]) != letter(b[i])) return false;
  }
  return true;
}

std::optional<int64_t> times(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// "128M" with the suffixes that are given; a bare number is not one.
std::optional<int64_t> with_suffix(std::string_view text, std::span<const Suffix> suffixes, bool letters_count) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
  while (letters_count && rest.starts_with(' ')) rest.remove_prefix(1);   // PostgreSQL allows a space
  for (const Suffix& suffix : suffixes) {
    if (letters_count ? rest == suffix.text : same_letters(rest, suffix.text)) return times(number, suffix.factor);
  }
  return std::nullopt;
}

// N of "N%ram"; 0 when the text has another shape; -1 when N is no share.
int64_t share_of(std::string_view text) {
  if (!text.ends_with(kShareSuffix)) return 0;
  text.remove_suffix(kShareSuffix.size());
  int64_t share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc{} || end != text.data() + text.size() || share < 1 || share > kMostShare) return -1;
  return share;
}

std::string quoted(const Value& value) { return "\"" + printable(value.as_written(), 60) + "\""; }

std::string size_text(int64_t bytes) {
  for (const Suffix& unit : {Suffix{" TiB", kTib}, {" GiB", kGib}, {" MiB", kMib}, {" KiB", kKib}}) {
    if (bytes >= unit.factor && bytes % unit.factor == 0)
      return std::to_string(bytes / unit.factor) + std::string(unit.text);
  }
  return std::to_string(bytes) + " bytes";
}

std::string range_text(const Parameter& p, bool sizes) {
  const auto show = [&](int64_t bound) {
    return sizes ? size_text(bound)
                 : std::to_string(bound) + (p.unit_name.empty() ? "" : " " + std::string(p.unit_name));
  };
  // A size's -1 (off, automatic) is a word of its own, not a bound that people think of.
  const bool low = p.min != INT64_MIN && !(sizes && p.min < 0);
  if (low && p.max != INT64_MAX) return show(p.min) + " to " + show(p.max);
  return p.max != INT64_MAX ? "at most " + show(p.max) : "at least " + show(p.min);
}

tl::unexpected<Error> out_of_range(const Parameter& p, const Value& value, bool sizes) {
  return fail(Code::invalid, printable(value.as_written(), 60) + " is out of range: " + range_text(p, sizes));
}

std::string_view boolean_word(Engine engine, bool on) {
  switch (engine) {
    case Engine::mariadb: return on ? "ON" : "OFF";
    case Engine::postgresql: return on ? "on" : "off";
    default: return on ? "yes" : "no";
  }
}

Result<std::string> render_boolean(Engine engine, const Value& value) {
  if (value.is_bool()) return std::string(boolean_word(engine, value.bool_or(false)));
  const std::string text = value.as_written();
  for (std::string_view word : {"on", "yes", "true", "1"}) {
    if (same_letters(text, word)) return std::string(boolean_word(engine, true));
  }
  for (std::string_view word : {"off", "no", "false", "0"}) {
    if (same_letters(text, word)) return std::string(boolean_word(engine, false));
  }
  return fail(Code::invalid, quoted(value) + " is not a boolean: write true or false");
}

Result<std::string> render_enumeration(const Parameter& p, const Value& value) {
  std::vector<std::string_view> spellings{value.is_string() ? std::string_view(value.text()) : std::string_view{}};
  if (value.is_bool()) {
    if (value.bool_or(false)) spellings = {"on", "yes", "true"};
    else spellings = {"off", "no", "false"};
  }
  std::string list;
  for (std::string_view known : p.values) {
    for (std::string_view spelling : spellings) {
      if (same_letters(known, spelling)) return std::string(known);
    }
    list += (list.empty() ? "" : ", ") + std::string(known);
  }
  const std::string near = value.is_string() ? nearest(value.text().substr(0, 64), p.values) : std::string();
  return fail(Code::invalid,
              quoted(value) + " is not one of " + list + (near.empty() ? "" : ". Did you mean \"" + near + "\"?"));
}

Result<std::string> render_integer(Engine engine, const Parameter& p, const Value& value) {
  if (value.is_int()) {
    const int64_t number = value.int_or(0);
    if (number < p.min || number > p.max) return out_of_range(p, value, false);
    return std::to_string(number);
  }
  if (engine == Engine::postgresql && value.is_string()) {
    for (const Suffix& unit : kTimes) {
      if (unit.text != p.unit_name) continue;
      const auto time = with_suffix(value.text(), kTimes, true);
      if (!time) break;
      if (*time / unit.factor < p.min || *time / unit.factor > p.max) return out_of_range(p, value, false);
      return value.text();
    }
  }
  int64_t number = 0;
  const std::string& text = value.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool only_quoted = !text.empty() && error == std::errc{} && end == text.data() + text.size();
  return fail(Code::invalid, quoted(value) + (only_quoted ? " is a string: remove the quotes" : " is not an integer"));
}

Result<std::string> render_number(const Parameter& p, const Value& value) {
  if (!value.is_number()) return fail(Code::invalid, quoted(value) + " is not a number");
  const double number = value.number_or(0);
  const bool low = p.above_min ? number <= static_cast<double>(p.min) : number < static_cast<double>(p.min);
  if (low || !(number <= static_cast<double>(p.max))) return out_of_range(p, value, false);
  const std::string text = value.as_written();
  if (text.find_first_of("eE") == std::string::npos) return text;
  char buffer[400];   // no engine reads exponents everywhere
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed);
  if (error != std::errc{}) return fail(Code::invalid, quoted(value) + " is not a number");
  return std::string(buffer, end);
}

Result<std::string> render_share(Engine engine, const Parameter& p, const Value& value, int64_t share,
                                 int64_t memory_mib) {
  if (memory_mib <= 0) return value.text();
  const auto memory = times(memory_mib, kMib);
  auto scaled = memory ? times(*memory, share) : std::nullopt;
  if (scaled) *scaled /= 100;
  if (!scaled || *scaled > p.max || *scaled < p.min)
    return fail(Code::invalid,
                value.text() + " of " + std::to_string(memory_mib) + " MiB is out of range: " + range_text(p, true));
  switch (engine) {
    case Engine::postgresql: return std::to_string(*scaled / kKib) + "kB";   // a bare number would count blocks
    case Engine::memcached: return std::to_string(*scaled / p.unit);
    default: return std::to_string(*scaled);
  }
}

Result<std::string> render_size(Engine engine, const Parameter& p, const Value& value, int64_t memory_mib) {
  if (value.is_int()) {
    const auto bytes = times(value.int_or(0), p.unit);
    if (!bytes || *bytes < p.min || *bytes > p.max) return out_of_range(p, value, true);
    return std::to_string(value.int_or(0));
  }
  if (value.is_string()) {
    if (const int64_t share = share_of(value.text()); share > 0)
      return render_share(engine, p, value, share, memory_mib);
    const auto bytes = with_suffix(value.text(), sizes_of(engine), engine == Engine::postgresql);
    if (bytes && (*bytes < p.min || *bytes > p.max)) return out_of_range(p, value, true);
    // memory-limit is handed over in megabytes, without a suffix.
    if (bytes && engine == Engine::memcached && p.unit > 1) return std::to_string(*bytes / p.unit);
    if (bytes) return value.text();
  }
  std::string forms;
  for (const Suffix& suffix : sizes_of(engine)) forms += (forms.empty() ? "" : " ") + std::string(suffix.text);
  return fail(Code::invalid, quoted(value) + " is not a size: write a number, a number with one of " + forms +
                                 ", or N%ram with N from 1 to 100");
}

// A name that the catalogue does not have: the value's text, and the engine judges.
Result<std::string> render_unknown(Engine engine, const Value& value) {
  if (value.is_bool()) return std::string(boolean_word(engine, value.bool_or(false)));
  if (value.is_string() && share_of(value.text()) != 0)
    return fail(Code::invalid, quoted(value) + ": N%ram works for well-known sizes only; write the number of bytes");
  return value.as_written();
}

}  // namespace

Result<std::string> render_parameter(Engine engine, std::string_view name, const Value& value, int64_t memory_mib) {
  // Memcached's dashes are not part of a name: "--" has none.
  if (name.size() > kMostName || canonical_parameter(engine, name).empty())
    return fail(Code::invalid, "a parameter's name has 1 to 128 characters");
  if (const std::string reason = is_owned_parameter(engine, name); !reason.empty())
    return fail(Code::invalid, "belongs to trove and cannot be set: " + reason);
  if (value.is_null() || value.is_list() || value.is_map())
    return fail(Code::invalid, "must be a number, a boolean or a string, not a " +
                                   std::string(value.is_null() ? "missing value" : value.type_name()));
  const std::string& text = value.text();
  if (text.size() > kMostText) return fail(Code::invalid, "the value is longer than 4096 bytes");
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) return fail(Code::invalid, "the value holds a line break or another control character");
  }
  // Its option files have no way to write one inside quotes.
  if (engine == Engine::mariadb && text.find('"') != std::string::npos)
    return fail(Code::invalid, "the value holds a double quote");
  const Parameter* p = find_parameter(engine, name);
  if (!p) return render_unknown(engine, value);
  switch (p->type) {
    case ParameterType::integer: return render_integer(engine, *p, value);
    case ParameterType::number: return render_number(*p, value);
    case ParameterType::size: return render_size(engine, *p, value, memory_mib);
    case ParameterType::boolean: return render_boolean(engine, value);
    case ParameterType::enumeration: return render_enumeration(*p, value);
    case ParameterType::string: break;
  }
  if (value.is_bool()) return std::string(boolean_word(engine, value.bool_or(false)));
  return value.as_written();
}

}  // namespace trove
