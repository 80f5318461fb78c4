// The git program against repositories that mean harm, or are broken, or are gone.
#include "reconciler/gitops/repository.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <thread>

#include "specs/core/real.hpp"
#include "support/clock.hpp"
#include "support/git_repo.hpp"

using namespace trove;
using namespace trove::gitops;

namespace {

struct Bed {
  GitRepo remote;
  TempDir data;
  RealClock clock;
  Cancel cancel;
  Repository::Setting setting;
  Allowed allowed;
  std::unique_ptr<Repository> repository;

  explicit Bed(GitLimits limits = {}) {
    setting.home = data / "git";
    setting.limits = limits;
    allowed = *Allowed::parse({remote.directory()});
    open();
  }
  void open() {
    REQUIRE(Repository::prepare_home(setting, allowed));
    repository = std::make_unique<Repository>(setting, allowed, clock, cancel, "uid-1");
  }
  Result<std::string> fetch(const std::string& ref = "refs/heads/main") {
    return repository->fetch(*parse_git_url(remote.url()), ref, {});
  }
  std::string must_fetch() {
    auto commit = fetch();
    INFO((commit ? "" : commit.error().message));
    REQUIRE(commit);
    return *commit;
  }
  std::string read(const std::string& commit, const std::string& path) {
    auto entries = repository->tree(commit, "");
    REQUIRE(entries);
    for (const Entry& entry : *entries)
      if (entry.path == path) return repository->read({entry}).value().at(0);
    return "(none)";
  }
};

std::vector<std::string> paths(const std::vector<Entry>& entries) {
  std::vector<std::string> out;
  for (const Entry& entry : entries) out.push_back(entry.path);
  return out;
}

// How many processes still run a script.
size_t running(const std::string& script) {
  size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc"))
    found += read_file(entry.path() / "cmdline").find(script) != std::string::npos;
  return found;
}

uint64_t bytes_below(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

}  // namespace

TEST_CASE("a branch is fetched, listed and read at one commit") {
  Bed bed;
  bed.remote.write("prod/a.yaml", "a: 1\n");
  bed.remote.write("other/b.yaml", "b: 1\n");
  const std::string first = bed.remote.commit();
  CHECK(bed.must_fetch() == first);
  CHECK(paths(bed.repository->tree(first, "prod").value()) == std::vector<std::string>{"prod/a.yaml"});
  CHECK(bed.read(first, "prod/a.yaml") == "a: 1\n");
  CHECK(bed.repository->facts(first)->author == "Kim <kim@shop.example>");

  bed.remote.write("prod/a.yaml", "a: 2\n");
  bed.remote.write("prod/deep/c.yaml", "c: 1\n");
  const std::string second = bed.remote.commit();
  CHECK(bed.must_fetch() == second);
  auto changed = bed.repository->changes(first, second, "prod");
  REQUIRE(changed);
  CHECK(paths(*changed) == std::vector<std::string>{"prod/a.yaml", "prod/deep/c.yaml"});
  CHECK(changed->at(0).size == 5);
  CHECK(bed.repository->read(*changed).value() == std::vector<std::string>{"a: 2\n", "c: 1\n"});
  CHECK(bed.repository->descends(second, first));
  CHECK_FALSE(bed.repository->descends(first, second));
  CHECK(bed.repository->changes(second, first, "prod")->at(1).oid.empty());
}

TEST_CASE("a rewritten branch is told from one that went on") {
  Bed bed;
  bed.remote.write("a.yaml", "a: 1\n");
  bed.remote.commit();
  bed.remote.write("a.yaml", "a: 2\n");
  const std::string second = bed.remote.commit();
  bed.must_fetch();
  bed.remote.git({"reset", "--quiet", "--hard", "HEAD~1"});
  bed.remote.write("a.yaml", "a: 3\n");
  const std::string other = bed.remote.commit();
  CHECK(bed.must_fetch() == other);
  CHECK_FALSE(bed.repository->descends(other, second));
  CHECK(bed.repository->has(second));
}

TEST_CASE("tags and single commits are fetched by their names") {
  Bed bed;
  bed.remote.write("a.yaml", "a: 1\n");
  const std::string first = bed.remote.commit();
  bed.remote.git({"tag", "-a", "v1", "-m", "one"});
  bed.remote.git({"push", "--quiet", bed.remote.bare(), "v1"});
  bed.remote.write("a.yaml", "a: 2\n");
  bed.remote.commit();
  CHECK(bed.fetch("refs/tags/v1").value() == first);
  CHECK(bed.fetch(first).value() == first);
}

TEST_CASE("what is not there is said to be missing") {
  Bed bed;
  bed.remote.write("a.yaml", "a: 1\n");
  const std::string first = bed.remote.commit();
  auto branch = bed.fetch("refs/heads/release");
  REQUIRE_FALSE(branch);
  CHECK(branch.error().code == Code::not_found);
  CHECK(branch.error().message.find("refs/heads/release") != std::string::npos);
  auto folder = (bed.must_fetch(), bed.repository->tree(first, "prod"));
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message.find("no folder \"prod\"") != std::string::npos);
  std::filesystem::remove_all(bed.remote.bare());
  auto gone = bed.fetch();
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Code::not_found);
  CHECK(bed.repository->has(first));  // what was fetched is still of use
}

