#include "reconciler/loop/hub.hpp"

#include <algorithm>

#include "specs/core/digest.hpp"

namespace trove {

Secret guest_bearer(const Sealer& sealer, const Token& server) {
  const std::string text = to_string(server);
  return Secret(text + "." + sealer.derive("guest-token:" + text).reveal());
}

void Hub::on_report(OnReport callback) {
  std::lock_guard lock(mutex_);
  on_report_ = std::move(callback);
}

void Hub::on_waiting(std::function<void(const std::string& server)> callback) {
  std::lock_guard lock(mutex_);
  on_waiting_ = std::move(callback);
}

void Hub::ask_whether_leading(std::function<bool()> leads) {
  std::lock_guard lock(mutex_);
  leads_ = std::move(leads);
}

// "/objects/<key>?expires=<seconds>"; "" stays so.
Result<void> Hub::sign(std::string_view method, std::string& url, Signed what) const {
  if (!sign_ || url.empty()) return {};
  constexpr std::string_view kBefore = "/objects/", kExpires = "?expires=";
  const size_t question = url.find(kExpires);
  TROVE_CHECK(url.starts_with(kBefore) && question != std::string::npos);
  const std::string key = url.substr(kBefore.size(), question - kBefore.size());
  const Time expires{std::atoll(url.c_str() + question + kExpires.size()) * 1000};
  Result<std::string> made = sign_(std::string(method), key, expires, what);
  if (!made) return tl::unexpected(made.error());
  url = std::move(*made);
  return {};
}

Result<std::string> Hub::put(const Token& server, const guest::Document& planned) {
  Entry entry{planned, ""};
  for (guest::BackupOrder& order : entry.document.backups) {
    auto made = sign("PUT", order.upload_url);
    if (made) made = sign("PUT", order.segments_url, Signed::prefix);
    if (!made) return tl::unexpected(made.error());
  }
  if (entry.document.restore) {
    auto made = sign("GET", entry.document.restore->download_url);
    if (made) made = sign("GET", entry.document.restore->segments_url, Signed::prefix);
    if (!made) return tl::unexpected(made.error());
  }
  entry.digest = guest::digest(entry.document);
  std::string digest = entry.digest;
  {
    std::lock_guard lock(mutex_);
    // Not the highest ever: a server that was asked for earlier and came late may be the one that is left.
    incarnation_[{server.uid, server.role}] = server.incarnation;
    entries_[to_string(server)] = std::move(entry);
  }
  changed_.notify_all();
  return digest;
}

void Hub::retire(const Token& server) {
  {
    std::lock_guard lock(mutex_);
    entries_.erase(to_string(server));
  }
  changed_.notify_all();
}

void Hub::retire_all() {
  {
    std::lock_guard lock(mutex_);
    entries_.clear();
  }
  changed_.notify_all();
}

std::optional<std::string> Hub::authenticate(std::string_view bearer) {
  const size_t dot = bearer.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::optional<Token> token = token_from(bearer.substr(0, dot));
  if (!token) return std::nullopt;
  const Secret expected = guest_bearer(sealer_, *token);
  if (!same_bytes(expected.reveal(), bearer) || !admits(bearer.substr(0, dot))) return std::nullopt;
  return to_string(*token);
}

bool Hub::admits(std::string_view server) {
  const std::optional<Token> token = token_from(server);
  if (!token) return false;
  std::lock_guard lock(mutex_);
  auto newest = incarnation_.find({token->uid, token->role});
  return newest == incarnation_.end() || token->incarnation >= newest->second;
}

Result<std::optional<guest::Document>> Hub::document(const std::string& server, const std::string& after, Millis wait) {
  std::unique_lock lock(mutex_);
  auto news = [&] {
    if (stopping_) return true;
    auto entry = entries_.find(server);
    return entry != entries_.end() && entry->second.digest != after;
  };
  if (on_waiting_ && !stopping_ && !entries_.contains(server)) {
    const auto callback = on_waiting_;
    lock.unlock();
    callback(server);
    lock.lock();
  }
  // A wait of nothing must not ask the kernel: even a deadline in the past costs a sleep of its timer's slack.
  if (wait > Millis{0}) changed_.wait_for(lock, wait, news);
  auto entry = entries_.find(server);
  if (entry == entries_.end() || entry->second.digest == after || stopping_) return std::optional<guest::Document>{};
  if (leads_ && !leads_()) return std::optional<guest::Document>{};
  return std::optional<guest::Document>(entry->second.document);
}

Result<void> Hub::report(const std::string& server, guest::Report report) {
  OnReport callback;
  {
    std::lock_guard lock(mutex_);
    callback = on_report_;
  }
  if (callback) callback(server, std::move(report));
  return {};
}

void Hub::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

}  // namespace trove
