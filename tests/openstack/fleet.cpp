#include "openstack/fleet.hpp"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>
#include <stdexcept>
#include "providers/http/client.hpp"
#include "providers/openstack/lists.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

using openstack::Service;

std::string bin(const char* name) { return std::string(TROVE_BIN_DIR) + "/" + name; }

std::string setting(const char* name, std::string otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? text : otherwise;
}

// Free a moment ago; nobody else here takes ports by number.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  ::close(fd);
  return ntohs(address.sin_port);
}

void nap(Millis d) { ::poll(nullptr, 0, static_cast<int>(d.count())); }

}  // namespace

Fleet::Fleet(int observe_seconds) {
  real_ = !setting("TROVE_RIG_SERVICE", "").empty();
  if (real_) {
    network_ = setting("TROVE_NETWORK", "rig-net");
    image_ = setting("TROVE_IMAGE", "empty");
    cloud_ = setting("TROVE_CLOUD", "trove");
    admin_ = setting("TROVE_ADMIN", "admin");
  } else {
    const std::string clouds_yaml = dir_ / "clouds.yaml";
    sim_ = std::make_unique<Process>(std::vector<std::string>{bin("trove-sim-cloud"), "--clouds-yaml", clouds_yaml});
    if (!sim_->wait_for("/v3", Millis{20'000})) throw std::runtime_error("no simulated cloud: " + sim_->err());
    const std::string line = sim_->out();
    const size_t begin = line.find("http://");
    sim_url_ = line.substr(begin, line.find("/v3") - begin);
    ::setenv("OS_CLIENT_CONFIG_FILE", clouds_yaml.c_str(), 1);
  }
  guests_ = std::make_unique<Process>(
      std::vector<std::string>{bin("trove-sim-guests"), "--quick", "--os-cloud", admin_, "--state", dir_ / "guests"});
  if (!guests_->wait_for("ready", Millis{20'000})) throw std::runtime_error("no guests: " + guests_->err());
  transport_ = openstack::make_transport("");
  const auto sign_in = [this](const std::string& cloud) {
    auto config = openstack::read_config(openstack::config_input(cloud));
    if (!config) throw std::runtime_error(to_string(config.error()));
    auto session = std::make_unique<openstack::Session>(std::move(*config), *transport_, clock_, rng_);
    session->set_microversion(Service::compute, "compute 2.79");
    return session;
  };
  session_ = sign_in(cloud_);
  admin_session_ = sign_in(admin_);
  system_ = std::make_unique<System>(std::vector<std::string>{
      "--cloud", "openstack", "--os-cloud", cloud_, "--network", network_, "--image", image_, "--guest-url",
      "https://127.0.0.1:" + std::to_string(free_port()), "--observe-period", std::to_string(observe_seconds)});
}

Fleet::~Fleet() {
  system_.reset();
  for (const auto& [service, path] : planted_) (void)session_->send({service, "DELETE", path, {}, {}});
}

void Fleet::plant(Service service, const std::string& path, const std::string& key, Value thing) {
  const Value made = ask(service, "POST", path, Value::map({{key, std::move(thing)}}));
  planted_.emplace_back(service, path + "/" + made[key]["id"].text());
}

std::string Fleet::persist(std::vector<std::string> arguments, const std::string& input, int seconds) {
  Exit last;
  const Millis end = clock_.monotonic() + Millis{seconds * 1'000};
  while (clock_.monotonic() < end) {
    last = system_->ctl(arguments, input);
    if (last.code == 0) return last.out;
    nap(Millis{100});
  }
  throw std::runtime_error("trovectl " + arguments.front() + " never succeeded: " + last.out + last.err);
}

void Fleet::kill_again_and_again(int times) {
  for (int i = 0; i < times; ++i) {
    nap(Millis{static_cast<int64_t>(100 + rng_.next() % 1'900)});
    system_->kill();
    system_->start();
  }
}

std::string Fleet::settle(const std::string& yaml, int seconds) {
  Exit exit = system_->ctl({"wait", "--for=Synced", "-f", "-", "--timeout=" + std::to_string(seconds) + "s"}, yaml,
                           Millis{(seconds + 30) * 1'000});
  if (exit.code == 0) return "";
  std::string out = exit.out + exit.err;
  for (const char* what : {"get", "events"})
    out += system_->ctl({what, std::string(what) == "get" ? "databaseinstances" : "--limit=50"}).out;
  return out + system_->log().substr(std::max<size_t>(system_->log().size(), 6'000) - 6'000);
}

std::vector<Value> Fleet::list(Service service, const std::string& path, const std::string& key) {
  auto rows = openstack::list_all(*session_, {service, path, key, ""});
  if (!rows) throw std::runtime_error(path + ": " + rows.error().error.message);
  return *rows;
}

Value Fleet::ask(Service service, const std::string& method, const std::string& path, Value body) {
  auto reply = session_->send({service, method, path, std::move(body), {}});
  if (!reply) throw std::runtime_error(method + " " + path + ": " + reply.error().error.message);
  return reply->body;
}

std::string Fleet::network_id() {
  for (const Value& network : list(Service::network, "/networks", "networks"))
    if (network["name"].text() == network_) return network["id"].text();
  throw std::runtime_error("no network " + network_);
}

void Fleet::break_server(const std::string& id) {
  if (!real_) {
    auto client = *http::Client::make({.base_url = sim_url_});
    auto answer = client->call({.method = "POST", .path = "/sim/servers/" + id + "/break"});
    if (!answer || answer->status != 204) throw std::runtime_error("the simulated cloud breaks nothing");
    return;
  }
  auto reply = admin_session_->send(
      {Service::compute, "POST", "/servers/" + id + "/action",
       Value::map({{"os-resetState", Value::map({{"state", "error"}})}}), {}});
  if (!reply) throw std::runtime_error(reply.error().error.message);
}

void Fleet::service(const std::string& name, bool on) {
  if (real_) {
    Exit exit = run({"sh", "-c", setting("TROVE_RIG_SERVICE", "false") + " " + name + (on ? " start" : " stop")}, {},
                    Millis{120'000});
    if (exit.code != 0) throw std::runtime_error(name + ": " + exit.out + exit.err);
    return;
  }
  static const std::map<std::string, std::string> kTypes = {
      {"nova-api", "compute"}, {"cinder-api", "volume"}, {"keystone", "identity"}, {"neutron-server", "network"}};
  auto client = *http::Client::make({.base_url = sim_url_});
  http::Call call{.method = on ? "DELETE" : "POST", .path = "/sim/faults"};
  if (!on)
    call.body = dump_json(Value::map(
        {{"faults", Value::list({Value::map({{"kind", "error"}, {"service", kTypes.at(name)}, {"status", 503}})})},
         {"expireTokens", name == "keystone"}}));
  auto answer = client->call(call);
  if (!answer || answer->status / 100 != 2) throw std::runtime_error("the simulated cloud takes no faults");
}

}  // namespace trove