TEST_CASE("a link or a submodule is never followed, also as part of the path") {
  Bed bed;
  bed.remote.write("real/a.yaml", "a: 1\n");
  std::filesystem::create_directory_symlink("/etc", bed.remote.work() + "/out");
  std::filesystem::create_symlink("/etc/passwd", bed.remote.work() + "/real/passwd.yaml");
  bed.remote.git({"update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,sub"});
  const std::string commit = bed.remote.commit();
  // `git add --all` drops a submodule that is not in the work tree: put it back.
  bed.remote.git({"update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,sub"});
  bed.remote.git({"commit", "--quiet", "-m", "sub"});
  bed.remote.git({"push", "--quiet", "--force", bed.remote.bare(), "HEAD:main"});
  const std::string with_sub = bed.must_fetch();
  CHECK(commit != with_sub);
  const auto all = bed.repository->tree(with_sub, "").value();
  CHECK(all.size() == 4);
  for (const Entry& entry : all) {
    INFO(entry.path);
    CHECK(entry.file() == (entry.path == "real/a.yaml"));
  }
  auto link = bed.repository->tree(with_sub, "out");
  REQUIRE_FALSE(link);
  CHECK(link.error().message == "\"out\" is a symbolic link, and links are not followed");
  auto through = bed.repository->tree(with_sub, "out/ssh");
  REQUIRE_FALSE(through);
  CHECK(through.error().message == "\"out\" is a symbolic link, and links are not followed");
  auto sub = bed.repository->tree(with_sub, "sub/x");
  REQUIRE_FALSE(sub);
  CHECK(sub.error().message == "\"sub\" is a submodule, and submodules are not fetched");
  auto file = bed.repository->tree(with_sub, "real/a.yaml");
  REQUIRE_FALSE(file);
  CHECK(file.error().message == "\"real/a.yaml\" is a file, not a folder");
}

TEST_CASE("odd names of files arrive as they are") {
  Bed bed;
  const std::string odd = "a\nb \"q\" \xc3\xa4\t.yaml";
  bed.remote.write(odd, "x: 1\n");
  bed.remote.write("-rf.yaml", "y: 1\n");
  bed.remote.write(":(top)z.yaml", "z: 1\n");
  const std::string commit = bed.remote.commit();
  bed.must_fetch();
  CHECK(bed.read(commit, odd) == "x: 1\n");
  CHECK(bed.read(commit, "-rf.yaml") == "y: 1\n");
  CHECK(bed.read(commit, ":(top)z.yaml") == "z: 1\n");
}

TEST_CASE("a tree with .. in it is refused as broken") {
  Bed bed;
  const std::string blob = bed.remote.git({"hash-object", "-w", "--stdin"}, "x: 1\n");
  std::string raw;
  for (size_t i = 0; i < blob.size(); i += 2) raw += static_cast<char>(std::stoi(blob.substr(i, 2), nullptr, 16));
  const std::string tree = bed.remote.git({"hash-object", "-w", "-t", "tree", "--literally", "--stdin"},
                                          std::string("100644 ..") + '\0' + raw);
  const std::string commit = bed.remote.git({"commit-tree", tree, "-m", "bad"});
  bed.remote.git({"update-ref", "refs/heads/main", commit});
  // Straight into the served repository: a push would be checked.
  std::filesystem::remove_all(bed.remote.bare());
  bed.remote.git({"clone", "--quiet", "--bare", bed.remote.work(), bed.remote.bare()});
  auto fetched = bed.fetch();
  REQUIRE_FALSE(fetched);
  CHECK(fetched.error().code == Code::invalid);
  INFO(fetched.error().message);
  CHECK(fetched.error().message.find("broken") != std::string::npos);
}

