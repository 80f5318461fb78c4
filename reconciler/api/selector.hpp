// Label selectors: "app=orders,tier!=dev,env in (prod, stage),owner,!legacy". Plain values.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/value.hpp"

namespace trove {

inline constexpr size_t kMaxSelectorBytes = 4096;

class Selector {
 public:
  static Result<Selector> parse(std::string_view text);  // "" matches everything
  bool matches(const Value& labels) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    enum class What { in, not_in, present, absent } what = What::in;
    std::string name;
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

}  // namespace trove
