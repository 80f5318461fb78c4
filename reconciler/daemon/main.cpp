// troved: wires everything, decides nothing.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "providers/http/server.hpp"
#include "reconciler/api/api.hpp"
#include "reconciler/daemon/break_glass_timer.hpp"
#include "reconciler/daemon/site.hpp"
#include "reconciler/gitops/gitops.hpp"
#include "reconciler/loop/runner.hpp"
#include "reconciler/simulate/rehearse.hpp"
#include "specs/core/log.hpp"
#include "specs/core/real.hpp"

using namespace trove;

namespace {

constexpr Millis kPlanWait{2'000};
constexpr const char* kVersion = "0.1.0";
constexpr int kExecutorThreads = 8;
constexpr int64_t kLeastSegment = 64 << 10, kMostSegment = int64_t{5} << 30;

struct Options {
  std::string data;
  std::string listen = "127.0.0.1:7780";
  std::string cloud = "local";
  SiteOptions site{.subnet = "127.77.0.0/16"};
  std::string tls_certificate, tls_key;
  std::vector<std::string> git_allow;
  int64_t segment_bytes = guest::kSegmentBytes;
  std::string log_format = "text", log_level = "info";
};

int die(const std::string& what, const Error& error) {
  std::cerr << "troved: " << what << ": " << error.message << "\n";
  if (!error.hint.empty()) std::cerr << "        " << error.hint << "\n";
  return error.code == Code::invalid ? 2 : 1;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The API's tokens: made once, 0600; a file that others can read is refused rather than trusted.
Result<std::string> token_file(const std::string& path, Rng& rng) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (info.st_mode & 077) return fail(Code::denied, path + " can be read by others", "chmod 600 " + path);
    return read_file(path);
  }
  const std::string text = random_text(rng, 43) + "\n";
  if (auto written = write_private(path, text); !written) return tl::unexpected(written.error());
  return text;
}

// systemd's readiness protocol is one datagram.
void notify_systemd(const char* state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ::sendto(fd, state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(fd);
}

int run(const Options& options) {
  RealClock clock;
  RealRng rng;
  auto [address, port] = split_address(options.listen);
  if (port < 0)
    return die("--listen",
               {Code::invalid, "\"" + options.listen + "\" is not ADDRESS:PORT", "for example 127.0.0.1:7780"});
  const bool tls = !options.tls_certificate.empty();
  if (!tls && !address.starts_with("127.") && address != "localhost" && address != "[::1]")
    return die("--listen", {Code::denied, address + " leaves this machine, and there is no TLS",
                            "give --tls-certificate and --tls-key, or listen on 127.0.0.1"});
  if (::mkdir(options.data.c_str(), 0711) != 0 && errno != EEXIST)
    return die(options.data,
               {Code::unavailable, std::strerror(errno), "give a directory that this user may write, with --data"});

  auto allowed = gitops::Allowed::parse(options.git_allow);
  if (!allowed) return die("--git-allow", allowed.error());

  auto store = open_sqlite_store(options.data + "/trove.db", clock);
  if (!store) return die("the store", store.error());
  auto sealer = Sealer::open(options.data + "/master.key", true, rng);
  if (!sealer) return die("the master key", sealer.error());
  auto tokens = token_file(options.data + "/token", rng);
  if (!tokens) return die("the token file", tokens.error());

  // Guests keep the address that they were given: with port 0 the one of last time is taken again.
  const std::string endpoint_file = options.data + "/endpoint";
  if (port == 0) {
    const std::string last = first_line(read_file(endpoint_file));
    if (size_t at = last.rfind(':'); at != std::string::npos) port = std::atoi(last.c_str() + at + 1);
  }
  std::atomic<Api*> api{nullptr};
  http::ServerOptions http_options;
  http_options.address = address;
  http_options.port = port;
  http_options.tls_certificate = options.tls_certificate;
  http_options.tls_key = options.tls_key;
  auto classify = [&api](const http::Request& request) {
    Api* ready = api.load();
    return ready ? ready->classify(request) : http::Route{};
  };
  auto handle = [&api](const http::Request& request, const http::Read& read) {
    if (Api* ready = api.load()) return ready->handle(request, read);
    http::Response starting;
    starting.status = 503;
    starting.headers.emplace_back("Retry-After", "1");
    return starting;
  };
  auto server = http::Server::start(http_options, classify, handle);
  if (!server && port != 0 && options.listen.ends_with(":0")) {
    http_options.port = 0;  // somebody else has last time's port
    server = http::Server::start(http_options, classify, handle);
  }
  if (!server) return die("listening on " + options.listen, server.error());
  const std::string url = std::string(tls ? "https://" : "http://") + address + ":" + std::to_string((*server)->port());

  SiteOptions site_options = options.site;
  site_options.data = options.data;
  site_options.url = url;
  auto site = options.cloud == "openstack" ? open_openstack_site(site_options, **store, *sealer, clock, rng)
                                           : open_local_site(site_options, *sealer, clock, rng);
  if (!site) return die("the cloud", site.error());
  Hub hub(*sealer, (*site)->sign());
  Objects objects(**store, clock);
  int status = 0;
  {
    ThreadExecutor executor(kExecutorThreads);
    LoopOptions loop_options = (*site)->loop_options();
    loop_options.plan_wait = kPlanWait;
    loop_options.backup_segment_bytes = options.segment_bytes;
    Loop loop(objects, (*site)->cloud(), *sealer, hub, executor, clock, rng, loop_options);
    Applier applier(objects, *sealer, rng, clock);
    BreakGlassTimer break_glass(applier, clock);
    PlanBook plans(objects, applier, *sealer, rng, clock, loop);
    gitops::Gitops repositories({.objects = objects,
                                 .sealer = *sealer,
                                 .rng = rng,
                                 .clock = clock,
                                 .process_clock = clock,
                                 .apply = [&applier](const ApplyOrder& order) { return applier.apply(order); },
                                 .members = [&applier](const std::string& project,
                                                       const std::string& set) { return applier.members(project, set); },
                                 .plans = plans,
                                 .data = options.data + "/git",
                                 .allowed = std::move(*allowed)});
    if (auto loaded = repositories.load(); !loaded) return die("the repositories", loaded.error());
    Api service(ApiOptions{.objects = objects,
                           .applier = applier,
                           .sealer = *sealer,
                           .rng = rng,
                           .clock = clock,
                           .plans = loop,
                           .guests = hub,
                           .object_store = (*site)->object_store(),
                           .joins = (*site)->joins(),
                           .loop = loop,
                           .git = &repositories,
                           .cloud_requests = [&site = **site] { return site.requests(); },
                           .tokens = *tokens,
                           .version = kVersion});
    auto runner = Runner::start(loop, **store);
    if (!runner) return die("the loop", runner.error());
    if (auto started = repositories.start(); !started) return die("the repositories", started.error());
    (*site)->on_change([&loop] { loop.cloud_changed(); });
    if (auto started = (*site)->start(service); !started) return die("the guests' door", started.error());
    api = &service;
    if (auto written = write_private(endpoint_file, url + "\n"); !written) return die(endpoint_file, written.error());
    log::info("ready",
              {{"url", url}, {"data", options.data}, {"cloud", (*site)->cloud().name()}, {"version", kVersion}});
    notify_systemd("READY=1");

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int signal = 0;
    sigwait(&signals, &signal);
    notify_systemd("STOPPING=1");
    log::info("stopping", {{"signal", signal}});
    hub.stop();
    repositories.stop();
    (*site)->stop();
    (*server)->stop();
    api = nullptr;
    runner->reset();
    executor.stop();  // before the loop that its work reports to
  }
  return status;
}

// `troved simulate`: needs no data directory, listens nowhere and touches no cloud.
int simulate_files(int argc, char** argv) {
  simulate::Rehearsal rehearsal;
  std::string output;
  CLI::App app{"troved simulate: what would become of these files, under faults, in a simulated cloud."};
  app.add_option("-f,--filename", rehearsal.files, "File, folder or - (standard input); may be repeated")->required();
  app.add_option("--faults", rehearsal.faults, "default, none, all, or names: crash,late,lose-server")
      ->capture_default_str();
  app.add_option("--runs", rehearsal.runs, "How many schedules of faults")->capture_default_str();
  app.add_option("--seed", rehearsal.seed, "Of the first schedule")->capture_default_str();
  app.add_option("--schedule", rehearsal.schedule, "One run of exactly these faults: 'crash 17; late 2 800'");
  app.add_flag("--trace", rehearsal.trace, "One run, with everything that happens");
  app.add_option("-o,--output", output, "json")->check(CLI::IsMember({"json"}));
  CLI11_PARSE(app, argc, argv);
  rehearsal.json = output == "json";
  return simulate::rehearse(rehearsal, std::cin, std::cout, std::cerr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "simulate") return simulate_files(argc - 1, argv + 1);
  Options options;
  CLI::App app{"troved: the control plane of trove. Servers that it made keep running when it ends."};
  app.add_option("--data", options.data, "Directory of the store, keys and the local cloud")->required();
  app.add_option("--listen", options.listen, "ADDRESS:PORT of the REST API; port 0 picks one and keeps it")
      ->capture_default_str();
  app.add_option("--cloud", options.cloud, "Where servers are made")
      ->check(CLI::IsMember({"local", "openstack"}))
      ->capture_default_str();
  app.add_option("--git-allow", options.git_allow,
                 "Which repositories a GitSource may name: HOST, *.DOMAIN, HOST/PATH or, for file://, an absolute "
                 "directory; may be repeated. Without it: none");
  app.add_option("--backup-segment-size", options.segment_bytes,
                 "Bytes, or 512MiB, 2GiB: larger backups are stored as several objects; no more than the object store "
                 "takes (Swift: swift.max_file_size of GET /info)")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::Range(kLeastSegment, kMostSegment))
      ->default_str("1GiB");
  app.add_option("--tls-certificate", options.tls_certificate, "PEM file");
  app.add_option("--tls-key", options.tls_key, "PEM file")->needs("--tls-certificate");
  app.add_option("--log-format", options.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  SiteOptions& site = options.site;
  auto* local = app.add_option_group("The local cloud");
  local->add_option("--guest-program", site.guest_program, "Path of trove-guest; default: beside troved");
  local->add_option("--subnet", site.subnet, "Loopback addresses of ports")->capture_default_str();
  auto* openstack = app.add_option_group("OpenStack");
  openstack->add_option("--os-cloud", site.os_cloud,
                        "Its name in clouds.yaml; default: OS_CLOUD, or the other OS_* variables");
  openstack->add_option("--network", site.network, "Name or id: where servers get their addresses");
  openstack->add_option("--image", site.images,
                        "Name or id of what servers boot from; \"mariadb=NAME\" or \"mariadb 10.11=NAME\" for one "
                        "datastore only; may be repeated");
  openstack->add_option("--guest-url", site.guest_url, "https://HOST:PORT of this control plane, as machines reach it");
  openstack->add_option("--guest-listen", site.guest_listen, "ADDRESS:PORT behind it; default: the same");
  openstack->add_option("--availability-zone", site.availability_zone, "Of servers and volumes; default: the cloud's");
  openstack->add_option("--external-network", site.external_network,
                        "Where floating IPs for access.public come from: name or id; keep it while there are any");
  openstack->add_option("--key-pair", site.key_pair, "Nova's; for a look into servers");
  openstack
      ->add_option("--observe-period", site.observe_seconds,
                   "Seconds between looks at a cloud in which nothing of ours moves")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  openstack
      ->add_option("--remove-leaks-after", site.remove_leaks_hours,
                   "Hours; then servers and ports with our mark and without an owner go. Without it they are only "
                   "reported (trovectl leaks). Not where another control plane uses the same project")
      ->check(CLI::Range(1, 24 * 365));
  openstack->add_option("--container", site.container, "Of backups, in Swift")->capture_default_str();
  app.set_version_flag("--version", std::string("troved ") + kVersion);
  app.footer("troved simulate --help: try files out in a simulated cloud");
  CLI11_PARSE(app, argc, argv);
  // Every thread inherits the mask; only sigwait in run() takes these.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const auto level = options.log_level == "debug"     ? log::Level::debug
                     : options.log_level == "warning" ? log::Level::warning
                     : options.log_level == "error"   ? log::Level::error
                                                      : log::Level::info;
  log::configure(level, options.log_format == "json" ? log::Format::json : log::Format::text);
  umask(022);
  return run(options);
}
