#include "specs/problem.hpp"
#include <algorithm>
#include "specs/core/utf8.hpp"

namespace trove {
namespace {

constexpr size_t kLongestWord = 64;     // a longer one is no slip of the fingers, and comparing costs its square
constexpr size_t kLongestText = 4000;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

// Insertions, deletions, replacements and swaps of neighbours (Damerau-Levenshtein, optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = visible(problem.file, kLongestText);
  if (problem.at.line > 0) {
    if (!text.empty()) text += ':';
    text += std::to_string(problem.at.line) + ":" + std::to_string(problem.at.column);
  }
  if (!text.empty()) text += "  ";
  if (!problem.path.empty()) text += visible(problem.path, kLongestText) + ": ";
  text += visible(problem.message, kLongestText);
  if (!problem.hint.empty()) text += "\n  " + visible(problem.hint, kLongestText);
  return text;
}

std::string to_string(const Problems& problems) {
  std::string text;
  for (const auto& problem : problems) {
    if (!text.empty()) text += '\n';
    text += to_string(problem);
  }
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string wanted = lower(word);
  std::string_view best;
  size_t best_distance = 3;
  for (const auto candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongestWord) continue;
    const size_t found = distance(wanted, lower(candidate));
    if (found < best_distance && found <= std::max(word.size(), candidate.size()) / 3) {
      best = candidate;
      best_distance = found;
    }
  }
  return std::string(best);
}

std::string printable(std::string_view text, size_t most) { return visible(text, most); }

}  // namespace trove
