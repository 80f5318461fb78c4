// What texts must look like, and how to say what is wrong with them.
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include "specs/core/time.hpp"
#include "specs/core/utf8.hpp"
#include "specs/decode_parts.hpp"
#include "specs/git_url.hpp"
#include "specs/schedule.hpp"

namespace trove::decoding {
namespace {

constexpr size_t kMostShown = 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }

bool only(std::string_view text, bool (*allowed)(char)) {
  for (char c : text) {
    if (!allowed(c)) return false;
  }
  return true;
}

bool is_dns_label(std::string_view text) {
  const auto inside = [](char c) { return is_small(c) || is_digit(c) || c == '-'; };
  return !text.empty() && text.size() <= 63 && only(text, inside) && text.front() != '-' && text.back() != '-';
}

// The nearest name that would do: "Orders_DB" becomes "orders-db".
std::string as_label(std::string_view text) {
  std::string label;
  for (char c : text.substr(0, 63)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (is_small(c) || is_digit(c)) label += c;
    else if (!label.empty() && label.back() != '-') label += '-';
  }
  while (!label.empty() && label.back() == '-') label.pop_back();
  return label;
}

Complaint complain(std::string message, std::string hint = {}) { return {std::move(message), std::move(hint)}; }

Complaint check_label(std::string_view text) {
  if (is_dns_label(text)) return {};
  std::string message = quote(text) +
                        " is not a name: a name has 1 to 63 lower-case letters, digits and \"-\", with no \"-\" at "
                        "either end.";
  const std::string near = as_label(text);
  if (is_dns_label(near)) message += " Did you mean \"" + near + "\"?";
  return complain(std::move(message));
}

Complaint check_cidr(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  std::array<unsigned char, 16> bytes{};
  const int family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const int bits = family == AF_INET ? 32 : 128;
  if (address.find('\0') != std::string::npos || inet_pton(family, address.c_str(), bytes.data()) != 1)
    return complain(quote(text) + " is not a network: write an IPv4 or IPv6 address with a prefix, as 10.20.0.0/16");
  if (slash == std::string_view::npos)
    return complain(quote(text) + " has no prefix. Did you mean \"" + address + "/" + std::to_string(bits) + "\"?");
  const std::string_view digits = text.substr(slash + 1);
  int prefix = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const bool leading_zero = digits.size() > 1 && digits.front() == '0';
  if (error != std::errc{} || end != digits.data() + digits.size() || prefix < 0 || prefix > bits || leading_zero)
    return complain(quote(text) + " is not a network: the prefix must be 0 to " + std::to_string(bits));
  // Bits behind the prefix are a slip: the cloud would drop them silently and the spec would never match.
  auto masked = bytes;
  for (int i = 0; i < bits / 8; ++i) {
    const int keep = std::min(8, std::max(0, prefix - 8 * i));
    masked[static_cast<size_t>(i)] &= static_cast<unsigned char>(0xff << (8 - keep));
  }
  if (masked == bytes) return {};
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, masked.data(), buffer, sizeof buffer);
  return complain(quote(text) + " names a host, not a network. Did you mean \"" + buffer + "/" +
                  std::to_string(prefix) + "\" or \"" + address + "/" + std::to_string(bits) + "\"?");
}

Complaint check_schedule(std::string_view cron, std::string_view zone) {
  const auto parsed = Schedule::parse(cron, zone);
  return parsed ? Complaint{} : complain(parsed.error().message, parsed.error().hint);
}

bool is_version(std::string_view text) {
  bool digit = false;
  for (char c : text) {
    if (is_digit(c)) digit = true;
    else if (c != '.' || !digit) return false;
    else digit = false;
  }
  return digit;
}

std::string shown_bound(const Field& field, int64_t bound) {
  return field.format == Format::duration ? format_duration(Millis{bound}) : std::to_string(bound);
}

}  // namespace

std::string quote(std::string_view text) { return "\"" + visible(text, kMostShown, true) + "\""; }

std::string describe(const Value& value) {
  switch (value.type()) {
    case Value::Type::null: return "nothing";
    case Value::Type::boolean: return "the boolean " + value.as_written();
    case Value::Type::integer:
    case Value::Type::number: return "the number " + visible(value.as_written(), kMostShown);
    case Value::Type::string: return "the string " + quote(value.text());
    case Value::Type::list: return "a list";
    case Value::Type::map: break;
  }
  return "a map";
}

