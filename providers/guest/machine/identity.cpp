#include "providers/guest/machine/identity.hpp"
#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include "providers/guest/engines/files.hpp"
#include "providers/pki/pki.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostFile = 64u << 10;
constexpr size_t kMostAnswer = 256u << 10;
constexpr Millis kAskDeadline{30'000};
constexpr int kMostSetAside = 100;

// The server said no; to ask again at once would be no use.
bool is_refusal(int status) { return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429; }

std::string reason_in(const std::string& body) {
  auto json = parse_json(body.substr(0, kMostFile));
  for (const char* name : {"detail", "message", "title"}) {
    if (json && !(*json)[name].text().empty()) return (*json)[name].text().substr(0, 300);
  }
  return "";
}

}  // namespace

Identity::Identity(const Places& places, Join join, std::shared_ptr<Door> door, const Clock& clock, Rng& rng, Pace pace)
    : places_(places), join_(std::move(join)), door_(std::move(door)), clock_(clock), rng_(rng), pace_(pace) {}

Result<void> Identity::open() {
  if (auto made = make_directory(places_.state, 0711); !made) return made;
  const std::string token = sha256_hex(join_.token.reveal());
  auto record = read_file(file("identity.json"), kMostFile);
  if (!record && record.error().code != Code::not_found) return tl::unexpected<Error>(record.error());
  auto json = record ? parse_json(*record) : Result<Value>(Value());
  const std::string server = json ? (*json)["server"].text() : "";
  if (server != join_.server || (*json)["token_sha256"].text() != token) {
    if (auto done = start_afresh(server); !done) return done;
    const Value v = Value::map({{"server", join_.server}, {"token_sha256", token}});
    if (auto kept = write_file(file("identity.json"), dump_json(v) + "\n", 0600); !kept) return kept;
  }
  if (!join_.ca.empty()) {
    if (auto kept = write_file_if_changed(file("ca.pem"), join_.ca, 0644); !kept)
      return tl::unexpected<Error>(kept.error());
  }
  if (auto loaded = load_key(); !loaded) return loaded;
  load_certificate();
  return make_directory(file("server"), 0711);
}

// The record is written after the old key is gone and before the new one is made, so a key always belongs to it.
Result<void> Identity::start_afresh(const std::string& other_server) {
  for (const char* name : {"certificate.pem", "key.pem"}) {
    if (unlink(file(name).c_str()) != 0 && errno != ENOENT) {
      return fail(Code::unavailable, "cannot remove " + file(name) + ": " + strerror(errno));
    }
  }
  if (!other_server.empty())
    log::info("this machine was another server, or joins anew", {{"was", other_server}, {"is", join_.server}});
  if (other_server == join_.server || !exists(file("server"))) return {};
  // Documents and perhaps data of somebody else: neither ours to use nor ours to delete.
  for (int i = 1; i <= kMostSetAside; ++i) {
    const std::string aside = file("server") + ".other-" + std::to_string(i);
    if (exists(aside)) continue;
    log::warning("the other server's directory is set aside", {{"path", aside}});
    return rename_durably(file("server"), aside);
  }
  return fail(Code::denied, "too many directories were set aside in " + places_.state);
}

Result<void> Identity::load_key() {
  auto text = read_file(file("key.pem"), kMostFile);
  if (text && pki::request_for(Secret(*text))) {
    key_ = Secret(std::move(*text));
    return {};
  }
  if (text) log::error("the key cannot be read; a new one is made", {{"path", file("key.pem")}});
  auto made = pki::make_request();
  if (!made) return tl::unexpected<Error>(made.error());
  // Before the token is used: an answer that is lost can be asked for again, but only with the same key.
  if (auto kept = write_file(file("key.pem"), made->key.reveal(), 0600); !kept) return kept;
  key_ = std::move(made->key);
  return {};
}

void Identity::load_certificate() {
  auto text = read_file(file("certificate.pem"), kMostFile);
  if (!text) return;
  auto validity = pki::validity_of(*text);
  auto fits = http::Client::make({.base_url = join_.endpoint,
                                  .ca_file = join_.ca.empty() ? "" : file("ca.pem"),
                                  .client_certificate = file("certificate.pem"),
                                  .client_key = file("key.pem")});
  if (!validity || !fits) {
    log::error("the certificate is of no use; joining again",
               {{"error", validity ? fits.error().message : validity.error().message}});
    return;
  }
  until_ = validity->until;
  renew_at_ = {validity->from.ms + (validity->until.ms - validity->from.ms) / 3 * 2};
  open_door();
}

