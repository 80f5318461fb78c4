// A machine's join and its certificate, against the real HTTP server with TLS and the real authority.
#include "providers/guest/machine/identity.hpp"
#include <sys/stat.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include "control_plane.hpp"
#include "machine_bed.hpp"
#include "providers/guest/agent/plane.hpp"
#include "providers/pki/pki.hpp"
#include "specs/core/real.hpp"
#include "specs/json.hpp"
#include "tests/support/clock.hpp"

namespace trove::guest {

namespace {

struct World : MachineBed {
  World() : control(dir / "control") {
    control.tokens[kServer] = "sesame";
    join = {kServer, control.url(), Secret("sesame"), "", control.ca()};
  }
  Identity make() { return Identity(places, join, door, clock, rng); }
  std::string text(const char* name) { return guest::read_file(places.state + "/" + name, 1 << 20).value_or(""); }
  bool open() { return door->wait(Millis{0}) != nullptr; }

  ControlPlane control;
  Join join;
  RealClock real;
  FakeClock clock{real.wall()};
  RealRng rng;
  std::shared_ptr<Door> door = std::make_shared<Door>();
};

}  // namespace

TEST_CASE("a machine joins with its token and is known by its certificate from then on") {
  World world;
  Identity identity = world.make();
  REQUIRE(identity.open());
  CHECK_FALSE(world.open());
  struct stat info {};
  REQUIRE(stat((world.places.state + "/key.pem").c_str(), &info) == 0);  // before the token was used
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(world.control.joins == 0);

  auto plane = make_http_plane(world.door);
  std::thread joining([&] {
    usleep(300'000);
    identity.step();
  });
  auto document = plane->fetch("");  // waits for the join
  joining.join();
  REQUIRE(document);
  CHECK(**document == world.control.document);
  CHECK(plane->report(Report{}));
  CHECK(plane->upload(world.control.url() + "/objects/p/b", [] { return Result<std::string>(std::string()); }));
  // Neither a token nor a certificate goes to object storage.
  CHECK(world.control.names() ==
        std::vector<std::string>{"/guest/v1/document " + kServer, "/guest/v1/report " + kServer, "/objects/p/b "});
  CHECK(identity.step() == Millis{3'600'000});
  plane->stop();

  // The next start uses what is there.
  world.door = std::make_shared<Door>();
  Identity next = world.make();
  REQUIRE(next.open());
  CHECK(world.open());
  next.step();
  CHECK(world.control.joins == 1);
}

TEST_CASE("an answer to the join that was lost is asked for again with the same key") {
  World world;
  world.control.lose_answers = 2;
  std::string key;
  {
    Identity identity = world.make();
    REQUIRE(identity.open());
    key = world.text("key.pem");
    CHECK(identity.step() >= Millis{700});
    CHECK_FALSE(world.open());
  }
  Identity identity = world.make();  // and a crash in between
  REQUIRE(identity.open());
  identity.step();
  CHECK(identity.step() == Millis{3'600'000});
  CHECK(world.control.joins == 3);
  CHECK(world.open());
  CHECK(world.text("key.pem") == key);
}

TEST_CASE("a join that is refused is asked for again slowly") {
  World world;
  world.control.tokens[kServer] = "another";
  Identity identity = world.make();
  REQUIRE(identity.open());
  for (int i = 0; i < 3; ++i) CHECK(identity.step() >= Millis{225'000});
  CHECK_FALSE(world.open());
  CHECK(world.control.joins == 3);
}

TEST_CASE("a control plane of another authority is not told the token") {
  World world;
  RealClock clock;
  make_directory(world.dir / "stranger", 0700);
  world.join.ca = pki::Authority::open(world.dir / "stranger", clock)->certificate();
  Identity identity = world.make();
  REQUIRE(identity.open());
  identity.step();
  CHECK(world.control.joins == 0);
  CHECK_FALSE(world.open());
}

TEST_CASE("a certificate is renewed at two thirds of its life, and calls in progress go on") {
  World world;
  Identity identity = world.make();
  REQUIRE(identity.open());
  identity.step();
  const std::string first = world.text("certificate.pem"), key = world.text("key.pem");
  auto plane = make_http_plane(world.door);
  REQUIRE(plane->report(Report{}));
  world.clock.advance(19 * kDay);
  CHECK(identity.step() > Millis{1});
  CHECK(world.control.renewals == 0);
  world.clock.advance(Millis{kDay.count() * 3 / 2});

  world.control.parks = true;
  std::atomic<bool> answered{false};
  Result<std::optional<Document>> document;
  std::thread fetching([&] {
    document = plane->fetch("");
    answered = true;
  });
  while (world.control.names().size() < 2) usleep(10'000);  // parked at the server
  identity.step();
  CHECK(world.control.renewals == 1);
  CHECK(world.text("certificate.pem") != first);
  CHECK(world.text("key.pem") == key);
  CHECK(plane->report(Report{}));
  CHECK_FALSE(answered);
  world.control.parks = false;
  fetching.join();
  CHECK(document);
  CHECK(plane->fetch(""));
  for (const auto& name : world.control.names()) CHECK(name.find(" " + kServer) != std::string::npos);
  CHECK(identity.step() == Millis{60'000});  // by this clock the new one is old as well: not in a circle
}

TEST_CASE("a renewal that fails is tried again, and the old certificate is kept") {
  World world;
  Identity identity = world.make();
  REQUIRE(identity.open());
  identity.step();
  const std::string first = world.text("certificate.pem");
  world.clock.advance(21 * kDay);
  world.control.lose_answers = 1;
  CHECK(identity.step() <= Millis{1'500});
  CHECK(world.text("certificate.pem") == first);
  CHECK(world.open());
  CHECK(identity.step() == Millis{60'000});
  CHECK(world.text("certificate.pem") != first);
}

TEST_CASE("a certificate that ran out while the machine was off is asked for with the token again") {
  World world;
  {
    Identity identity = world.make();
    REQUIRE(identity.open());
    identity.step();
  }
  world.clock.advance(40 * kDay);
  world.control.tokens[kServer] = "used up";
  Identity identity = world.make();
  REQUIRE(identity.open());
  CHECK(identity.step() >= Millis{225'000});
  CHECK(identity.step() >= Millis{225'000});
  CHECK(world.control.joins == 3);
  CHECK(world.control.renewals == 0);
}

TEST_CASE("a state directory of another server, or of another token, is not used") {
  World world;
  Identity identity = world.make();
  REQUIRE(identity.open());
  identity.step();
  const std::string key = world.text("key.pem");
  guest::write_file(world.places.state + "/server/document", "theirs", 0600);

  SECTION("another token of the same server: a new key, the same directory") {
    world.join.token = Secret("second");
    world.control.tokens[kServer] = "second";
    Identity again = world.make();
    REQUIRE(again.open());
    CHECK(exists(world.places.state + "/server/document"));
  }
  SECTION("another server: its directory is set aside") {
    world.join.server = kServer + "9";
    world.control.tokens[world.join.server] = "other";
    world.join.token = Secret("other");
    Identity clone = world.make();
    REQUIRE(clone.open());
    CHECK_FALSE(exists(world.places.state + "/server/document"));
    CHECK(exists(world.places.state + "/server.other-1/document"));
  }
  CHECK(world.text("key.pem") != key);
  CHECK(world.text("certificate.pem").empty());
  world.door = std::make_shared<Door>();
  Identity next = world.make();
  REQUIRE(next.open());
  CHECK(next.step() == Millis{3'600'000});
  CHECK(world.open());
}

TEST_CASE("a certificate that does not fit the key is not used") {
  World world;
  Identity identity = world.make();
  REQUIRE(identity.open());
  identity.step();
  const std::string certificate = world.text("certificate.pem");
  // The certificate of somebody else's key, left behind by hand.
  const std::string key = pki::make_request()->key.reveal();
  guest::write_file(world.places.state + "/key.pem", key, 0600);
  world.door = std::make_shared<Door>();
  Identity next = world.make();
  REQUIRE(next.open());
  CHECK_FALSE(world.open());
  CHECK(next.step() >= Millis{225'000});  // the token knows the first key
  CHECK(world.text("certificate.pem") == certificate);
}

}  // namespace trove::guest