std::string type_with_article(const Value& value) {
  return (value.is_int() ? "an " : "a ") + std::string(value.type_name());
}

std::string words(const std::vector<std::string_view>& values) {
  std::string text;
  for (std::string_view value : values) text += (text.empty() ? "" : ", ") + std::string(value);
  return text;
}

std::string range_of(const Field& field) {
  const bool low = field.min != std::numeric_limits<int64_t>::min(),
             high = field.max != std::numeric_limits<int64_t>::max();
  if (!low && !high) return {};
  std::string text = low && high ? shown_bound(field, field.min) + " to " + shown_bound(field, field.max)
                     : low       ? "at least " + shown_bound(field, field.min)
                                 : "at most " + shown_bound(field, field.max);
  if (!field.unit.empty()) text += " " + std::string(field.unit);
  return text;
}

Complaint check_format(Format format, std::string_view text) {
  switch (format) {
    case Format::any: return {};
    case Format::dns_label: return check_label(text);
    case Format::engine_name:
      if (text.find('\0') != std::string_view::npos) return complain("must not hold a NUL");
      if (find_invalid_utf8(text) != std::string_view::npos) return complain("must be UTF-8");
      return {};
    case Format::duration:
      if (parse_duration(text)) return {};
      return complain(quote(text) + " is not a duration: write 30s, 15m, 2h, 7d or 1h30m");
    case Format::cidr: return check_cidr(text);
    case Format::cron: return check_schedule(text, "UTC");
    case Format::time_zone: return text == "UTC" ? Complaint{} : check_schedule("@daily", text);
    case Format::version:
      if (is_version(text)) return {};
      return complain(quote(text) + " is not a version: write digits and dots, as 10.11");
    case Format::parameter_name:
      if (!text.empty() &&
          only(text, [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-'; }))
        return {};
      return complain(quote(text) + " may hold letters, digits, \"_\", \".\" and \"-\" only");
    case Format::git_url: {
      const auto url = parse_git_url(text);
      return url ? Complaint{} : complain(url.error().message, url.error().hint);
    }
    case Format::git_ref: return complain(git_ref_complaint(text));
    case Format::git_path: return complain(git_path_complaint(text));
    case Format::git_commit:
      if ((text.size() == 40 || text.size() == 64) &&
          only(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }))
        return {};
      return complain(quote(text) + " is not the whole name of a commit: 40 or 64 digits, as git rev-parse prints it");
    case Format::host_pattern: break;
  }
  const auto in_host = [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("%_.:/-").find(c) != std::string_view::npos;
  };
  if (only(text, in_host)) return {};
  return complain(quote(text) + " is not a host: it may hold letters, digits and % _ . : / - only");
}

Complaint check_text(const Field& field, std::string_view text) {
  if (!field.values.empty()) {
    for (std::string_view value : field.values) {
      if (value == text) return {};
    }
    if (unsupported_value(field.path, text))
      return complain(quote(text) + " is not supported in this release: use one of " + words(field.values));
    const std::string near = nearest(text, field.values);
    return complain(quote(text) + " is not one of " + words(field.values) + "." +
                    (near.empty() ? "" : " Did you mean \"" + near + "\"?"));
  }
  if (field.format == Format::duration) {
    const auto duration = parse_duration(text);
    if (!duration) return check_format(field.format, text);
    if (duration->count() < field.min || duration->count() > field.max)
      return complain(quote(text) + " is out of range: must be " + range_of(field));
    return {};
  }
  const auto length = static_cast<int64_t>(text.size());
  if (field.format != Format::dns_label) {   // that one says its length itself
    if (length == 0 && field.min > 0) return complain("must not be empty");
    if (length < field.min || length > field.max)
      return complain((field.sensitive ? "the value" : quote(text)) + " is " + std::to_string(length) +
                      " bytes long: must be " + range_of(field));
  }
  if (field.format == Format::any && !field.sensitive) {
    for (unsigned char c : text) {
      if (c < 0x20 || c == 0x7f) return complain(quote(text) + " holds a line break or another control character");
    }
  }
  return check_format(field.format, text);
}

Complaint check_integer(const Field& field, int64_t number) {
  if (number >= field.min && number <= field.max) return {};
  return complain(std::to_string(number) + " is out of range: must be " + range_of(field));
}

}  // namespace trove::decoding
