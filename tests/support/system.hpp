// The real thing: troved, trovectl, trove-guest and real engines, on loopback addresses and in a directory of their
// own. Owned by one test. Everything that it started is gone when it is.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace trove {

class System {
 public:
  System();  // over the local cloud
  explicit System(std::vector<std::string> cloud);  // arguments of troved: "--cloud", "openstack", …
  System(std::vector<std::string> arguments, bool local);  // local: over the local cloud, with these besides
  ~System();
  void start(const std::string& listen = "127.0.0.1:0");  // troved; waits until it is ready
  void stop();                                            // SIGTERM
  void kill();                                            // SIGKILL
  // SIGKILL to troved, every agent and every engine: what a power cut leaves.
  void power_cut();

  // trovectl with this daemon's endpoint and token.
  Exit ctl(std::vector<std::string> arguments, const std::string& input = "", Millis deadline = Millis{180'000});
  // The same, and it must succeed.
  std::string must(std::vector<std::string> arguments, const std::string& input = "");
  std::string apply(const std::string& yaml) { return must({"apply", "-f", "-"}, yaml); }
  std::string wait_ready(const std::string& object, int seconds = 90);
  std::string field(const std::string& object, const std::string& jsonpath);  // get -o jsonpath=…
  std::string password(const std::string& secret, const std::string& key = "password");
  std::string address(const std::string& instance);  // without the port
  void forget_address(const std::string& instance);  // a new instance of the same name has a new one

  // Real clients, the password by environment.
  Exit mariadb(const std::string& instance, const std::string& user, const std::string& password,
               const std::string& sql, const std::string& database = "");
  Exit psql(const std::string& instance, const std::string& user, const std::string& password,
            const std::string& database, const std::string& sql);
  Exit redis(const std::string& instance, const std::string& user, const std::string& password,
             std::vector<std::string> command);
  // The engine's own administrator, as somebody with a shell on the server would be.
  Exit mariadb_admin(const std::string& instance, const std::string& sql);

  std::string server_directory(const std::string& instance);
  std::vector<pid_t> agents();                                 // of this system, all servers
  std::vector<pid_t> processes(const std::string& name = "");  // with TROVE_SERVER, by comm prefix; "" = all
  std::string data() const { return dir_ / "data"; }
  std::string log() const;
  pid_t daemon_pid() const { return daemon_ ? daemon_->pid() : -1; }

 private:
  TempDir dir_;
  std::string subnet_;  // "127.133."
  std::vector<std::string> cloud_;
  std::unique_ptr<Process> daemon_;
  std::string log_;
  std::map<std::string, std::string> addresses_;
};

// True once `condition` holds; asked about every 50 ms.
bool eventually(const std::function<bool()>& condition, Millis deadline);
std::string trimmed(std::string text);

}  // namespace trove
