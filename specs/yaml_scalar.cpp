#include "specs/yaml_scalar.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include "specs/problem.hpp"

namespace trove {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

size_t skip_digits(std::string_view word, size_t i) {
  while (i < word.size() && is_digit(word[i])) ++i;
  return i;
}

// [digits][.[digits]][e[+-]digits] with at least one digit before the exponent.
bool is_decimal(std::string_view word) {
  size_t i = skip_digits(word, 0);
  size_t digits = i;
  if (i < word.size() && word[i] == '.') {
    const size_t end = skip_digits(word, i + 1);
    digits += end - i - 1;
    i = end;
  }
  if (digits == 0) return false;
  if (i < word.size() && (word[i] | 0x20) == 'e') {
    ++i;
    if (i < word.size() && (word[i] == '+' || word[i] == '-')) ++i;
    const size_t end = skip_digits(word, i);
    if (end == i) return false;
    i = end;
  }
  return i == word.size();
}

// 12:30 and 1:30:00 are 750 and 5400 to a YAML 1.1 reader.
bool is_sexagesimal(std::string_view word) {
  size_t i = skip_digits(word, 0);
  if (i == 0 || i == word.size() || word[i] != ':') return false;
  while (i < word.size() && word[i] == ':') {
    const size_t end = skip_digits(word, i + 1);
    const size_t digits = end - i - 1;
    if (digits < 1 || digits > 2 || (digits == 2 && word[i + 1] > '5')) return false;
    i = end;
  }
  if (i < word.size() && word[i] == '.') i = skip_digits(word, i + 1);
  return i == word.size();
}

// A number that somebody broke up with underscores.
bool has_underscores(std::string_view word) {
  if (word.empty() || !is_digit(word[0]) || word.find('_') == std::string_view::npos) return false;
  return word.find_first_not_of("0123456789_.") == std::string_view::npos;
}

// 0x1F, 0o17, 0b101.
bool is_based(std::string_view word) {
  if (word.size() < 3 || word[0] != '0') return false;
  const auto rest = word.substr(2);
  switch (word[1]) {
    case 'x': return rest.find_first_not_of("0123456789abcdefABCDEF_") == std::string_view::npos;
    case 'o': return rest.find_first_not_of("01234567_") == std::string_view::npos;
    case 'b': return rest.find_first_not_of("01_") == std::string_view::npos;
    default: return false;
  }
}

bool is_boolean_elsewhere(std::string_view word) {
  static constexpr std::array<std::string_view, 8> words{"yes", "no", "on", "off", "y", "n", "true", "false"};
  if (word.size() > 5) return false;
  std::string lower(word);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return std::find(words.begin(), words.end(), lower) != words.end();
}

std::string quoted(std::string_view word) { return "\"" + printable(word, 40) + "\""; }

PlainScalar refuse(std::string_view word, std::string why) { return {Value(word), std::move(why)}; }

}  // namespace

bool is_null_word(std::string_view word) {
  return word.empty() || word == "~" || word == "null" || word == "Null" || word == "NULL";
}

PlainScalar read_plain_scalar(std::string_view word) {
  if (word == "true") return {Value(true), {}};
  if (word == "false") return {Value(false), {}};
  if (word.empty()) return {Value(word), {}};
  if (is_boolean_elsewhere(word)) {
    return refuse(word,
                  quoted(word) + " is a boolean to some YAML readers and text to others: quote it or write true/false");
  }
  const bool sign = word[0] == '+' || word[0] == '-';
  const auto body = word.substr(sign ? 1 : 0);
  // Most words are text; everything below starts like a number.
  if (body.empty() || !(is_digit(body[0]) || body[0] == '.')) return {Value(word), {}};
  if (body == ".inf" || body == ".Inf" || body == ".INF" || word == ".nan" || word == ".NaN" || word == ".NAN") {
    return refuse(word, quoted(word) + " is not a finite number: quote it if it is meant as text");
  }
  if (is_based(body) || has_underscores(body) || is_sexagesimal(body)) {
    return refuse(
        word, quoted(word) + " means different numbers to different YAML readers: quote it, or write a decimal number");
  }
  if (!is_decimal(body)) return {Value(word), {}};
  if (body.size() > 1 && body[0] == '0' && is_digit(body[1])) {
    return refuse(word, quoted(word) + " is octal to some YAML readers: quote it, or leave out the leading zeros");
  }
  const auto number = word[0] == '+' ? body : word;   // from_chars takes no plus sign
  const char* end = number.data() + number.size();
  if (body.find_first_of(".eE") == std::string_view::npos) {
    int64_t integer = 0;
    if (std::from_chars(number.data(), end, integer).ec == std::errc{}) return {Value(integer), {}};
    return refuse(word,
                  "the integer " + printable(word, 40) + " does not fit 64 bits: quote it if it is meant as text");
  }
  double real = 0;
  if (std::from_chars(number.data(), end, real).ec == std::errc{}) return {Value::number(real, word), {}};
  return refuse(word, "the number " + printable(word, 40) + " is out of range: quote it if it is meant as text");
}

}  // namespace trove
