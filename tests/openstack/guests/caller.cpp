#include "openstack/guests/caller.hpp"
#include <filesystem>
#include "specs/core/digest.hpp"
#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr Millis kRetry{500};
// Cut off by a test more often than a real guest ever is.
constexpr guest::Identity::Pace kPace{Millis{200}, Millis{1'000}, Millis{2'000}, Millis{3'600'000}};

guest::Places places_in(const std::string& directory) {
  std::filesystem::create_directories(directory);
  return {.state = directory};
}

}  // namespace

std::optional<guest::Join> home_of(const std::string& user_data) {
  std::string text;
  if (!from_base64(user_data, text)) return std::nullopt;
  auto json = guest::join_in_user_data(text);
  if (!json) return std::nullopt;
  auto join = guest::parse_join(*json);
  if (!join) return std::nullopt;
  return std::move(*join);
}

Caller::Caller(guest::Join home, const std::string& directory, const Clock& clock, Rng& rng)
    : server_(home.server),
      door_(std::make_shared<guest::Door>()),
      identity_(places_in(directory), std::move(home), door_, clock, rng, kPace),
      plane_(guest::make_http_plane(door_)),
      joins_([this] {
        while (!powered_ && !guest::pause_for(kRetry, stop_)) {
        }
        if (auto opened = identity_.open(); !opened)
          log::warning("no identity", {{"server", server_}, {"why", opened.error().message}});
        else
          identity_.run(stop_);
      }),
      fetches_([this] { call_home(); }) {}

Caller::~Caller() {
  stop_.set();
  door_->shut();
  identity_.stop();
  plane_->stop();
  joins_.join();
  fetches_.join();
}

void Caller::call_home() {
  std::string said, after;
  while (!stop_.is_set()) {
    if (!powered_) {
      guest::pause_for(kRetry, stop_);
      continue;
    }
    auto document = plane_->fetch(after);
    if (!document) {
      if (document.error().message != said)
        log::warning("no document", {{"server", server_}, {"why", document.error().message}});
      said = document.error().message;
      guest::pause_for(kRetry, stop_);
      continue;
    }
    said.clear();
    if (!*document) continue;
    after = guest::digest(**document);
    std::lock_guard lock(mutex_);
    document_ = std::move(*document);
    heard_ = true;
  }
}

std::optional<guest::Document> Caller::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(document_, std::nullopt);
}

}  // namespace trove
