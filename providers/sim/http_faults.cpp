#include "providers/sim/http_faults.hpp"
#include "providers/sim/http_world.hpp"

namespace trove {

namespace {
constexpr std::pair<SimHttpFault::Kind, std::string_view> kKinds[] = {
    {SimHttpFault::Kind::error, "error"},
    {SimHttpFault::Kind::throttled, "throttled"},
    {SimHttpFault::Kind::over_limit, "overLimit"},
    {SimHttpFault::Kind::html, "html"},
    {SimHttpFault::Kind::hang, "hang"},
    {SimHttpFault::Kind::reset, "reset"},
    {SimHttpFault::Kind::lost_reply, "lostReply"},
    {SimHttpFault::Kind::truncated, "truncated"},
    {SimHttpFault::Kind::slow, "slow"},
};
}

std::string_view to_string(SimHttpFault::Kind kind) {
  for (const auto& [known, name] : kKinds)
    if (known == kind) return name;
  return "";
}

namespace sim {

std::optional<SimHttpFault> Faults::draw(const std::string& service, const http::Request& request) {
  for (SimHttpFault& fault : faults_) {
    if (fault.times == 0) continue;
    if (!fault.service.empty() && fault.service != service) continue;
    if (!fault.method.empty() && fault.method != request.method) continue;
    if (!fault.path.empty() && request.path.find(fault.path) == std::string::npos) continue;
    if (fault.per_mille < 1000 && static_cast<int>(rng_.next() % 1000) >= fault.per_mille) continue;
    if (fault.times > 0) --fault.times;
    return fault;
  }
  return std::nullopt;
}

Value Faults::list() const {
  Value list = Value::list();
  for (const SimHttpFault& fault : faults_) {
    list.push_back(Value::map({{"kind", to_string(fault.kind)},
                               {"service", fault.service},
                               {"method", fault.method},
                               {"path", fault.path},
                               {"status", fault.status},
                               {"perMille", fault.per_mille},
                               {"times", fault.times},
                               {"holdMs", fault.hold.count()},
                               {"retryAfter", fault.retry_after_s}}));
  }
  return list;
}

Result<SimHttpFault> fault_from(const Value& value) {
  SimHttpFault fault;
  bool known = false;
  for (const auto& [kind, name] : kKinds)
    if (value["kind"].text() == name) fault.kind = kind, known = true;
  if (!known) return fail(Code::invalid, "unknown kind \"" + value["kind"].text() + "\"");
  for (const auto& member : value.members()) {
    static const std::set<std::string> words = {"kind", "service", "method", "path"};
    static const std::set<std::string> numbers = {"status", "perMille", "times", "holdMs", "retryAfter"};
    const bool fits =
        words.contains(member.key) ? member.value.is_string() : numbers.contains(member.key) && member.value.is_int();
    if (!fits) return fail(Code::invalid, "\"" + member.key + "\" is not a field of a fault, or of another type");
  }
  fault.service = value["service"].text();
  fault.method = value["method"].text();
  fault.path = value["path"].text();
  fault.status = static_cast<int>(value["status"].int_or(fault.status));
  fault.per_mille = static_cast<int>(value["perMille"].int_or(fault.per_mille));
  fault.times = static_cast<int>(value["times"].int_or(fault.times));
  fault.hold = Millis{value["holdMs"].int_or(fault.hold.count())};
  fault.retry_after_s = value["retryAfter"].int_or(fault.retry_after_s);
  if (fault.status < 400 || fault.status > 599) return fail(Code::invalid, "status is not 400 to 599");
  return fault;
}

http::Response instead(const SimHttpFault& fault, const std::string& service) {
  using Kind = SimHttpFault::Kind;
  const int status = fault.kind == Kind::throttled ? 429 : fault.kind == Kind::over_limit ? 413 : fault.status;
  const char* words = status == 429   ? "This request was rate-limited."
                      : status == 413 ? "This request was rate-limited."
                                      : "The server is currently unavailable. Please try again at a later time.";
  http::Response response;
  if (fault.kind == Kind::html)
    response = html_error(status, "The server is temporarily unable to service your request.");
  else if (service == "identity")
    response = keystone_error(status, words);
  else if (service == "network")
    response = neutron_error(status, title_of(status), words);
  else if (service == "object-store")
    response = swift_error(status);
  else if (service == "image")
    response = html_error(status, words);
  else
    response = sim::fault(status, words);
  std::erase_if(response.headers, [](const auto& header) { return header.first == "Retry-After"; });
  if (fault.kind == Kind::throttled || fault.kind == Kind::over_limit)
    response.headers.emplace_back("Retry-After", std::to_string(fault.retry_after_s));
  return response;
}

}  // namespace sim

}  // namespace trove
