// Changes to texts that keep them close to what is understood: words from the tables, and lines moved about. Every
// other change is libFuzzer's own. Linked into the targets whose input is text.
#include <algorithm>
#include <cstring>
#include <random>
#include "tests/fuzz/fuzz.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace {

using trove::fuzz::words;

// [begin, end) of the line around `at`, its line end included.
std::pair<size_t, size_t> line_around(const std::string& text, size_t at) {
  const auto before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  const auto after = text.find('\n', at);
  return {before == std::string::npos ? 0 : before + 1, after == std::string::npos ? text.size() : after + 1};
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

void change(std::string& text, std::minstd_rand& random) {
  const auto below = [&](size_t bound) { return bound == 0 ? 0 : random() % bound; };
  const size_t at = below(text.size() + 1);
  const auto [begin, end] = line_around(text, at);
  const std::string& word = words()[below(words().size())];
  switch (below(6)) {
    case 0:
      text.insert(at, word);
      return;
    case 1: {  // the word at this place becomes another one
      size_t first = at, last = at;
      while (first > 0 && is_word(text[first - 1])) --first;
      while (last < text.size() && is_word(text[last])) ++last;
      text.replace(first, last - first, word);
      return;
    }
    case 2:
      text.insert(begin, text.substr(begin, end - begin));
      return;
    case 3:
      text.erase(begin, end - begin);
      return;
    case 4: {  // one step in or out
      if (text.compare(begin, 2, "  ") == 0 && below(2))
        text.erase(begin, 2);
      else
        text.insert(begin, "  ");
      return;
    }
    default: {  // a line goes elsewhere
      const std::string line = text.substr(begin, end - begin);
      text.erase(begin, end - begin);
      text.insert(line_around(text, below(text.size() + 1)).first, line);
    }
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 2) return LLVMFuzzerMutate(data, size, most);
  std::string text(reinterpret_cast<const char*>(data), size);
  for (unsigned times = 1 + random() % 3; times > 0; --times) change(text, random);
  const size_t length = std::min(text.size(), most);
  std::memcpy(data, text.data(), length);
  return length;
}
