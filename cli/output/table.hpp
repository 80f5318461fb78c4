// Columns of text, aligned, three spaces apart. Control characters are escaped, so an object's text cannot drive the
// terminal. Plain values.
#pragma once
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace trove::cli {

inline constexpr size_t kCellCharacters = 200;   // longer cells are cut

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// The widths of `table`, none smaller than in `least`: a watch keeps its columns where they are.
std::vector<size_t> widths_of(const Table& table, const std::vector<size_t>& least = {});
void print_row(std::ostream& out, const std::vector<std::string>& cells, const std::vector<size_t>& widths);
void print(std::ostream& out, const Table& table, bool headers = true);
size_t characters(std::string_view utf8);        // code points

}  // namespace trove::cli
