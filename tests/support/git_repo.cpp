#include "support/git_repo.hpp"

#include <stdexcept>

namespace trove {

GitRepo::GitRepo() {
  std::filesystem::create_directories(work());
  git({"init", "--quiet", "--bare", "--initial-branch=main", bare()});
  git({"init", "--quiet", "--initial-branch=main", work()});
}

std::string GitRepo::git(std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.begin(), "git");
  ProcessOptions options;
  options.clean_env = true;
  options.directory = work();
  options.input = input;
  options.env = {"PATH=" + std::string(getenv("PATH")),
                 "HOME=" + directory(),
                 "GIT_CONFIG_NOSYSTEM=1",
                 "GIT_CONFIG_GLOBAL=/dev/null",
                 "GIT_AUTHOR_NAME=Kim",
                 "GIT_AUTHOR_EMAIL=kim@shop.example",
                 "GIT_COMMITTER_NAME=Kim",
                 "GIT_COMMITTER_EMAIL=kim@shop.example"};
  const Exit exit = run(arguments, options, Millis{60'000});
  if (exit.code != 0) throw std::runtime_error(arguments.at(1) + ": " + exit.err);
  return exit.out.substr(0, exit.out.find('\n'));
}

void GitRepo::write(const std::string& path, const std::string& text) {
  const std::filesystem::path whole = std::filesystem::path(work()) / path;
  std::filesystem::create_directories(whole.parent_path());
  write_file(whole, text);
}
void GitRepo::remove(const std::string& path) { std::filesystem::remove_all(std::filesystem::path(work()) / path); }
void GitRepo::move(const std::string& from, const std::string& to) {
  const std::filesystem::path target = std::filesystem::path(work()) / to;
  std::filesystem::create_directories(target.parent_path());
  std::filesystem::rename(std::filesystem::path(work()) / from, target);
}

std::string GitRepo::commit(const std::string& message, const std::string& key) {
  git({"add", "--all"});
  std::vector<std::string> arguments;
  if (!key.empty()) arguments = {"-c", "gpg.format=ssh", "-c", "user.signingkey=" + key};
  arguments.insert(arguments.end(), {"commit", "--quiet", "--allow-empty", "-m", message});
  if (!key.empty()) arguments.push_back("-S");
  git(arguments);
  git({"push", "--quiet", "--force", bare(), "HEAD:main"});
  return git({"rev-parse", "HEAD"});
}

std::string GitRepo::make_key(const std::string& name) {
  const std::string path = dir_ / name;
  const Exit exit = run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path});
  if (exit.code != 0) throw std::runtime_error("ssh-keygen: " + exit.err);
  return path;
}

}  // namespace trove
