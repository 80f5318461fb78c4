// What the files of a repository mean: which objects they ask for, and what is wrong with which file. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::gitops {

struct Broken {
  std::string file;
  Position at;  // line 0 = the whole file
  std::string message;
  friend bool operator==(const Broken& a, const Broken& b) {
    return a.file == b.file && a.at.line == b.at.line && a.at.column == b.at.column && a.message == b.message;
  }
};

struct FileDocuments {
  std::vector<Value> documents;  // located, ours only
  std::vector<Key> keys;         // of each
  std::optional<Broken> broken;  // then there is nothing else
  bool ours() const { return broken || !documents.empty(); }
};

// By its name: YAML or JSON, and not a file that only Kustomize or Helm reads.
bool may_hold_documents(std::string_view path);
// `held`: it held documents of ours before, so that one which cannot be read any more is broken, and not somebody
// else's.
FileDocuments parse_file(const std::string& project, const std::string& path, const std::string& text, bool held);
Broken broken_by(const std::string& file, const Problem& problem);
// The one that somebody who mends the file should read first, and how many more there are.
Broken broken_by(const std::string& file, const Problems& problems);
// Kinds in the order in which they are applied: what others refer to comes first.
int rank_of(std::string_view kind);

}  // namespace trove::gitops
