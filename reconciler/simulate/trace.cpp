#include "reconciler/simulate/trace.hpp"

#include <cstdio>

namespace trove::simulate {

void Trace::add(Millis at, std::string_view who, std::string_view what) {
  const size_t begin = text_.size();
  char stamp[32];
  const int length = std::snprintf(stamp, sizeof stamp, "%6lld.%03lld ", static_cast<long long>(at.count() / 1000),
                                   static_cast<long long>(at.count() % 1000));
  text_.append(stamp, static_cast<size_t>(length));
  text_.append(who);
  text_.append(who.size() < 6 ? 7 - who.size() : 1, ' ');
  text_.append(what);
  text_ += '\n';
  for (size_t i = begin; i < text_.size(); ++i)
    hash_ = (hash_ ^ static_cast<unsigned char>(text_[i])) * 1099511628211ULL;
}

}  // namespace trove::simulate
