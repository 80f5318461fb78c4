// A value that must not be shown. It has no operator<< and no implicit conversion, so it cannot reach a log,
// an event or a plan by accident; reveal() is easy to grep for.
#pragma once
#include <string>
#include <utility>

namespace trove {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

}  // namespace trove
