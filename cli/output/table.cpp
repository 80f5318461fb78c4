#include "cli/output/table.hpp"

#include <algorithm>
#include "specs/problem.hpp"

namespace trove::cli {

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<size_t> widths_of(const Table& table, const std::vector<size_t>& least) {
  std::vector<size_t> widths = least;
  widths.resize(table.columns.size(), 0);
  auto widen = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], characters(printable(cells[i], kCellCharacters)));
    }
  };
  widen(table.columns);
  for (const auto& row : table.rows) widen(row);
  return widths;
}

void print_row(std::ostream& out, const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string cell = printable(cells[i], kCellCharacters);
    line += cell;
    if (i + 1 < cells.size() && i < widths.size())
      line.append(widths[i] + 3 - std::min(widths[i], characters(cell)), ' ');
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  out << line << '\n';
}

void print(std::ostream& out, const Table& table, bool headers) {
  auto widths = widths_of(headers ? table : Table{std::vector<std::string>(table.columns.size()), table.rows});
  if (headers) print_row(out, table.columns, widths);
  for (const auto& row : table.rows) print_row(out, row, widths);
}

}  // namespace trove::cli
