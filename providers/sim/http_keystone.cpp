// Keystone v3: tokens by password and by application credential, scoped to a project, with the catalog.
#include <algorithm>
#include "providers/sim/http_world.hpp"
#include "specs/core/digest.hpp"

namespace trove::sim {

namespace {

http::Response denied(const World& world) {
  http::Response response = keystone_error(401, "The request you have made requires authentication.");
  response.headers.emplace_back("WWW-Authenticate", "Keystone uri=\"" + world.base + "\"");
  return response;
}

Value domain() { return Value::map({{"id", "default"}, {"name", "Default"}}); }

Value catalog(const World& world, const std::string& project) {
  struct Row {
    const char *type, *name;
    std::string url;
  };
  const Row rows[] = {{"identity", "keystone", world.base + "/v3"},
                      {"compute", "nova", world.base + "/compute/v2.1"},
                      {"volumev3", "cinderv3", world.base + "/volume/v3/" + project},
                      {"block-storage", "cinder", world.base + "/volume/v3/" + project},
                      {"network", "neutron", world.base + "/network"},
                      {"image", "glance", world.base + "/image"},
                      {"object-store", "swift", world.base + "/v1/AUTH_" + project}};
  Value list = Value::list();
  for (const Row& row : rows) {
    Value endpoints = Value::list();
    for (const char* interface : {"public", "internal", "admin"}) {
      const std::string id = sha256_hex(std::string(row.type) + interface).substr(0, 32);
      endpoints.push_back(Value::map({{"id", id},
                                      {"interface", interface},
                                      {"region", world.options.region},
                                      {"region_id", world.options.region},
                                      {"url", row.url}}));
    }
    list.push_back(Value::map({{"endpoints", std::move(endpoints)},
                               {"id", sha256_hex(row.type).substr(0, 32)},
                               {"name", row.name},
                               {"type", row.type}}));
  }
  return list;
}

const SimUser* user_by_id(const World& world, const std::string& id) {
  for (const SimUser& user : world.options.users)
    if (world.users.at(user.name) == id) return &user;
  return nullptr;
}

std::string project_name(const World& world, const std::string& id) {
  for (const auto& [name, known] : world.projects)
    if (known == id) return name;
  return "";
}

Value token_body(const World& world, const Session& session, const std::string& method, bool with_catalog) {
  const SimUser* user = user_by_id(world, session.user);
  Value token = Value::map({{"methods", Value::list({Value(method)})},
                            {"user", Value::map({{"domain", domain()},
                                                 {"id", session.user},
                                                 {"name", user ? user->name : ""},
                                                 {"password_expires_at", Value()}})},
                            {"audit_ids", Value::list({Value("sim")})},
                            {"expires_at", micros_text(session.expires) + "Z"},
                            {"issued_at", micros_text(session.expires - world.options.token_life) + "Z"}});
  if (!session.project.empty()) {
    token.set(
        "project",
        Value::map({{"domain", domain()}, {"id", session.project}, {"name", project_name(world, session.project)}}));
    token.set("is_domain", false);
    Value roles = Value::list();
    for (const char* role : {"admin", "member", "reader"})
      if (session.admin || std::string_view(role) != "admin")
        roles.push_back(Value::map({{"id", sha256_hex(role).substr(0, 32)}, {"name", role}}));
    token.set("roles", std::move(roles));
    if (with_catalog) token.set("catalog", catalog(world, session.project));
  }
  return Value::map({{"token", std::move(token)}});
}

// The user that the identity part proves; nullptr = nobody.
const SimUser* prove(const World& world, const Value& identity, std::string& method) {
  if (identity["methods"].size() != 1) return nullptr;
  method = identity["methods"].items()[0].text();
  if (method == "password") {
    const Value& asked = identity["password"]["user"];
    for (const SimUser& user : world.options.users) {
      const Value& owner = asked["domain"];
      const bool by_id = asked["id"].text() == world.users.at(user.name);
      const bool by_name =
          asked["name"].text() == user.name && (owner["id"].text() == "default" || owner["name"].text() == "Default");
      if ((by_id || by_name) && asked["password"].text() == user.password) return &user;
    }
  }
  if (method == "application_credential") {
    const Value& asked = identity["application_credential"];
    for (const SimUser& user : world.options.users)
      if (!user.credential_id.empty() && asked["id"].text() == user.credential_id &&
          asked["secret"].text() == user.credential_secret)
        return &user;
  }
  return nullptr;
}

http::Response authenticate(World& world, Ask& ask) {
  const Value& auth = ask.body["auth"];
  if (!auth.is_map() || !auth["identity"].is_map())
    return keystone_error(400,
                          "Expecting to find identity in auth. The server could not comply with the request since "
                          "it is either malformed or otherwise incorrect. The client is assumed to be in error.");
  std::string method;
  const std::string& credential = auth["identity"]["application_credential"]["id"].text();
  const auto has_it = [&](const SimUser& user) { return user.credential_id == credential; };
  const auto& users = world.options.users;
  if (!credential.empty() && std::none_of(users.begin(), users.end(), has_it))
    return keystone_error(404, "Could not find Application Credential: " + credential + ".");
  const SimUser* user = prove(world, auth["identity"], method);
  if (!user) return denied(world);
  Session session{world.users.at(user->name), "", user->admin, world.clock.wall() + world.options.token_life};
  const Value& scope = auth["scope"]["project"];
  if (method == "application_credential") {
    if (auth.find("scope")) return keystone_error(401, "Application credentials cannot request a scope.");
    session.project = world.projects.at(user->project);
  } else if (scope.is_map()) {
    for (const auto& [name, id] : world.projects) {
      const Value& owner = scope["domain"];
      const bool by_name =
          scope["name"].text() == name && (owner["id"].text() == "default" || owner["name"].text() == "Default");
      if (scope["id"].text() == id || by_name) session.project = id;
    }
    const bool member = session.project == world.projects.at(user->project) || user->admin;
    if (session.project.empty() || !member) return denied(world);
  }
  const std::string token = "gAAAAA" + random_text(world.rng, 150);
  world.tokens[token] = session;
  std::erase_if(world.tokens,
                [&](const auto& t) { return t.second.expires <= world.clock.wall() - Millis{86'400'000}; });
  http::Response response = json(201, token_body(world, session, method, !ask.has("nocatalog")));
  response.headers.emplace_back("X-Subject-Token", token);
  response.headers.emplace_back("Vary", "X-Auth-Token");
  return response;
}

}  // namespace

http::Response keystone(World& world, Ask& ask) {
  const Value version = Value::map(
      {{"id", "v3.14"},
       {"status", "stable"},
       {"updated", "2020-04-07T00:00:00Z"},
       {"links", Value::list({Value::map({{"rel", "self"}, {"href", world.base + "/v3/"}})})},
       {"media-types", Value::list({Value::map(
                           {{"base", "application/json"}, {"type", "application/vnd.openstack.identity-v3+json"}})})}});
  if (ask.request.path == "/")
    return json(300, Value::map({{"versions", Value::map({{"values", Value::list({version})}})}}));
  if (ask.is("GET", 0)) return json(200, Value::map({{"version", version}}));
  if (ask.at(0) == "auth" && ask.at(1) == "tokens" && ask.path.size() == 2) {
    if (ask.request.method == "POST") return authenticate(world, ask);
    const auto caller = world.tokens.find(ask.request.header("x-auth-token"));
    if (caller == world.tokens.end() || caller->second.expires <= world.clock.wall()) return denied(world);
    const auto subject = world.tokens.find(ask.request.header("x-subject-token"));
    if (subject == world.tokens.end() || subject->second.expires <= world.clock.wall())
      return keystone_error(404, "Could not find token.");
    if (ask.request.method == "DELETE") {
      world.tokens.erase(subject);
      return empty(204);
    }
    if (ask.request.method == "GET" || ask.request.method == "HEAD") {
      http::Response response = json(200, token_body(world, subject->second, "password", !ask.has("nocatalog")));
      response.headers.emplace_back("X-Subject-Token", subject->first);
      return response;
    }
  }
  if (ask.at(0) == "auth" && ask.is("GET", 2)) {
    const auto caller = world.tokens.find(ask.request.header("x-auth-token"));
    if (caller == world.tokens.end() || caller->second.expires <= world.clock.wall()) return denied(world);
    if (ask.at(1) == "catalog")
      return json(200, Value::map({{"catalog", catalog(world, caller->second.project)}, {"links", Value::map()}}));
    if (ask.at(1) == "projects") {
      Value list = Value::list();
      for (const auto& [name, id] : world.projects)
        if (caller->second.admin || id == caller->second.project)
          list.push_back(Value::map({{"id", id}, {"name", name}, {"domain_id", "default"}, {"enabled", true}}));
      return json(200, Value::map({{"projects", std::move(list)}, {"links", Value::map()}}));
    }
  }
  return keystone_error(404, "The resource could not be found.");
}

}  // namespace trove::sim
