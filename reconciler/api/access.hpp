// Who may ask for what. A token file has one line a token: "<token> [<project>|*] [reader|member|admin] [<name>]"; a
// line with a token alone is an administrator of every project. Blank lines and lines that start with # are skipped.
// Only digests of the tokens are kept. Constant after construction; thread-safe.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trove {

enum class Role { reader, member, admin };
std::string_view to_string(Role role);

struct Caller {
  std::string name;     // of the token: the author of what it changes
  std::string project;  // "*" = every project
  Role role = Role::reader;
  bool sees(const std::string& wanted) const { return project == "*" || project == wanted; }
};

class Tokens {
 public:
  // Lines that cannot be understood are left out and logged by number: a slip must not open a door.
  explicit Tokens(std::string_view file);
  // Compares in constant time with every token.
  std::optional<Caller> find(std::string_view token) const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string digest;
    Caller caller;
  };
  std::vector<Entry> entries_;
};

// The token of an Authorization header; "" when it holds none.
std::string bearer_of(std::string_view authorization);
bool is_project_name(std::string_view text);

}  // namespace trove
