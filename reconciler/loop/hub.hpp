// The guests' side of the loop: the document of each server, who may fetch it, and what they report. HTTP threads wait
// here; the loop's thread puts documents in. Thread-safe.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include "providers/cloud.hpp"
#include "reconciler/api/ports.hpp"
#include "reconciler/store/seal.hpp"

namespace trove {

// The bearer token of one server: "<token text>.<hmac>". Derived, so that nothing has to be stored to check it.
Secret guest_bearer(const Sealer& sealer, const Token& server);

class Hub final : public GuestHub {
 public:
  // Signs an object's key, or how keys begin, into an absolute URL that ends at `expires`; must not wait for anybody.
  // null = URLs stay as they are.
  using Sign = std::function<Result<std::string>(const std::string& method, const std::string& key, Time expires,
                                                 Signed what)>;
  using OnReport = std::function<void(const std::string& server, guest::Report report)>;
  Hub(const Sealer& sealer, Sign sign) : sealer_(sealer), sign_(std::move(sign)) {}
  void on_report(OnReport callback);  // once, before the first report
  // A guest asks for a document that is not there: it runs, and waits for us. Once, as above.
  void on_waiting(std::function<void(const std::string& server)> callback);
  // Asked at the moment of each answer: a control plane that was stopped and goes on may lead no more. Once, as above.
  void ask_whether_leading(std::function<bool()> leads);

  // Stores the document; its digest as the guest will report it. The error is of signing: nothing was stored.
  Result<std::string> put(const Token& server, const guest::Document& planned);
  // Servers that exist: guests of others, and of lower incarnations, are turned away.
  void retire(const Token& server);
  void retire_all();  // this control plane leads no more: another one has the documents

  std::optional<std::string> authenticate(std::string_view bearer) override;
  bool admits(std::string_view server) override;
  Result<std::optional<guest::Document>> document(const std::string& server, const std::string& after,
                                                  Millis wait) override;
  Result<void> report(const std::string& server, guest::Report report) override;
  void stop() override;

 private:
  struct Entry {
    guest::Document document;
    std::string digest;
  };
  Result<void> sign(std::string_view method, std::string& url, Signed what = Signed::object) const;
  const Sealer& sealer_;
  Sign sign_;
  OnReport on_report_;
  std::function<void(const std::string& server)> on_waiting_;
  std::function<bool()> leads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;                            // by token text
  std::map<std::pair<std::string, std::string>, int> incarnation_;  // that (uid, role) talks to now
  bool stopping_ = false;
};

}  // namespace trove
