#include "reconciler/api/selector.hpp"
#include <algorithm>
#include "specs/problem.hpp"

namespace trove {
namespace {

bool is_label_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.' || c == '/';
}

// Reads from the front of a text.
struct Cursor {
  std::string_view rest;
  void skip() {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
  }
  bool take(std::string_view word) {
    skip();
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  std::string word() {
    skip();
    size_t n = 0;
    while (n < rest.size() && is_label_char(rest[n])) ++n;
    std::string out(rest.substr(0, n));
    rest.remove_prefix(n);
    return out;
  }
  bool take_word(std::string_view wanted) {
    Cursor ahead = *this;
    if (ahead.word() != wanted) return false;
    *this = ahead;
    return true;
  }
};

}  // namespace

Result<Selector> Selector::parse(std::string_view text) {
  Selector out;
  auto wrong = [&](const std::string& why) {
    return fail(Code::invalid, "labelSelector \"" + printable(text) + "\": " + why,
                "terms are a=b, a!=b, a in (b,c), a notin (b,c), a, !a, joined by commas");
  };
  if (text.size() > kMaxSelectorBytes) return wrong("too long");
  Cursor at{text};
  at.skip();
  while (!at.rest.empty()) {
    Term term;
    bool negated = at.take("!");
    term.name = at.word();
    if (term.name.empty()) return wrong("a label's name is missing");
    bool in = false;
    if (negated) {
      term.what = Term::What::absent;
    } else if (at.take("!=")) {
      term.what = Term::What::not_in;
      term.values.push_back(at.word());
    } else if (at.take("==") || at.take("=")) {
      term.values.push_back(at.word());
    } else if ((in = at.take_word("in")) || at.take_word("notin")) {
      term.what = in ? Term::What::in : Term::What::not_in;
      if (!at.take("(")) return wrong("\"(\" is missing after in or notin");
      do term.values.push_back(at.word());
      while (at.take(","));
      if (!at.take(")")) return wrong("\")\" is missing");
    } else {
      term.what = Term::What::present;
    }
    out.terms_.push_back(std::move(term));
    at.skip();
    if (at.rest.empty()) break;
    if (!at.take(",")) return wrong("\"" + printable(at.rest, 20) + "\" was not expected");
    at.skip();
    if (at.rest.empty()) return wrong("it ends with a comma");
  }
  return out;
}

bool Selector::matches(const Value& labels) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Value* label = labels.find(term.name);
    bool listed = label && std::find(term.values.begin(), term.values.end(), label->text()) != term.values.end();
    switch (term.what) {
      case Term::What::in: return listed;
      case Term::What::not_in: return !listed;  // as in Kubernetes, an absent label is not in any list
      case Term::What::present: return label != nullptr;
      case Term::What::absent: return label == nullptr;
    }
    return false;
  });
}

}  // namespace trove
