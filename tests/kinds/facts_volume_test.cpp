// What is done about each fact of a volume.
#include "kinds/facts.hpp"

using namespace trove;

namespace {

const Key kOwn{"p", "Volume", "own"};

// A Volume that a person made, and no instance uses.
const char* kOwnVolume = R"(
---
apiVersion: trove/v1alpha1
kind: Volume
metadata: {name: own}
spec: {size: 3, type: fast}
)";

void of_own_volume(Bench& b, const std::function<void(CloudVolume&)>& change) {
  const std::string uid = b.world.get("Volume", "own")->metadata.uid;
  b.see([&](Inventory& i) {
    for (CloudVolume& one : i.volumes)
      if (one.token.uid == uid) change(one);
  });
}
void without_own_volume(Bench& b) {
  const std::string uid = b.world.get("Volume", "own")->metadata.uid;
  b.see([&](Inventory& i) { std::erase_if(i.volumes, [&](const CloudVolume& v) { return v.token.uid == uid; }); });
  b.notice();
}

void volumes(Facts& fact) {
  fact("a volume of its own, as wanted", kOwn, [](Bench&) {}, kOwnVolume);
  for (const Status status : kEveryStatus) {
    const std::string word(to_string(status));
    fact("cinder shows a volume of its own " + word, kOwn,
         [&](Bench& b) { of_own_volume(b, [&](CloudVolume& v) { v.status = status; }); }, kOwnVolume);
    fact("a volume of its own is deleted for good while cinder shows it " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, Bench::ended);
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("a volume that never was of use is " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, [](Resource& r) { r.status.set("unused", true); });
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("another type is wanted of a volume that is " + word, kOwn,
         [&](Bench& b) {
           b.know(kOwn, [](Resource& r) { r.spec.set("type", "slow"); });
           of_own_volume(b, [&](CloudVolume& v) { v.status = status; });
         },
         kOwnVolume);
    fact("the instance's volume is " + word + " and its own", kInstance,
         [&](Bench& b) { b.see_volume([&](CloudVolume& v) { v.status = status; }); });
    fact("the instance's volume is " + word + " and no server's", kInstance,
         [&](Bench& b) { b.see_volume([&](CloudVolume& v) { v.status = status, v.server_id.clear(); }); });
  }
  fact("a volume of its own is deleted and kept", kOwn,
       [](Bench& b) { b.know(kOwn, [&](Resource& r) { b.retained(r); }); }, kOwnVolume);
  fact("a volume of its own that is only observed is deleted", kOwn,
       [](Bench& b) {
         b.know(kOwn, [&](Resource& r) {
           Bench::ended(r);
           r.spec.set("managementPolicy", "Observe");
         });
       },
       kOwnVolume);
  fact("a volume of its own that is only observed", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); }); }, kOwnVolume);
  fact("a volume of its own that is suspended", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("suspend", true); }); }, kOwnVolume);
  fact("a volume of its own is to grow", kOwn,
       [](Bench& b) { b.know(kOwn, [](Resource& r) { r.spec.set("size", 9); }); }, kOwnVolume);
  fact("a volume of its own that is gone from the cloud", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
       },
       kOwnVolume);
  fact("a volume of its own that is gone from the cloud is deleted for good", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, Bench::ended);
       },
       kOwnVolume);
  fact("a volume that never was of use is gone from the cloud", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, [](Resource& r) { r.status.set("unused", true); });
       },
       kOwnVolume);
  fact("a volume that may be gone", kOwn, [](Bench& b) { without_own_volume(b); }, kOwnVolume);
  fact("a volume of which nothing was ever asked", kOwn,
       [](Bench& b) {
         without_own_volume(b);
         b.forget_intents();
         b.know(kOwn, [](Resource& r) { r.status = Value::map(); });
       },
       kOwnVolume);
  fact("a volume of its own is attached while it is deleted for good", kOwn,
       [](Bench& b) {
         b.know(kOwn, Bench::ended);
         of_own_volume(b, [](CloudVolume& v) { v.server_id = "theirs", v.status = Status::in_use; });
       },
       kOwnVolume);
  fact("two volumes carry one mark", kOwn,
       [](Bench& b) {
         b.see([&](Inventory& i) {
           const std::string uid = b.world.get("Volume", "own")->metadata.uid;
           for (size_t n = 0; n < i.volumes.size(); ++n)
             if (i.volumes[n].token.uid == uid) {
               CloudVolume twin = i.volumes[n];
               twin.id = "twin", twin.created = twin.created + Millis{1'000};
               i.volumes.push_back(twin);
               break;
             }
         });
       },
       kOwnVolume);
  fact("the instance's volume is deleted before it", kVolume, [](Bench& b) { b.know(kVolume, Bench::ended); });
  fact("an instance that goes wants another type of its volume", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.know(kInstance, Bench::ended);
  });
  fact("an instance that is only observed wants another type of its volume", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.know(kInstance, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); });
  });
  fact("the volume of an instance that nobody knows is to change its type", kVolume, [](Bench& b) {
    b.know(kVolume, [](Resource& r) { r.spec.set("type", "fast"); });
    b.facts.remove(kInstance);
  });
}

}  // namespace

TEST_CASE("what is done about each fact of a volume") {
  Facts fact;
  volumes(fact);
  fact.check("volumes");
}
