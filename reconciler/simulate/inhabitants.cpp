// Who lives in a simulated world: guests in its servers, clients who write rows, and people who apply and delete.
#include <algorithm>

#include "reconciler/simulate/sim_world.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::simulate {
namespace {

constexpr Millis kPersonRetry{1'000};
constexpr Millis kCloneSpeaks{4'000};

}  // namespace

// ---- Guests ---------------------------------------------------------------------------------------------------------

Millis SimWorld::turn_guests() {
  for (auto guest = guests_.begin(); guest != guests_.end();)
    guest = cloud_.find_server(guest->first) ? std::next(guest) : guests_.erase(guest);
  for (const auto& [id, server] : cloud_.servers()) {
    if (server.status != Server::Status::active || facts_.foreign.contains(id) || guests_.contains(id)) continue;
    Guest& guest = guests_.emplace(id, Guest{SimGuest(id)}).first->second;
    guest.token = server.token;
    guest.name = to_string(server.token);
    guest.bearer = guest_bearer(simulation_sealer(), server.token).reveal();
    guest.agent.options.project = scenario_.project;
    guest.agent.options.pinned = scenario_.pinned;
  }
  Plane* plane = injector_.lasting(Fault::Kind::silence) ? nullptr : reachable();
  Millis wait = kObservePeriod;
  for (auto& [id, guest] : guests_) {
    wait = std::min(wait, turn_guest(guest, plane));
    if (guest.clone) wait = std::min(wait, turn_clone(guest, plane));
  }
  return std::min(wait, turn_zombies(plane));
}

// The long poll, the agent's work, and its report. Only what may have something to do is asked: most have not.
Millis SimWorld::turn_guest(Guest& guest, Plane* plane) {
  const Millis now = clock_.monotonic();
  const auto known = [&] { return plane->hub().authenticate(guest.bearer).has_value(); };
  if (guest.heard != (plane != nullptr)) {
    guest.heard = plane != nullptr;
    guest.agent.silence(!guest.heard);
    guest.news = true;
  }
  if (plane) {
    auto document = plane->hub().document(guest.name, guest.agent.document_digest(), Millis{0});
    if (document && *document && known()) {
      if (!plane->loop().leading()) broken("one-voice", plane->name() + " tells guests what to do and does not lead");
      if ((**document).memory_mib == 0) broken("sized", guest.name + " is told to size its engine for nothing");
      guest.agent.take(**document);
      guest.news = true;
    }
  }
  auto due = guest.agent.next_change(clock_);
  if (!guest.news && !(due && *due <= Millis{0})) return due.value_or(kObservePeriod);
  guest.news = false;
  auto report = guest.agent.step(cloud_, clock_, cloud_rng_);
  witness_.looked();
  const bool up = guest.agent.running();
  if (up && guest.down_since) interruption_ = std::max(interruption_, now - *guest.down_since);
  if (up) guest.down_since.reset();
  if (!up && guest.was_up && !guest.down_since) guest.down_since = now;
  guest.was_up = guest.was_up || up;
  if (report && plane && known()) {
    injector_.say("guest", server_line(guest.name, *report));
    (void)plane->hub().report(guest.name, std::move(*report));
    return Millis{0};
  }
  return guest.agent.next_change(clock_).value_or(kObservePeriod);
}

// A copy of the machine says again and again what was true when it was made.
Millis SimWorld::turn_clone(Guest& guest, Plane* plane) {
  const Millis now = clock_.monotonic();
  if (now >= guest.clone_until) {
    check_calm(guest);
    guest.clone.reset();
    return kObservePeriod;
  }
  if (now < guest.clone_speaks) return guest.clone_speaks - now;
  guest.clone_speaks = now + kCloneSpeaks;
  if (plane) {
    guest::Report report = guest.clone->report();
    report.agent += " (copy)";
    report.engine_state = "Stopped";
    (void)plane->hub().report(guest.name, std::move(report));
  }
  return Millis{0};
}

// What two machines say in turn is not believed again and again.
void SimWorld::check_calm(const Guest& guest) {
  // A control plane that starts anew has to find out anew; other troubles come and go.
  int64_t most = 8;
  for (const Fault& fault : schedule_.faults)
    most += fault.kind == Fault::Kind::crash || fault.kind == Fault::Kind::pause ? 6
            : row_of(fault.kind).at == FaultRow::At::time                        ? 2
                                                                                 : 0;
  for (const auto& [key, resource] : facts_.stored)
    if (resource.metadata.uid == guest.token.uid && facts_.flips[key] - guest.flips > most)
      broken("calm", to_string(key) + " became ready and no more " +
                         std::to_string(facts_.flips[key] - guest.flips) + " times while two machines spoke for it");
}

// The server is gone, and its guest goes on saying what was true then.
Millis SimWorld::turn_zombies(Plane* plane) {
  const Millis now = clock_.monotonic();
  Millis wait = kObservePeriod;
  std::erase_if(zombies_, [&](const Guest& zombie) { return now >= zombie.clone_until; });
  for (Guest& zombie : zombies_) {
    if (now >= zombie.clone_speaks) {
      zombie.clone_speaks = now + kCloneSpeaks;
      if (plane && plane->hub().authenticate(zombie.bearer))
        (void)plane->hub().report(zombie.name, zombie.agent.report());
    }
    wait = std::min(wait, zombie.clone_speaks - now);
  }
  return wait;
}

std::string SimWorld::server_line(const std::string& server, const guest::Report& report) {
  std::string line = server + " " + report.engine_state + " " + report.document_digest.substr(0, 8);
  for (const guest::BackupState& backup : report.backups) line += " backup " + backup.state;
  if (!report.restore_state.empty()) line += " " + report.restore_state;
  return line;
}

void SimWorld::write_rows() {
  for (auto& [id, guest] : guests_) {
    if (!guest.agent.running()) continue;
    SimDisk* disk = cloud_.disk_of(id);
    const Server* server = cloud_.find_server(id);
    if (!disk || !server || server->volume_id.empty()) continue;
    for (auto& [database, rows] : disk->databases) {
      if (!guest.agent.write(cloud_, database, 1)) continue;
      witness_.wrote(guest.token.uid, server->volume_id, database, rows);
      guest.news = true;
    }
  }
}

// ---- People ---------------------------------------------------------------------------------------------------------

Millis SimWorld::turn_person() {
  if (deed_ >= scenario_.deeds.size()) return kObservePeriod;
  const Deed& deed = scenario_.deeds[deed_];
  const Millis now = clock_.monotonic();
  const Millis due = std::max(next_try_, kStart + deed.at);
  if (now < due) return due - now;
  if (asking_) return kObservePeriod;  // the answer hangs with a control plane that is paused
  Plane* plane = reachable();
  next_try_ = now + kPersonRetry;
  if (!plane) return kPersonRetry;
  const std::string base = "/apis/trove/v1alpha1/projects/" + scenario_.project;
  http::Response answer;
  asking_ = true;
  try {
    answer =
        deed.body.empty()
            ? plane->ask("DELETE",
                         base + "/" + std::string(find_kind(deed.remove.kind)->plural) + "/" + deed.remove.name, "", "")
            : plane->ask("POST", base + "/apply", deed.body, "application/json");
  } catch (const Crash&) {
    for (size_t i = 0; i < planes_.size(); ++i)
      if (planes_[i].get() == plane) down(i);
    asking_ = false;
    return kPersonRetry;
  }
  asking_ = false;
  const bool gone = deed.body.empty() && answer.status == 404;
  const bool accepted = (answer.status >= 200 && answer.status < 300) || gone;
  const bool refused = answer.status >= 400 && answer.status < 500 && answer.status != 409 && answer.status != 429;
  injector_.say("person", "deed " + std::to_string(deed_ + 1) + ": " + std::to_string(answer.status) +
                              (accepted ? "" : " " + answer.body.substr(0, 300)));
  if (!accepted) refusal_ = answer.body;
  if (deed.refused && refused && answer.body.find("\"path\":\"" + deed.field) == std::string::npos)
    broken("clear-refusal", "the answer does not name " + deed.field + ": " + answer.body.substr(0, 300));
  if (deed.refused ? refused : accepted) {
    ++deed_;
    next_try_ = Millis{0};
    disturbed_ = now;
    return Millis{0};
  }
  if (deed.refused && accepted) broken("refused", "the API accepted what it has to refuse");
  return kPersonRetry;
}

}  // namespace trove::simulate
