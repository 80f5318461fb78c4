#include "reconciler/secrets.hpp"

#include "specs/core/digest.hpp"

namespace trove {
namespace {

std::string make_verifier(Engine engine, const Secret& password, const Sealer& sealer, const std::string& purpose) {
  switch (engine) {
    case Engine::mariadb:
      return guest::mariadb_verifier(password.reveal());
    case Engine::postgresql: {
      // The salt must not change from pass to pass, or the document would; it only has to be unlike everyone else's.
      const std::string salt = sha256_raw(sealer.derive("scram-salt:" + purpose).reveal()).substr(0, 16);
      return guest::postgresql_verifier(password.reveal(), salt);
    }
    case Engine::redis:
      return guest::redis_verifier(password.reveal());
    case Engine::memcached:
      return "";
  }
  return "";
}

}  // namespace

std::string secret_place(const Resource& secret, const std::string& key) {
  return secret.metadata.project + "/" + secret.metadata.name + "/" + secret.metadata.uid + "/" + key;
}

void Verifiers::refresh(World& world, const Key& key) {
  const Object* object = world.find(key);
  std::string instance, secret_name, secret_key = "password";
  if (object && key.kind == "User") {
    const auto& user = object->as<UserSpec>();
    instance = user.instance;
    secret_name = user.generate_length > 0 ? key.name + "-password" : user.secret_name;
    if (user.generate_length == 0 && !user.secret_key.empty()) secret_key = user.secret_key;
  } else if (object && key.kind == "DatabaseInstance" && object->as<DatabaseInstanceSpec>().root_access) {
    instance = key.name;
    secret_name = key.name + "-root";
  }
  const Object* secret = secret_name.empty() ? nullptr : world.find({key.project, "Secret", secret_name});
  const Object* of = instance.empty() ? nullptr : world.find({key.project, "DatabaseInstance", instance});
  if (!secret || !of) {
    world.verifiers.erase(key);
    if (!object) made_.erase(key);
    return;
  }
  const Engine engine = of->as<DatabaseInstanceSpec>().engine;
  Made& made = made_[key];
  const Metadata& meta = secret->meta();
  if (made.verifier.empty() || made.secret_uid != meta.uid || made.secret_version != meta.resource_version ||
      made.secret_key != secret_key || made.engine != engine) {
    const std::string& sealed = secret->resource.spec["data"][secret_key].text();
    Result<Secret> password = sealer_.unseal(sealed, secret_place(secret->resource, secret_key));
    if (!password) {
      world.verifiers.erase(key);
      made_.erase(key);
      return;
    }
    made = {meta.uid, meta.resource_version, secret_key, engine,
            make_verifier(engine, *password, sealer_, meta.uid + "/" + object->meta().uid + "/" + secret_key)};
  }
  world.verifiers[key] = made.verifier;
}

}  // namespace trove
