// Colour, or its absence: one place decides, callers only name what a word means. Plain values.
#pragma once
#include <string>
#include <string_view>

namespace trove::cli {

class Style {
 public:
  explicit Style(bool on = false) : on_(on) {}
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string doubtful(std::string_view text) const { return wrap("33", text); }
  std::string bad(std::string_view text) const { return wrap("31", text); }
  std::string strong(std::string_view text) const { return wrap("1", text); }
  std::string faint(std::string_view text) const { return wrap("2", text); }

 private:
  std::string wrap(const char* code, std::string_view text) const {
    if (!on_ || text.empty()) return std::string(text);
    return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
  }
  bool on_;
};

}  // namespace trove::cli