void Identity::open_door() {
  door_->open({.url = join_.endpoint,
               .token = "",
               .ca_file = join_.ca.empty() ? "" : file("ca.pem"),
               .certificate = file("certificate.pem"),
               .key = file("key.pem")});
}

Result<void> Identity::take_certificate(const std::string& pem) {
  auto validity = pki::validity_of(pem);
  if (!validity) return tl::unexpected<Error>(validity.error());
  const std::string draft = file("certificate.draft");
  if (auto kept = write_file(draft, pem, 0644); !kept) return kept;
  auto fits = http::Client::make({.base_url = join_.endpoint,
                                  .ca_file = join_.ca.empty() ? "" : file("ca.pem"),
                                  .client_certificate = draft,
                                  .client_key = file("key.pem")});
  if (!fits) return tl::unexpected<Error>(fits.error());
  if (auto placed = rename_durably(draft, file("certificate.pem")); !placed) return placed;
  until_ = validity->until;
  renew_at_ = {validity->from.ms + (validity->until.ms - validity->from.ms) / 3 * 2};
  open_door();
  return {};
}

Result<std::string> Identity::ask(const std::string& path, bool known) {
  auto request = pki::request_for(key_);
  if (!request) return tl::unexpected<Error>(request.error());
  Value body = Value::map({{"request", *request}});
  if (!known) {
    body.set("server", join_.server);
    body.set("token", join_.token.reveal());
  }
  auto client = http::Client::make({.base_url = join_.endpoint,
                                    .ca_file = join_.ca.empty() ? "" : file("ca.pem"),
                                    .client_certificate = known ? file("certificate.pem") : "",
                                    .client_key = known ? file("key.pem") : "",
                                    .answer_bytes = kMostAnswer});
  if (!client) return tl::unexpected<Error>(client.error());
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return fail(Code::unavailable, "the agent is stopping");
    asking_ = client->get();
  }
  auto answer = (*client)->call({.method = "POST", .path = path, .body = dump_json(body), .deadline = kAskDeadline});
  {
    std::lock_guard lock(mutex_);
    asking_ = nullptr;
  }
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (answer->status != 200) {
    const std::string why = reason_in(answer->body);
    return fail(is_refusal(answer->status) ? Code::denied : Code::unavailable,
                "answered with " + std::to_string(answer->status) + (why.empty() ? "" : ": " + why));
  }
  auto json = parse_json(answer->body);
  if (!json || (*json)["certificate"].text().empty()) return fail(Code::unavailable, "the answer holds no certificate");
  return (*json)["certificate"].text();
}

Millis Identity::later(Millis base) {
  return Millis{base.count() * 3 / 4 + static_cast<int64_t>(rng_.next() % static_cast<uint64_t>(base.count() / 2 + 1))};
}

Millis Identity::step() {
  const Time now = clock_.wall();
  const bool known = until_.set() && now < until_;
  if (known && now < renew_at_) return std::clamp(renew_at_ - now, Millis{1}, pace_.look);
  if (until_.set() && !known && !expiry_said_) {
    expiry_said_ = true;
    log::error(
        "the certificate ran out and cannot be renewed; the join's token is tried once more, and when it is "
        "refused the control plane has to replace this server",
        {{"server", join_.server}, {"until", format_time(until_)}});
  }
  auto pem = ask(known ? "/guest/v1/renew" : "/guest/v1/join", known);
  auto done = pem ? take_certificate(*pem) : Result<void>(tl::unexpected<Error>(pem.error()));
  if (done) {
    log::info(known ? "the certificate was renewed" : "joined",
              {{"server", join_.server}, {"until", format_time(until_)}});
    failures_ = 0;
    said_.clear();
    expiry_said_ = false;
    // A clock that runs ahead makes each certificate look old at once: not in a circle.
    return std::clamp(renew_at_ - now, pace_.longest, pace_.look);
  }
  const bool refused = done.error().code == Code::denied;
  if (said_ != done.error().message) {
    said_ = done.error().message;
    log::error(known ? (refused ? "the certificate's renewal was refused; asking again now and then"
                                : "the certificate was not renewed; trying again")
                     : (refused ? "the join was refused: its token is used up or this server is not wanted any more; "
                                  "asking again now and then"
                                : "not joined yet; trying again"),
               {{"server", join_.server}, {"endpoint", join_.endpoint}, {"error", said_}});
  }
  if (refused) return later(pace_.refused);
  const Millis doubled = pace_.first * (int64_t{1} << std::min(failures_++, 12));
  return later(std::min(doubled, pace_.longest));
}

void Identity::run(const Cancel& stop) {
  while (!stop.is_set()) pause_for(step(), stop);
}

void Identity::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (asking_) asking_->stop();
}

}  // namespace trove::guest
