// A Git server's word that there is something new. It is signed with a secret that both know; believed or not, all that
// it can do is wake a fetch.
#include "reconciler/gitops/gitops.hpp"
#include "specs/core/digest.hpp"

namespace trove::gitops {
namespace {

// GitHub: X-Hub-Signature-256: sha256=HEX. Gitea, Forgejo: X-Gitea-Signature: HEX. GitLab sends the secret itself.
bool signed_with(const http::Request& request, const std::string& secret) {
  const std::string expected = hmac_sha256_hex(secret, request.body);
  const std::string github = request.header("x-hub-signature-256");
  if (!github.empty()) return same_bytes(github, "sha256=" + expected);
  const std::string gitea = request.header("x-gitea-signature");
  if (!gitea.empty()) return same_bytes(gitea, expected);
  const std::string gitlab = request.header("x-gitlab-token");
  // Digests, so that not even the length shows.
  return !gitlab.empty() && same_bytes(sha256_raw(gitlab), sha256_raw(secret));
}

}  // namespace

Attempt<void> Gitops::hook(const std::string& project, const std::string& name, const http::Request& request) {
  {
    std::lock_guard lock(mutex_);
    const Millis now = options_.clock.monotonic();
    if (now - hooks_since_ >= Millis{1'000}) {
      hooks_since_ = now;
      hooks_ = 0;
    }
    if (++hooks_ > kHooksPerSecond) {
      Refusal out{429, "THROTTLED", "User", "too many calls of webhooks"};
      out.headers.emplace_back("Retry-After", "1");
      return refuse(std::move(out));
    }
  }
  // One answer for all: nobody learns here which sources there are.
  const auto unknown = [] {
    return refuse(403, "CLOUD_UNAUTHORIZED", "there is no such webhook, or the signature is not good",
                  "the Git server has to sign with the value \"secret\" of the Secret that spec.webhook names");
  };
  const Key key{project, "GitSource", name};
  auto stored = options_.objects.get(key);
  if (!stored) return refuse(stored.error());
  if (!*stored || (*stored)->deleting()) return unknown();
  const GitSourceSpec spec = git_source_spec((*stored)->spec);
  if (spec.webhook_secret.empty()) return unknown();
  auto values = secret(project, spec.webhook_secret);
  if (!values || (*values)["secret"].empty() || !signed_with(request, (*values)["secret"].reveal())) return unknown();
  {
    std::lock_guard lock(mutex_);
    hooked_.insert(key);
  }
  wake();
  return {};
}

}  // namespace trove::gitops
