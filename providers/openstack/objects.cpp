// Swift: backups in one container, written and read by guests through URLs that end.
#include "providers/openstack/cloud.hpp"
#include "specs/core/digest.hpp"

namespace trove::openstack {
namespace {

constexpr const char* kUrlKey = "x-container-meta-temp-url-key";
constexpr size_t kLeastPage = 100;  // a Swift that gives fewer at once has no more

std::string encoded(std::string_view key) {
  std::string out;
  while (true) {
    const size_t slash = key.find('/');
    out += http::percent_encode(key.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    key.remove_prefix(slash + 1);
  }
}

}  // namespace

// Made, and told the key that signs its URLs, once for each life of this process.
Openstack::Answered<void> Openstack::ensure_container() {
  {
    std::lock_guard lock(mutex_);
    if (!object_base_.empty()) return {};
  }
  const std::string path = "/" + http::percent_encode(options_.container);
  auto there = get(Service::object_store, path + "?limit=1&format=json");
  if (!there && there.error().error.code != Code::not_found) return tl::unexpected(there.error());
  if (!there || there->headers[kUrlKey] != options_.object_key.reveal()) {
    auto made = session_.send({Service::object_store,
                               there ? "POST" : "PUT",
                               path,
                               {},
                               {{"X-Container-Meta-Temp-URL-Key", options_.object_key.reveal()}}});
    if (!made) return tl::unexpected(made.error());
  }
  auto base = session_.endpoint(Service::object_store);
  if (!base) return tl::unexpected(base.error());
  std::lock_guard lock(mutex_);
  object_base_ = std::move(*base);
  return {};
}

void Openstack::read_objects(const std::function<void(const Failure&)>& trouble) {
  objects_.whole = false;
  if (auto asked = ready(Service::object_store); !asked) return trouble(asked.error());
  if (!capabilities().object_store) return;
  if (auto container = ensure_container(); !container) return trouble(container.error());
  std::map<std::string, StoredObject> objects;
  std::string marker;
  for (size_t page = 0; page < kMostPages; ++page) {
    auto reply = get(Service::object_store, "/" + http::percent_encode(options_.container) + "?format=json" +
                                                (marker.empty() ? "" : "&marker=" + http::percent_encode(marker)));
    if (!reply) return trouble(reply.error());
    if (!reply->body.is_list())
      return trouble(refused(Service::object_store, Code::unavailable, "the answer holds no list"));
    for (const Value& object : reply->body.items()) {
      marker = object["name"].text();
      objects[marker] = {marker, object["bytes"].int_or(0)};
    }
    if (reply->body.size() < kLeastPage) {
      objects_ = {std::move(objects), true, clock_.monotonic(), {}};
      return;
    }
  }
}

Openstack::Answered<Outcome> Openstack::run(const DeleteStoredObject& action) {
  auto gone = session_.send({Service::object_store,
                             "DELETE",
                             "/" + http::percent_encode(options_.container) + "/" + encoded(action.key),
                             {},
                             {}});
  if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  return Outcome{action.key, gone ? gone->request_id : gone.error().request_id};
}

Result<std::string> Openstack::sign_url(std::string_view method, const std::string& key, Time expires, Signed what) {
  std::string base;
  {
    std::lock_guard lock(mutex_);
    base = object_base_;
  }
  if (base.empty()) return fail(Code::unavailable, "the object store has not been reached yet");
  const bool prefix = what == Signed::prefix;
  const std::string path = (prefix ? "prefix:" : "") + split_url(base).path + "/" + options_.container + "/" + key;
  const std::string seconds = std::to_string(expires.ms / 1000);
  // Swift signs the path as it is after decoding.
  const std::string signature =
      hmac_sha256_hex(options_.object_key.reveal(), std::string(method) + "\n" + seconds + "\n" + path);
  return base + "/" + http::percent_encode(options_.container) + "/" + encoded(key) + "?temp_url_sig=" + signature +
         "&temp_url_expires=" + seconds + (prefix ? "&temp_url_prefix=" + http::percent_encode(key) : "");
}

}  // namespace trove::openstack
