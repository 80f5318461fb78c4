// What a service's answer means: a body that can be trusted, or one Failure with code, message and request id, whatever
// the service and its way of saying it. Pure; thread-safe.
#pragma once
#include <string>
#include "providers/http/client.hpp"
#include "specs/core/time.hpp"
#include "specs/value.hpp"

namespace trove::openstack {

enum class Service { identity, compute, volume, network, image, object_store };
std::string_view to_string(Service service);  // "keystone" "nova" "cinder" "neutron" "glance" "swift"

struct Reply {
  int status = 0;
  Value body;  // null when there was none
  std::map<std::string, std::string> headers;
  std::string request_id;
};
struct Failure {
  Error error;             // its message names the service, and never a token
  int status = 0;          // 0: there was no answer
  std::string kind;        // Neutron's type, or the key of Nova's and Cinder's: "OverQuota" "itemNotFound"
  std::string request_id;  // the cloud's, or ours when it did not say one
};
// With the request's id at the end of the message, for people who ask the cloud's operator.
Error with_request(const Failure& failure);

// A page of HTML, a cut off body or a status from somewhere in between is never taken for the service's word: for a
// write the outcome is unknown, for a read the service is unavailable. A 404 counts only in the service's own words.
tl::expected<Reply, Failure> judge(Service service, bool write, http::Answer answer, Time now,
                                   std::string our_request_id);
// No answer came.
Failure no_answer(Service service, Error error, std::string our_request_id);

// Seconds, or an HTTP date, which is measured against the answer's own Date.
std::optional<Millis> retry_after(const std::map<std::string, std::string>& headers, Time now);
std::optional<Time> parse_http_date(std::string_view text);

}  // namespace trove::openstack
