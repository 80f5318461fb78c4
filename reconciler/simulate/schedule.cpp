#include "reconciler/simulate/schedule.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "reconciler/simulate/chance.hpp"

namespace trove::simulate {
namespace {

using Kind = Fault::Kind;
// A volume's create that was never answered may still arrive: it is waited for a minute before it is sent again.
// Whatever loses an answer can cost that.
using At = FaultRow::At;
constexpr std::string_view kServices = "nova cinder neutron swift";
constexpr std::string_view kLists = "servers volumes ports objects flavors types";
constexpr std::string_view kUnlucky = "build resize create delete retype";

constexpr std::array kRows = {
    FaultRow{Kind::crash, "crash", At::boundary, false, "", "the control plane dies at its N-th effect boundary", 75,
             4},
    FaultRow{Kind::stale, "stale", At::observation, true, "", "the N-th observation shows the K-th one before it", 30,
             4},
    FaultRow{Kind::partial, "partial", At::observation, false, kLists, "the N-th observation lost part of one list", 20,
             2},
    FaultRow{Kind::hidden, "hidden", At::time, true, "", "a cell is down: the server list is whole and lacks servers",
             30, 4},
    FaultRow{Kind::lost_request, "lost-request", At::call, false, "", "the N-th call never reaches the cloud", 75, 3},
    FaultRow{Kind::lost_reply, "lost-reply", At::call, false, "", "the N-th call works and its answer is lost", 75, 3},
    FaultRow{Kind::late, "late", At::call, true, "", "the N-th call has no answer and takes effect MS later", 75, 5},
    FaultRow{Kind::duplicate, "duplicate", At::call, true, "", "the N-th call is delivered again MS later", 20, 3},
    FaultRow{Kind::outage, "outage", At::time, true, kServices, "one service is down", 75, 12},
    FaultRow{Kind::throttle, "throttle", At::call, true, "", "the N-th call is answered 429 with Retry-After", 20, 2},
    FaultRow{Kind::clock, "clock", At::time, true, "", "the wall clock jumps", 20, 2},
    FaultRow{Kind::disk_full, "disk-full", At::time, true, "", "the store refuses commits: no space", 75, 12},
    FaultRow{Kind::io_error, "io-error", At::commit, false, "", "the N-th commit fails without effect, unknowably", 75,
             3},
    FaultRow{Kind::ambiguous, "ambiguous", At::commit, false, "", "the N-th commit takes effect and nobody learns it",
             75, 3},
    FaultRow{Kind::conflict, "conflict", At::commit, false, "",
             "the N-th commit finds its object changed a moment before", 20, 2},
    FaultRow{Kind::pause, "pause", At::boundary, true, "", "it stops at its N-th effect boundary, another takes over",
             75, 5},
    FaultRow{Kind::silence, "silence", At::time, true, "", "guests cannot reach the control plane", 20, 2},
    FaultRow{Kind::rollback, "rollback", At::time, false, "", "a disk goes back to an earlier state", 20, 2},
    FaultRow{Kind::clone, "clone", At::time, true, "", "a guest runs twice", 330, 2},
    FaultRow{Kind::engine_dead, "engine-dead", At::time, false, "", "an engine dies", 20, 0},
    FaultRow{Kind::slow, "slow", At::time, true, "", "guests are slow", 20, 0},
    FaultRow{Kind::lose_server, "lose-server", At::time, false, "", "a server is gone from the cloud", 40, 8},
    FaultRow{Kind::stop_server, "stop-server", At::time, false, "", "a server is off", 40, 8},
    FaultRow{Kind::error_server, "error-server", At::time, false, "", "a server is in ERROR", 40, 8},
    FaultRow{Kind::lose_volume, "lose-volume", At::time, false, "", "a data volume is gone from the cloud", 75, 8},
    FaultRow{Kind::detach, "detach", At::time, false, "", "somebody detaches a data volume", 40, 6},
    FaultRow{Kind::quota, "quota", At::time, true, "", "the project's quota is exhausted", 75, 12,
             true},
    FaultRow{Kind::foreign, "foreign", At::nothing, false, "", "look-alike resources that are not ours", 0, 0},
    FaultRow{Kind::user_edit, "user-edit", At::time, false, "", "a person changes a spec and changes it back", 20, 4},
    FaultRow{Kind::compact, "compact", At::commit, false, "", "the store forgets its history up to the N-th commit", 20,
             0},
    FaultRow{Kind::unlucky, "unlucky", At::time, true, kUnlucky, "half of what the cloud does so ends in an error", 75,
             12, true},
    FaultRow{Kind::lose_all, "lose-all", At::time, false, "", "every server is gone from the cloud at once", 200, 40},
    FaultRow{Kind::blind, "blind", At::observation, false, "",
             "direct looks beside the N-th observation miss what is there", 30, 2},
    FaultRow{Kind::zombie, "zombie", At::time, true, "", "a server is gone from the cloud and its guest goes on", 75, 8},
    FaultRow{Kind::astray, "astray", At::time, true, "", "guests reach a control plane that does not lead", 20, 2},
    FaultRow{Kind::lag, "lag", At::time, true, "", "changes of the store are heard of late", 20, 2},
    FaultRow{Kind::async, "async", At::nothing, false, "", "effects take their time, and others come between", 40, 6},
    FaultRow{Kind::resize, "resize", At::time, false, "", "somebody gives a server another flavor", 75, 8},
    FaultRow{Kind::open, "open", At::time, false, "", "somebody opens a port to everybody", 20, 3},
};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(by), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

template <class Int>
bool read_number(std::string_view text, Int& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::string form_of(const FaultRow& row) {
  std::string form(row.name);
  if (!row.words.empty()) {
    form += ' ';
    for (char c : row.words) form += c == ' ' ? '|' : c;
  }
  if (row.at != At::nothing) form += row.at == At::time ? " AT_MS" : " N";
  if (row.has_value) form += row.kind == Kind::stale ? " K" : " MS";
  return form;
}

Result<Fault> parse_fault(const std::vector<std::string_view>& words) {
  const FaultRow* row = find_fault(words[0]);
  if (!row) {
    std::string known;
    for (const FaultRow& one : kRows) known += (known.empty() ? "" : ", ") + std::string(one.name);
    return fail(Code::invalid, "\"" + std::string(words[0]) + "\" is no fault", "the faults are: " + known);
  }
  const auto wrong = [&] {
    std::string text;
    for (std::string_view word : words) text += (text.empty() ? "" : " ") + std::string(word);
    return fail(Code::invalid, "\"" + text + "\" is not understood", "write: " + form_of(*row));
  };
  Fault fault;
  fault.kind = row->kind;
  size_t next = 1;
  if (!row->words.empty()) {
    const auto known = split(row->words, ' ');
    if (next >= words.size() || std::find(known.begin(), known.end(), words[next]) == known.end()) return wrong();
    fault.which = words[next++];
  }
  if (row->at != At::nothing) {
    if (next >= words.size() || !read_number(words[next++], fault.at)) return wrong();
    if (fault.at < (row->at == At::time ? 0 : 1)) return wrong();
  }
  if (row->has_value) {
    if (next >= words.size() || !read_number(words[next++], fault.value)) return wrong();
    if (fault.value < 0 && row->kind != Kind::clock) return wrong();
  }
  if (next != words.size()) return wrong();
  return fault;
}

// What a drawn fault's value may be, in the unit of its row.
int64_t draw_value(Kind kind, SimRng& rng) {
  switch (kind) {
    case Kind::stale:
      return 1 + rng.below(8);
    case Kind::late:
    case Kind::duplicate:
      switch (rng.below(4)) {
        case 0:
          return rng.below(150);  // before the first one has claimed anything
        case 1:
          return rng.below(3'000);
        default:
          return rng.below(50'000);
      }
    case Kind::throttle:
      return 500 + rng.below(10'000);
    case Kind::clock: {
      constexpr int64_t kHour = 3'600'000;
      const int64_t jumps[] = {kHour, -kHour, 10'000, -10'000, 24 * kHour, -24 * kHour, -3650 * 24 * kHour};
      return jumps[rng.below(std::size(jumps))];
    }
    case Kind::pause:
      return 15'000 + rng.below(30'000);
    case Kind::slow:
      return 5'000 + rng.below(20'000);
    case Kind::lag:
      return 100 + rng.below(3'000);
    default:
      return 2'000 + rng.below(60'000);
  }
}

}  // namespace

std::span<const FaultRow> fault_rows() { return kRows; }

const FaultRow& row_of(Fault::Kind kind) {
  return *std::find_if(kRows.begin(), kRows.end(), [kind](const FaultRow& row) { return row.kind == kind; });
}

const FaultRow* find_fault(std::string_view name) {
  for (const FaultRow& row : kRows)
    if (row.name == name) return &row;
  return nullptr;
}

bool Schedule::has(Fault::Kind kind) const {
  return std::any_of(faults.begin(), faults.end(), [kind](const Fault& fault) { return fault.kind == kind; });
}

std::string to_string(const Fault& fault) {
  const FaultRow& row = row_of(fault.kind);
  std::string text(row.name);
  if (!row.words.empty()) text += ' ' + fault.which;
  if (row.at != At::nothing) text += ' ' + std::to_string(fault.at);
  if (row.has_value) text += ' ' + std::to_string(fault.value);
  return text;
}

std::string to_string(const Schedule& schedule) {
  std::string text = "scenario " + schedule.scenario + "; seed " + std::to_string(schedule.seed);
  for (const Fault& fault : schedule.faults) text += "; " + to_string(fault);
  return text;
}

Result<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  for (std::string_view part : split(text, ';')) {
    part = trim(part);
    const auto words = split(part, ' ');
    if (words.empty()) continue;
    if (words[0] == "scenario" && words.size() == 2) {
      schedule.scenario = words[1];
    } else if (words[0] == "seed" && words.size() == 2) {
      if (!read_number(words[1], schedule.seed))
        return fail(Code::invalid, "\"" + std::string(part) + "\" is not understood", "write: seed NUMBER");
    } else {
      auto fault = parse_fault(words);
      if (!fault) return tl::unexpected(fault.error());
      schedule.faults.push_back(std::move(*fault));
    }
  }
  return schedule;
}

int64_t Extent::of(At at) const {
  switch (at) {
    case At::nothing:
      return 1;
    case At::boundary:
      return boundaries;
    case At::observation:
      return observations;
    case At::call:
      return calls;
    case At::commit:
      return commits;
    case At::time:
      return length.count();
  }
  return 0;
}

Millis allowed_rest(const Schedule& schedule) {
  Millis most{0};
  for (const Fault& fault : schedule.faults) {
    const FaultRow& row = row_of(fault.kind);
    most += Millis{row.rest_s * 1000};
    if (row.has_value && fault.kind != Kind::stale && fault.kind != Kind::clock) most += Millis{fault.value};
  }
  // A second server of the same token, and the guest of the first: two machines that speak for one are waited out.
  if (schedule.has(Kind::zombie) && (schedule.has(Kind::duplicate) || schedule.has(Kind::late)))
    most += Millis{330'000};
  return most;
}

int64_t allowed_calls(const Schedule& schedule, int64_t instances) {
  int64_t most = 0;
  for (const Fault& fault : schedule.faults) {
    const FaultRow& row = row_of(fault.kind);
    int64_t calls = row.calls;
    // Long troubles are tried again and again, ever more seldom.
    if (row.has_value && row.at == At::time && fault.kind != Kind::clock) calls += fault.value / 10'000;
    most += row.each ? calls * std::max<int64_t>(instances, 1) : calls;
  }
  return most;
}

Schedule draw_schedule(const std::string& scenario, uint64_t seed, const Extent& extent,
                       const std::vector<Fault::Kind>& allowed) {
  SimRng rng(seed);
  Schedule schedule{scenario, seed, {}};
  std::vector<const FaultRow*> rows;
  for (const FaultRow& row : kRows)
    if (allowed.empty() || std::find(allowed.begin(), allowed.end(), row.kind) != allowed.end()) rows.push_back(&row);
  // A few kinds a run and a few of each: what all kinds together would hide, some combination of few shows.
  const int64_t share = 2 + rng.below(8);
  for (const FaultRow* row : rows) {
    if (rng.below(10) >= share) continue;
    // One blind look at the most: two in a row are proof.
    const int64_t most = row->at == At::nothing || row->at == At::time || row->kind == Kind::blind ? 1 : 3;
    const int64_t count = 1 + rng.below(most);
    for (int64_t i = 0; i < count; ++i) {
      Fault fault;
      fault.kind = row->kind;
      const auto words = split(row->words, ' ');
      if (!words.empty()) fault.which = words[static_cast<size_t>(rng.below(static_cast<int64_t>(words.size())))];
      const int64_t reach = extent.of(row->at);
      if (row->at == At::time)
        fault.at = rng.below(reach);
      else if (row->at != At::nothing)
        fault.at = 1 + rng.below(std::max<int64_t>(reach, 1));
      if (row->has_value) fault.value = draw_value(row->kind, rng);
      schedule.faults.push_back(std::move(fault));
    }
  }
  return schedule;
}

}  // namespace trove::simulate
