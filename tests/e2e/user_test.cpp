// The same system for somebody who is not root.
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "support/system.hpp"

using namespace trove;

TEST_CASE("an ordinary user runs every engine") {
  if (::geteuid() != 0) {
    SUCCEED("every other test runs as an ordinary user already");
    return;
  }
  TempDir dir;
  const std::string home = dir / "home";
  REQUIRE(::mkdir(home.c_str(), 0755) == 0);
  REQUIRE(::chown(home.c_str(), 65534, 65534) == 0);
  // The programs must be reachable for that user wherever the tree lies.
  for (const char* name : {"troved", "trovectl", "trove-guest"})
    std::filesystem::copy_file(std::string(TROVE_BIN_DIR) + "/" + name, dir / name);
  const std::string subnet = "127." + std::to_string(221 + ::getpid() % 20) + ".0.0/16";
  std::string yaml;
  for (const char* engine : {"mariadb", "postgresql", "redis", "memcached"})
    yaml += std::string("---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: ") + engine +
            "-1}\nspec: {datastore: {type: " + engine + "}, flavor: db.nano" +
            (std::string(engine) == "memcached" ? "" : ", volume: {size: 1}") + "}\n";
  write_file(dir / "all.yaml", yaml);
  ::chmod((dir / "all.yaml").c_str(), 0644);
  const std::string script = R"SH(
set -e
cd "$HOME"
"$BIN/troved" --data "$HOME/data" --listen 127.0.0.1:0 --subnet "$SUBNET" 2>"$HOME/log" &
daemon=$!
trap 'kill -9 $daemon; for p in /proc/[0-9]*; do tr "\0" "\n" <$p/environ 2>/dev/null | grep -q "^TROVE_SERVER=" && [ "$(stat -c %u $p)" = 65534 ] && kill -9 ${p#/proc/}; done' EXIT
for i in $(seq 100); do grep -q ready "$HOME/log" && break; sleep 0.1; done
export TROVE_DATA="$HOME/data"
"$BIN/trovectl" apply -f "$BIN/all.yaml" --wait --timeout=120s
"$BIN/trovectl" get inst
)SH";
  ProcessOptions options;
  options.env = {"HOME=" + home, "BIN=" + dir.path().string(), "SUBNET=" + subnet,
                 "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"};
  options.clean_env = true;
  options.directory = home;
  Exit exit = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", script}, options,
                  Millis{180'000});
  INFO(exit.out << exit.err << read_file(home + "/log"));
  CHECK(exit.code == 0);
  for (const char* engine : {"mariadb-1", "postgresql-1", "redis-1", "memcached-1"})
    CHECK(exit.out.find(engine) != std::string::npos);
}
