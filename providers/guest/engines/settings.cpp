#include "providers/guest/engines/settings.hpp"
#include <algorithm>
#include <charconv>
#include <cctype>
#include <cstdlib>
#include <vector>

namespace trove::guest {

namespace {

constexpr size_t kMostName = 128, kMostValue = 4096;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (char c : text) {
    if (c == ',') words.emplace_back();
    else if (c != ' ') words.back() += c;
  }
  std::sort(words.begin(), words.end());
  return words;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::optional<int64_t> size_of(std::string_view text) {
  text = trimmed(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  std::string suffix = lower(trimmed(text.substr(static_cast<size_t>(end - text.data()))));
  if (suffix.size() == 2 && suffix[1] == 'b') suffix.pop_back();
  static constexpr std::string_view kSuffixes = "kmgt";
  int shift = 0;
  if (!suffix.empty()) {
    const size_t at = suffix.size() == 1 ? kSuffixes.find(suffix[0]) : std::string_view::npos;
    if (at == std::string_view::npos) return std::nullopt;
    shift = 10 * (static_cast<int>(at) + 1);
  }
  int64_t scaled = 0;
  if (__builtin_mul_overflow(value, int64_t{1} << shift, &scaled)) return std::nullopt;
  return scaled;
}

std::optional<bool> boolean_of(std::string_view text) {
  const std::string word = lower(trimmed(text));
  if (word == "1" || word == "on" || word == "true" || word == "yes") return true;
  if (word == "0" || word == "off" || word == "false" || word == "no") return false;
  return std::nullopt;
}

bool same_setting(std::string_view a, std::string_view b) {
  a = trimmed(a);
  b = trimmed(b);
  if (lower(a) == lower(b)) return true;
  const auto size_a = size_of(a), size_b = size_of(b);
  if (size_a && size_b) return *size_a == *size_b;
  const auto bool_a = boolean_of(a), bool_b = boolean_of(b);
  if (bool_a && bool_b) return *bool_a == *bool_b;
  const auto number_a = number_of(a), number_b = number_of(b);
  if (number_a && number_b) return *number_a == *number_b;
  return words_of(lower(a)) == words_of(lower(b));
}

std::string unsafe_parameter(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > kMostName) return "not a parameter name";
  for (char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') return "not a parameter name";
  }
  if (value.size() > kMostValue) return "the value is too long";
  for (char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "the value holds a control character";
  }
  return "";
}

}  // namespace trove::guest
