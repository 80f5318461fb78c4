#include "reconciler/simulate/faulty_cloud.hpp"

#include <algorithm>

namespace trove::simulate {
namespace {

using Kind = Fault::Kind;

// The half of a list that arrived before the connection broke.
template <class Thing>
void halve(std::vector<Thing>& things) {
  things.resize(things.size() / 2);
}

template <class Thing>
bool is(const Thing& thing, const Sought& sought) {
  return sought.id.empty() ? thing.token == sought.token : thing.id == sought.id;
}

// What is looked for directly is never stale: it takes the place of what an old list says of it.
template <class Thing>
void put_found(std::vector<Thing>& list, const std::vector<Thing>& fresh, const Sought& sought) {
  for (const Thing& found : fresh) {
    if (!is(found, sought)) continue;
    std::erase_if(list, [&](const Thing& old) { return old.id == found.id; });
    list.push_back(found);
  }
}

}  // namespace

Inventory FaultyCloud::observe(const std::vector<Sought>& sought) {
  const int64_t n = injector_.next_observation();
  Inventory seen = inner_.observe(sought);
  if (snapshots_) {
    snapshots_->push_back(std::make_shared<Inventory>(seen));
    if (const Fault* stale = injector_.aimed(Kind::stale, n)) {
      const auto last = static_cast<int64_t>(snapshots_->size()) - 1;
      const Inventory& old = *(*snapshots_)[static_cast<size_t>(std::max<int64_t>(0, last - stale->value))];
      const Inventory fresh = std::move(seen);
      seen = old;
      seen.as_of = fresh.as_of;
      seen.absent = fresh.absent;
      for (const Sought& one : sought) {
        put_found(seen.servers, fresh.servers, one);
        put_found(seen.volumes, fresh.volumes, one);
        put_found(seen.ports, fresh.ports, one);
      }
      injector_.say(plane_, "sees observation " + std::to_string(n) + " as it was " + std::to_string(stale->value) +
                                " observations before");
    }
  }
  if (injector_.lasting(Kind::hidden)) {
    std::erase_if(seen.servers, [&](const Server& server) {
      return std::none_of(sought.begin(), sought.end(),
                          [&](const Sought& one) { return one.what == Sought::What::server && is(server, one); });
    });
    for (Server& server : seen.servers) server.status = Server::Status::unknown;
    injector_.say(plane_, "sees no server: a cell is down");
  }
  if (injector_.aimed(Kind::blind, n)) {
    const auto drop = [](auto& list, const Sought& one) {
      std::erase_if(list, [&](const auto& thing) { return is(thing, one); });
    };
    for (const Sought& one : sought) {
      drop(seen.servers, one), drop(seen.volumes, one), drop(seen.ports, one);
      if (std::find(seen.absent.begin(), seen.absent.end(), one) == seen.absent.end()) seen.absent.push_back(one);
    }
    injector_.say(plane_, "does not find " + std::to_string(sought.size()) + " things that it looks for");
  }
  blur(seen, n);
  seen_(seen);
  return seen;
}

// Lists that cannot be read, in full or at all.
void FaultyCloud::blur(Inventory& seen, int64_t n) {
  struct List {
    std::string_view name, service;
    bool* known;
    std::function<void()> lose;
  };
  // Flavors and volume types are what the client remembers, and one that has just started remembers nothing.
  bool unsaid = true;
  const List lists[] = {{"servers", "nova", &seen.servers_known, [&] { halve(seen.servers); }},
                        {"flavors", "nova", &unsaid, [&] { seen.flavors.clear(); }},
                        {"volumes", "cinder", &seen.volumes_known, [&] { halve(seen.volumes); }},
                        {"types", "cinder", &unsaid, [&] { seen.volume_types.clear(); }},
                        {"ports", "neutron", &seen.ports_known, [&] { halve(seen.ports); }},
                        {"objects", "swift", &seen.objects_known, [&] { halve(seen.objects); }}};
  for (const List& list : lists) {
    const Fault* partial = injector_.aimed(Kind::partial, n);
    const bool down = injector_.lasting(Kind::outage, list.service) != nullptr;
    if (!down && !(partial && partial->which == list.name)) continue;
    *list.known = false;
    list.lose();
    seen.trouble = std::string(list.service) + " does not answer";
    // A direct look needs the service as well.
    std::erase_if(seen.absent, [&](const Sought& one) {
      return down && (one.what == Sought::What::server   ? list.service == "nova"
                      : one.what == Sought::What::volume ? list.service == "cinder"
                                                         : list.service == "neutron");
    });
    injector_.say(plane_, "cannot read the " + std::string(list.name));
  }
}

Result<Outcome> FaultyCloud::perform(const CloudAction& action) {
  const int64_t n = injector_.next_call();
  const std::string_view effect = action_name(action);
  const std::string call = "call " + std::to_string(n) + " " + std::string(effect) + " " + describe(action);
  const auto unanswered = [&](std::string_view why) {
    injector_.say(plane_, call + ": " + std::string(why));
    return fail(Code::outcome_unknown, "the cloud did not answer");
  };
  asked_(plane_, action, Moment::asks);
  if (auto asked = not_before_.find(service_of(action)); asked != not_before_.end() && injector_.now() < asked->second)
    judge_("polite", call + ": the service had asked for more time");
  injector_.boundary(plane_, "c1", effect);
  if (injector_.lasting(Kind::outage, service_of(action))) {
    injector_.say(plane_, call + ": the service is down");
    return fail(Code::unavailable, std::string(service_of(action)) + " does not answer");
  }
  if (const Fault* throttle = injector_.aimed(Kind::throttle, n)) {
    injector_.say(plane_, call + ": throttled");
    Millis& until = not_before_[std::string(service_of(action))];
    until = std::max(until, injector_.now() + Millis{throttle->value});
    Error error{Code::throttled, "too many requests", {}, Millis{throttle->value}};
    return tl::unexpected(std::move(error));
  }
  if (injector_.aimed(Kind::lost_request, n)) return unanswered("the request is lost");
  if (const Fault* late = injector_.aimed(Kind::late, n)) {
    deliver_(Millis{late->value}, action, false);
    return unanswered("the request hangs");
  }
  injector_.boundary(plane_, "c2", effect);
  asked_(plane_, action, Moment::arrives);
  Result<Outcome> outcome = inner_.perform(action);
  injector_.say(
      plane_, call + (outcome ? ": done" + (outcome->id.empty() ? "" : " " + outcome->id)
                              : ": " + std::string(to_string(outcome.error().code)) + ", " + outcome.error().message));
  if (const Fault* twice = injector_.aimed(Kind::duplicate, n)) deliver_(Millis{twice->value}, action, true);
  injector_.boundary(plane_, "c3", effect);
  if (injector_.aimed(Kind::lost_reply, n)) return unanswered("the answer is lost");
  return outcome;
}

}  // namespace trove::simulate
