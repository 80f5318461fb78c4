// The rows of bench.cpp about the API: lists, watches, puts.
#pragma once
#include <string>
#include <vector>

namespace trove {

struct RestFigure {
  std::string name;
  double value = 0, target = 0;
  std::string note;
};
std::vector<RestFigure> list_page();      // in process: Api::handle over a SQLite store
std::vector<RestFigure> watch_latency();  // the real daemon over loopback
std::vector<RestFigure> put_latency();    // the same

}  // namespace trove
