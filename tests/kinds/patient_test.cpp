#include <catch2/catch.hpp>

#include "providers/patient.hpp"
#include "tests/support/clock.hpp"

using namespace trove;

namespace {

class ScriptedCloud final : public Cloud {
 public:
  using Cloud::observe;
  Inventory observe(const std::vector<Sought>&) override { return {}; }
  Result<Outcome> perform(const CloudAction& action) override {
    ++calls;
    last = describe(action);
    if (answer) return tl::unexpected(*answer);
    return Outcome{};
  }
  std::string_view name() const override { return "scripted"; }
  std::optional<Error> answer;
  int calls = 0;
  std::string last;
};

CloudAction start(const std::string& id) { return StartServer{{"u", "server-0", 1}, id}; }

}  // namespace

TEST_CASE("a service that asks for time is left alone by everybody, and then asked by one") {
  FakeClock clock;
  ScriptedCloud inner;
  PatientCloud cloud(inner, clock);
  inner.answer = Error{Code::throttled, "too many requests", {}, Millis{5'000}};
  CHECK_FALSE(cloud.perform(start("a")));
  CHECK(inner.calls == 1);
  auto other = cloud.perform(start("b"));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::throttled);
  CHECK(other.error().retry_after == Millis{5'000});
  CHECK(inner.calls == 1);
  // Another service is not concerned.
  CHECK_FALSE(cloud.perform(DeletePort{{"u", "port-0", 1}, "p"}));
  CHECK(inner.calls == 2);
  clock.advance(Millis{5'001});
  inner.answer.reset();
  CHECK(cloud.perform(start("b")));
  CHECK(cloud.perform(start("a")));
  CHECK(inner.calls == 4);
}

TEST_CASE("each refusal in a row doubles the pause, up to a minute") {
  FakeClock clock;
  ScriptedCloud inner;
  PatientCloud cloud(inner, clock);
  inner.answer = Error{Code::throttled, "too many requests", {}, {}};
  Millis pause{1'000};
  for (int i = 0; i < 10; ++i) {
    auto refused = cloud.perform(start("a"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().retry_after == std::min(pause, Millis{60'000}));
    clock.advance(*refused.error().retry_after);
    pause *= 2;
  }
  CHECK(inner.calls == 10);
}

TEST_CASE("what fails for one thing alone is nobody else's trouble") {
  FakeClock clock;
  ScriptedCloud inner;
  PatientCloud cloud(inner, clock);
  inner.answer = Error{Code::unavailable, "processes do not end", {}, {}};
  for (int i = 0; i < 5; ++i) CHECK_FALSE(cloud.perform(start("stuck")));
  CHECK(inner.calls == 5);
  inner.answer.reset();
  CHECK(cloud.perform(start("other")));
  // For two things in a row it is the service.
  inner.answer = Error{Code::unavailable, "no answer", {}, {}};
  CHECK_FALSE(cloud.perform(start("a")));
  CHECK_FALSE(cloud.perform(start("b")));
  CHECK_FALSE(cloud.perform(start("c")));
  CHECK(inner.last == describe(start("b")));
}
