// This machine as a cloud.
#include <unistd.h>

#include "providers/local/local.hpp"
#include "reconciler/daemon/site.hpp"

namespace trove {
namespace {

std::string beside_me(const std::string& name) {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) return name;
  std::string me(path, static_cast<size_t>(length));
  return me.substr(0, me.rfind('/') + 1) + name;
}

class LocalSite final : public Site {
 public:
  LocalSite(std::unique_ptr<LocalCloud> cloud, std::string url) : cloud_(std::move(cloud)), url_(std::move(url)) {}
  Cloud& cloud() override { return *cloud_; }
  ObjectStore* object_store() override { return cloud_.get(); }
  Hub::Sign sign() override {
    return [this](const std::string& method, const std::string& key, Time expires, Signed what) -> Result<std::string> {
      return cloud_->sign_url(url_, method, key, expires, what);
    };
  }
  void on_change(std::function<void()> callback) override { cloud_->on_change(std::move(callback)); }
  void stop() override { cloud_->on_change({}); }

 private:
  const std::unique_ptr<LocalCloud> cloud_;
  const std::string url_;
};

}  // namespace

Result<std::unique_ptr<Site>> open_local_site(const SiteOptions& options, const Sealer& sealer, const Clock& clock,
                                              Rng& rng) {
  auto cloud = open_local_cloud(
      LocalOptions{.root = options.data + "/cloud",
                   .guest_program = options.guest_program.empty() ? beside_me("trove-guest") : options.guest_program,
                   .endpoint_url = options.url,
                   .guest_token = [&sealer](const Token& token) { return guest_bearer(sealer, token); },
                   .object_key = sealer.derive("object-urls"),
                   .subnet = options.subnet,
                   .clock = clock,
                   .rng = rng});
  if (!cloud) return tl::unexpected(cloud.error());
  return std::make_unique<LocalSite>(std::move(*cloud), options.url);
}

}  // namespace trove
