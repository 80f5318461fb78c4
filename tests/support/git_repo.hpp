// A Git repository that a test writes to, as its developers would: a bare one that is served and a work tree beside it.
// Owned by the test; throws when git fails.
#pragma once
#include <string>
#include <vector>
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace trove {

class GitRepo {
 public:
  GitRepo();
  std::string url() const { return "file://" + bare(); }
  std::string directory() const { return dir_.path().string(); }  // what the operator has to allow
  std::string bare() const { return dir_ / "db.git"; }
  std::string work() const { return dir_ / "work"; }

  void write(const std::string& path, const std::string& text);
  void remove(const std::string& path);
  void move(const std::string& from, const std::string& to);
  // Everything there is now, as one commit, pushed (by force). `key` of make_key() signs it. The commit's name.
  std::string commit(const std::string& message = "change", const std::string& key = "");
  std::string git(std::vector<std::string> arguments, const std::string& input = "");
  // A new SSH key; its public half is key + ".pub".
  std::string make_key(const std::string& name);

 private:
  TempDir dir_;
};

}  // namespace trove
