// A project of an OpenStack cloud. Machines call through a door of their own: TLS with a certificate of our authority,
// whose own certificate is in their user data, and nothing behind it but what is a guest's.
#include <map>

#include "providers/http/server.hpp"
#include "providers/openstack/openstack.hpp"
#include "providers/openstack/transport.hpp"
#include "providers/pki/pki.hpp"
#include "reconciler/daemon/site.hpp"
#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr Millis kServerLife{5 * 365 * 86'400'000LL};  // made anew at each start
constexpr size_t kMostGuests = 100'000;                 // long polls at once; each is a thread of little stack

tl::unexpected<Error> option(std::string name, std::string why, std::string hint) {
  return fail(Code::invalid, std::move(name) + ": " + std::move(why), std::move(hint));
}

// Says once what the cloud turned out to be able to do, and what that loses.
class OutspokenCloud final : public Cloud {
 public:
  explicit OutspokenCloud(openstack::OpenStackCloud& inner) : inner_(inner) {}
  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override {
    Inventory seen = inner_.observe(sought);
    const openstack::OpenStackCloud::Report report = inner_.report();
    const std::string now = report.nova + "/" + report.cinder;
    if (now != said_) {
      said_ = now;
      log::info("the cloud's versions", {{"nova", report.nova}, {"cinder", report.cinder}});
      for (const std::string& lost : report.lost) log::warning("this cloud lacks something", {{"what", lost}});
    }
    if (seen.trouble != trouble_) {
      trouble_ = seen.trouble;
      if (trouble_.empty())
        log::info("the cloud can be read in full");
      else
        log::warning("the cloud cannot be read in full", {{"why", trouble_}});
    }
    return seen;
  }
  Result<Outcome> perform(const CloudAction& action) override { return inner_.perform(action); }
  std::string_view name() const override { return inner_.name(); }

 private:
  openstack::OpenStackCloud& inner_;
  std::string said_, trouble_;  // one observation at a time
};

class OpenstackSite final : public Site {
 public:
  OpenstackSite(pki::Authority authority, Store& store, const Sealer& sealer, const Clock& clock, std::string url,
                Millis at_rest, Millis remove_leaks_after)
      : authority_(std::move(authority)),
        joins_(store, sealer, authority_, clock, std::move(url)),
        at_rest_(at_rest),
        remove_leaks_after_(remove_leaks_after) {}

  Result<void> open(openstack::Options options, http::ServerOptions gateway) {
    options.guest_endpoint = [this](const Token& server) -> Result<GuestEndpoint> { return joins_.endpoint(server); };
    options.guest_ca = authority_.certificate();
    auto opened = openstack::open_openstack_cloud(std::move(options));
    if (!opened) return tl::unexpected(opened.error());
    cloud_ = std::move(*opened);
    outspoken_ = std::make_unique<OutspokenCloud>(*cloud_);
    gateway_options_ = std::move(gateway);
    return {};
  }

  Cloud& cloud() override { return *outspoken_; }
  Joins* joins() override { return &joins_; }
  std::vector<CloudRequests> requests() const override { return cloud_->report().by_service; }
  LoopOptions loop_options() const override {
    LoopOptions out{.observe_period = at_rest_};
    if (remove_leaks_after_ > Millis{0}) out.remove_leaks_after = remove_leaks_after_;
    return out;
  }
  Hub::Sign sign() override {
    return [this](const std::string& method, const std::string& key, Time expires, Signed what) {
      return cloud_->sign_url(method, key, expires, what);
    };
  }
  Result<void> start(Api& api) override {
    auto server = http::Server::start(
        gateway_options_, [&api](const http::Request& request) { return api.classify(request); },
        [&api](const http::Request& request, const http::Read& read) { return api.handle_guest(request, read); });
    if (!server) return tl::unexpected(server.error());
    gateway_ = std::move(*server);
    log::info("guests may call", {{"url", joins_.url()}, {"port", gateway_->port()}});
    return {};
  }
  void stop() override {
    if (gateway_) gateway_->stop();
    gateway_.reset();
    cloud_->stop();
  }
  const pki::Authority& authority() const { return authority_; }

 private:
  const pki::Authority authority_;
  Joins joins_;
  const Millis at_rest_, remove_leaks_after_;
  std::unique_ptr<openstack::OpenStackCloud> cloud_;
  std::unique_ptr<OutspokenCloud> outspoken_;
  http::ServerOptions gateway_options_;
  std::unique_ptr<http::Server> gateway_;
};

}  // namespace

Result<std::unique_ptr<Site>> open_openstack_site(const SiteOptions& options, Store& store, const Sealer& sealer,
                                                  const Clock& clock, Rng& rng) {
  auto config = openstack::read_config(openstack::config_input(options.os_cloud));
  if (!config) return fail(Code::invalid, to_string(config.error()));
  if (options.network.empty())
    return option("--network", "which one do servers get their addresses from?", "give its name or id");
  std::map<std::string, std::string> images;
  for (const std::string& image : options.images) {
    const size_t equals = image.rfind('=');
    images[equals == std::string::npos ? "" : image.substr(0, equals)] = image.substr(equals + 1);
  }
  if (images.empty()) return option("--image", "what do servers boot from?", "give a name or id; see --help");
  const openstack::Url url = openstack::split_url(options.guest_url);
  constexpr std::string_view kHttps = "https://";
  const auto [host, port] = url.origin.starts_with(kHttps) ? split_address(url.origin.substr(kHttps.size()))
                                                           : std::pair<std::string, int>("", -1);
  if (host.empty() || port <= 0 || !url.path.empty())
    return option("--guest-url", "\"" + options.guest_url + "\" is not https://HOST:PORT",
                  "the address of this control plane as machines in the cloud can reach it");
  const auto [address, listen_port] =
      options.guest_listen.empty() ? std::pair(host, port) : split_address(options.guest_listen);
  if (address.empty() || listen_port < 0)
    return option("--guest-listen", "\"" + options.guest_listen + "\" is not ADDRESS:PORT", "for example 0.0.0.0:7781");

  auto authority = pki::Authority::open(options.data, clock);
  if (!authority) return tl::unexpected(authority.error());
  auto server = authority->issue_server({host}, kServerLife);
  if (!server) return tl::unexpected(server.error());
  http::ServerOptions gateway;
  gateway.address = address;
  gateway.port = listen_port;
  gateway.tls_certificate = options.data + "/gateway.pem";
  gateway.tls_key = options.data + "/gateway.key";
  gateway.client_ca_file = options.data + "/ca.pem";
  gateway.limits.connections = 2 * kMostGuests;
  gateway.limits.parked = kMostGuests;
  for (const auto& [path, text] : {std::pair(gateway.tls_certificate, server->certificate),
                                   std::pair(gateway.tls_key, server->key.reveal())})
    if (auto written = write_private(path, text); !written) return tl::unexpected(written.error());

  auto site = std::make_unique<OpenstackSite>(std::move(*authority), store, sealer, clock, url.origin,
                                              Millis{options.observe_seconds * 1'000},
                                              Millis{options.remove_leaks_hours * 3'600'000LL});
  auto opened = site->open(openstack::Options{.config = std::move(*config),
                                              .network = options.network,
                                              .images = std::move(images),
                                              .availability_zone = options.availability_zone,
                                              .external_network = options.external_network,
                                              .key_pair = options.key_pair,
                                              .container = options.container,
                                              .object_key = sealer.derive("object-urls"),
                                              .clock = clock,
                                              .rng = rng},
                           std::move(gateway));
  if (!opened) return tl::unexpected(opened.error());
  return site;
}

}  // namespace trove