TEST_CASE("hooks, filters and configuration of a repository do not run") {
  Bed bed;
  const std::string proof = bed.data / "ran";
  const std::string script = "#!/bin/sh\ntouch " + proof + "\n";
  for (const char* hook : {"post-checkout", "post-update", "reference-transaction", "pre-auto-gc", "update"}) {
    const std::string path = bed.remote.bare() + "/hooks/" + hook;
    std::filesystem::create_directories(bed.remote.bare() + "/hooks");
    write_file(path, script);
    ::chmod(path.c_str(), 0755);
  }
  const std::string evil = bed.data / "evil.sh";
  write_file(evil, script);
  ::chmod(evil.c_str(), 0755);
  write_file(bed.remote.bare() + "/config",
             read_file(bed.remote.bare() + "/config") + "\n[uploadpack]\n\tpackObjectsHook = " + evil +
                 "\n[core]\n\tsshCommand = " + evil + "\n\tfsmonitor = " + evil + "\n");
  bed.remote.write(".gitattributes", "*.yaml filter=evil\n");
  bed.remote.write("a.yaml", "a: 1\n");
  bed.remote.git({"config", "core.hooksPath", "/dev/null"});
  bed.remote.git({"add", "--all"});
  bed.remote.git({"commit", "--quiet", "-m", "x"});
  // The hooks of the served repository would run for a push, not for us.
  bed.remote.git({"-c", "core.hooksPath=/dev/null", "--git-dir=" + bed.remote.bare(), "fetch", "--quiet", bed.remote.work(),
                  "main:main"});
  std::filesystem::remove(proof);
  const std::string commit = bed.must_fetch();
  CHECK(bed.read(commit, "a.yaml") == "a: 1\n");
  CHECK_FALSE(std::filesystem::exists(proof));
}

