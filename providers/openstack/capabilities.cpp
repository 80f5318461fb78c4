#include "providers/openstack/capabilities.hpp"
#include <algorithm>
#include <charconv>

namespace trove::openstack {
namespace {

// The newest that this code was written for, and the oldest that it can do with. 2.47 shows a server's flavor by name,
// 2.52 takes tags at creation, 2.69 lists what is in a cell that is down; 3.42 grows a volume in use, 3.60 lists what
// changed.
constexpr std::pair<int, int> kNovaBest{2, 79}, kNovaLeast{2, 47}, kNovaTags{2, 52}, kNovaDownCells{2, 69};
constexpr std::pair<int, int> kCinderBest{3, 60}, kCinderGrows{3, 42}, kCinderLeast{3, 27};

std::string text(std::pair<int, int> version) {
  return std::to_string(version.first) + "." + std::to_string(version.second);
}

// {"version": {…}} or {"versions": [{…}]}: the newest that is offered.
std::pair<int, int> newest(const Value& document) {
  std::pair<int, int> best{0, 0};
  const auto consider = [&](const Value& entry) { best = std::max(best, parse_version(entry["version"].text())); };
  consider(document["version"]);
  for (const Value& entry : document["versions"].items()) consider(entry);
  return best;
}

Failure too_old(Service service, std::pair<int, int> has, std::pair<int, int> least) {
  return no_answer(service,
                   Error{Code::invalid, "microversion " + text(least) + " is needed, and it has " +
                                            (has.first == 0 ? "none" : "at most " + text(has))},
                   "");
}

tl::expected<void, Failure> probe_nova(Session& session, Capabilities& out) {
  auto document = session.version_document(Service::compute);
  if (!document) return tl::unexpected(document.error());
  const auto has = newest(*document);
  if (has < kNovaLeast) return tl::unexpected(too_old(Service::compute, has, kNovaLeast));
  out.nova = text(std::min(has, kNovaBest));
  session.set_microversion(Service::compute, "compute " + out.nova);
  out.server_tags = has >= kNovaTags;
  if (!out.server_tags)
    out.lost.push_back("nova " + out.nova +
                       " has no tags: a server whose create was not answered is found in lists only");
  if (has < kNovaDownCells)
    out.lost.push_back("nova " + out.nova + " leaves servers of a cell that is down out of its lists");
  return {};
}

tl::expected<void, Failure> probe_cinder(Session& session, Capabilities& out) {
  auto document = session.version_document(Service::volume);
  if (!document) return tl::unexpected(document.error());
  const auto has = newest(*document);
  if (has < kCinderLeast) return tl::unexpected(too_old(Service::volume, has, kCinderLeast));
  out.cinder = text(std::min(has, kCinderBest));
  session.set_microversion(Service::volume, "volume " + out.cinder);
  out.volume_changes = has >= kCinderBest;
  if (has < kCinderGrows) out.lost.push_back("cinder " + out.cinder + " grows no volume in use");
  return {};
}

tl::expected<void, Failure> probe_neutron(Session& session) {
  auto extensions = session.send({Service::network, "GET", "/extensions?fields=alias", {}, {}});
  if (!extensions) return tl::unexpected(extensions.error());
  const auto& all = extensions->body["extensions"].items();
  const auto has = [&](std::string_view alias) {
    return std::any_of(all.begin(), all.end(), [&](const Value& e) { return e["alias"].text() == alias; });
  };
  for (const char* needed : {"security-group", "standard-attr-description"})
    if (!has(needed))
      return tl::unexpected(
          no_answer(Service::network, Error{Code::invalid, std::string("its extension ") + needed + " is needed"}, ""));
  return {};
}

tl::expected<void, Failure> probe_swift(Session& session, Capabilities& out) {
  auto endpoint = session.endpoint(Service::object_store);
  if (endpoint) return {};
  if (endpoint.error().error.code != Code::invalid) return tl::unexpected(endpoint.error());
  out.object_store = false;
  out.lost.push_back("there is no object store: no backups");
  return {};
}

}  // namespace

std::pair<int, int> parse_version(std::string_view text) {
  std::pair<int, int> version{0, 0};
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return {0, 0};
  const auto number = [](std::string_view digits, int& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  if (!number(text.substr(0, dot), version.first) || !number(text.substr(dot + 1), version.second)) return {0, 0};
  return version;
}

tl::expected<void, Failure> probe(Session& session, Service service, Capabilities& out) {
  tl::expected<void, Failure> done;
  if (service == Service::compute) done = probe_nova(session, out);
  if (service == Service::volume) done = probe_cinder(session, out);
  if (service == Service::network) done = probe_neutron(session);
  if (service == Service::object_store) done = probe_swift(session, out);
  if (done) out.asked.insert(service);
  return done;
}

}  // namespace trove::openstack