TEST_CASE("a repository that is too large is refused and leaves nothing behind") {
  GitLimits limits;
  limits.repository_bytes = 2u << 20;
  Bed bed(limits);
  std::string noise(8u << 20, '\0');
  SeededRng rng;
  for (char& c : noise) c = static_cast<char>(rng.next());
  bed.remote.write("big.bin", noise);
  bed.remote.commit();
  auto fetched = bed.fetch();
  REQUIRE_FALSE(fetched);
  CHECK(fetched.error().code == Code::too_large);
  CHECK(fetched.error().message.find("more than 2 MiB") != std::string::npos);
  CHECK(bytes_below(bed.setting.home) < 10'000);
}

TEST_CASE("a repository that has grown too large over time is fetched anew") {
  GitLimits limits;
  limits.repository_bytes = 1u << 20;
  Bed bed(limits);
  SeededRng rng;
  std::string commit;
  for (int i = 0; i < 6; ++i) {
    std::string noise(300'000, '\0');
    for (char& c : noise) c = static_cast<char>(rng.next());
    bed.remote.write("noise.bin", noise);
    commit = bed.remote.commit();
    CHECK(bed.must_fetch() == commit);
  }
  CHECK(bytes_below(bed.setting.home) < (1u << 20) + 10'000);
}

TEST_CASE("a tree that multiplies itself is refused before it is listed") {
  GitLimits limits;
  limits.entries = 5'000;
  Bed bed(limits);
  std::string tree = bed.remote.git({"mktree"}, "100644 blob " + bed.remote.git({"hash-object", "-w", "--stdin"}, "x") + "\tf\n");
  for (int level = 0; level < 9; ++level) {
    std::string listing;
    for (int i = 0; i < 10; ++i) listing += "040000 tree " + tree + "\td" + std::to_string(i) + "\n";
    tree = bed.remote.git({"mktree"}, listing);
  }
  const std::string commit = bed.remote.git({"commit-tree", tree, "-m", "bomb"});
  bed.remote.git({"push", "--quiet", "--force", bed.remote.bare(), commit + ":refs/heads/main"});
  bed.must_fetch();
  auto listed = bed.repository->tree(commit, "");
  REQUIRE_FALSE(listed);
  CHECK(listed.error().code == Code::too_large);
  CHECK(listed.error().message == "the folder holds more than 5000 files");
}

TEST_CASE("a server that does not answer is given up at the deadline, and at once when called off") {
  GitLimits limits;
  limits.fetch = Millis{400};
  Bed bed(limits);
  // Stands in for git: whatever it is asked, it forks a child that would live on, and says nothing.
  const std::string slow = bed.data / "slow-git";
  write_file(slow, "#!/bin/sh\ncase \"$*\" in *fetch*) sleep 60 & sleep 60 ;; *) exec git \"$@\" ;; esac\n");
  ::chmod(slow.c_str(), 0755);
  bed.setting.program = slow;
  const Millis start = bed.clock.monotonic();
  auto fetched = bed.fetch();
  REQUIRE_FALSE(fetched);
  CHECK(fetched.error().code == Code::unavailable);
  CHECK(fetched.error().message.find("did not end within 400ms") != std::string::npos);
  CHECK(bed.clock.monotonic() - start < Millis{5'000});

  bed.setting.limits.fetch = Millis{60'000};
  std::thread caller([&] {
    ::usleep(200'000);
    bed.cancel.cancel();
  });
  auto stopped = bed.fetch();
  caller.join();
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().message.find("called off") != std::string::npos);
  CHECK(bed.clock.monotonic() - start < Millis{10'000});
  CHECK(running(slow) == 0);
}

TEST_CASE("only repositories that the operator allows are asked") {
  Bed bed;
  bed.remote.write("a.yaml", "a: 1\n");
  bed.remote.commit();
  bed.allowed = *Allowed::parse({"git.example/shop", "*.corp.example", "git.example:2222"});
  const auto check = [&](const char* url) { return bed.allowed.check(*parse_git_url(url)); };
  CHECK(check("https://git.example/shop/db.git"));
  CHECK(check("ssh://git@git.example/shop.git"));
  CHECK(check("ssh://git@git.example:2222/any/db"));
  CHECK(check("https://a.corp.example/x"));
  for (const char* url : {"https://git.example/shopping/db", "https://git.example/other", "https://corp.example/x",
                          "https://evilcorp.example/x", "https://git.example:8443/shop/db", "https://169.254.169.254/x",
                          "file:///etc"}) {
    INFO(url);
    auto refused = check(url);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::denied);
    CHECK(refused.error().hint.find("--git-allow") != std::string::npos);
  }
  auto denied = bed.fetch();
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == Code::denied);
  // A link inside an allowed directory leads nowhere else.
  GitRepo elsewhere;
  bed.allowed = *Allowed::parse({bed.remote.directory()});
  std::filesystem::create_symlink(elsewhere.bare(), bed.remote.directory() + "/link.git");
  CHECK_FALSE(bed.allowed.check(*parse_git_url("file://" + bed.remote.directory() + "/link.git")));
  for (const char* bad : {"https://git.example", "", "/srv/../etc", "git example", "-x", "kim@git.example"}) {
    INFO(bad);
    CHECK_FALSE(Allowed::parse({bad}));
  }
}

TEST_CASE("credentials are files of ours for one call, and never arguments") {
  Bed bed;
  const std::string seen = bed.data / "seen";
  const std::string spy = bed.data / "spy-git";
  write_file(spy, "#!/bin/sh\ncase \"$*\" in *fetch*)\n  echo \"$@\" > " + seen + "\n  env >> " + seen +
                      "\n  stat -c '%a' \"$HOME\"/uid-1/credentials/* >> " + seen +
                      "\n  [ -z \"$GIT_ASKPASS\" ] || \"$GIT_ASKPASS\" \"Password for 'https://git.example':\" > " + seen +
                      ".answer\n  echo 'fatal: Authentication failed' >&2; exit 128 ;;\n*) exec git \"$@\" ;; esac\n");
  ::chmod(spy.c_str(), 0755);
  bed.setting.program = spy;
  bed.allowed = *Allowed::parse({"git.example"});
  Credentials token;
  token.username = Secret("kim");
  token.password = Secret("hunter2");
  auto https = bed.repository->fetch(*parse_git_url("https://git.example/db"), "refs/heads/main", token);
  REQUIRE_FALSE(https);
  CHECK(https.error().code == Code::unauthenticated);
  CHECK(https.error().message.find("hunter2") == std::string::npos);
  CHECK(read_file(seen).find("hunter2") == std::string::npos);
  CHECK(read_file(seen + ".answer") == "hunter2\n");
  CHECK(read_file(seen).find("GIT_CONFIG_NOSYSTEM=1") != std::string::npos);

  auto without = bed.repository->fetch(*parse_git_url("ssh://git@git.example/db"), "refs/heads/main", {});
  REQUIRE_FALSE(without);
  CHECK(without.error().message.find("ssh-privatekey and known_hosts") != std::string::npos);
  Credentials key;
  key.private_key = Secret("PRIVATE-KEY");
  key.known_hosts = Secret("git.example ssh-ed25519 AAAA");
  auto ssh = bed.repository->fetch(*parse_git_url("ssh://git@git.example/db"), "refs/heads/main", key);
  REQUIRE_FALSE(ssh);
  CHECK(read_file(seen).find("PRIVATE-KEY") == std::string::npos);
  CHECK(read_file(seen).find("StrictHostKeyChecking=yes") != std::string::npos);
  CHECK(read_file(seen).find("\n600\n600\n") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(bed.setting.home + "/uid-1/credentials"));
}

TEST_CASE("a commit counts as signed only when a key of ours signed it") {
  Bed bed;
  const std::string kim = bed.remote.make_key("kim"), eve = bed.remote.make_key("eve");
  std::map<std::string, Secret> keys{{"kim", Secret(read_file(kim + ".pub"))}};
  bed.remote.write("a.yaml", "a: 1\n");
  const auto check = [&](const std::string& key) {
    const std::string commit = bed.remote.commit("signed by " + key, key);
    bed.must_fetch();
    auto signature = bed.repository->verify(commit, keys);
    INFO((signature ? "" : signature.error().message));
    REQUIRE(signature);
    return *signature;
  };
  const Signature good = check(kim);
  INFO(good.message);
  CHECK(good.good);
  CHECK(good.by.starts_with("kim (SHA256:"));
  const Signature unsigned_one = check("");
  CHECK_FALSE(unsigned_one.good);
  CHECK(unsigned_one.message == "is not signed");
  const Signature unknown = check(eve);
  CHECK_FALSE(unknown.good);
  CHECK(unknown.message.find("which is not among the trusted keys") != std::string::npos);
  keys = {{"signers", Secret("eve@shop.example namespaces=\"git\" " + read_file(eve + ".pub"))}};
  CHECK(check(eve).by.starts_with("eve@shop.example"));
  keys = {{"empty", Secret("# nothing\n")}};
  CHECK_FALSE(bed.repository->verify(bed.must_fetch(), keys));
}

TEST_CASE("OpenPGP signatures are checked with the keys of the Secret alone") {
  Bed bed;
  const std::string home = bed.remote.directory() + "/gnupg";
  std::filesystem::create_directories(home);
  ::chmod(home.c_str(), 0700);
  const auto gpg = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback",
                                         "--passphrase", ""});
    const Exit exit = run(arguments, {}, Millis{60'000});
    INFO(exit.err);
    REQUIRE(exit.code == 0);
    return exit.out;
  };
  gpg({"--quick-generate-key", "Kim <kim@shop.example>", "ed25519", "sign", "never"});
  std::map<std::string, Secret> keys{{"kim.asc", Secret(gpg({"--armor", "--export", "kim@shop.example"}))}};
  const std::string wrapper = bed.remote.directory() + "/gpg.sh";
  write_file(wrapper, "#!/bin/sh\nexec gpg --homedir " + home + " --batch --pinentry-mode loopback --passphrase '' \"$@\"\n");
  ::chmod(wrapper.c_str(), 0755);
  bed.remote.write("a.yaml", "a: 1\n");
  bed.remote.git({"add", "--all"});
  bed.remote.git({"-c", "gpg.program=" + wrapper, "-c", "user.signingkey=kim@shop.example", "commit", "--quiet", "-S", "-m", "x"});
  bed.remote.git({"push", "--quiet", "--force", bed.remote.bare(), "HEAD:main"});
  const std::string commit = bed.must_fetch();
  auto good = bed.repository->verify(commit, keys);
  REQUIRE(good);
  INFO(good->message);
  CHECK(good->good);
  CHECK(good->by.starts_with("Kim <kim@shop.example>"));
  auto unknown = bed.repository->verify(commit, {{"kim", Secret(read_file(bed.remote.make_key("k") + ".pub"))}});
  REQUIRE(unknown);
  CHECK_FALSE(unknown->good);
  CHECK(unknown->message.find("not among the trusted keys") != std::string::npos);
  run({"gpgconf", "--homedir", home, "--kill", "all"});
}
