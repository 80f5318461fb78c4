#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

struct Login {
  std::string name;       // inside the engine
  std::string secret, key;
};

Login login_of(const UserSpec& user, const std::string& object_name) {
  if (user.generate_length > 0) return {user.name, object_name + "-password", "password"};
  return {user.name, user.secret_name, user.secret_key};
}

Try<Login> choose_login(Context& context, Api& api, const std::string& instance) {
  std::string wanted = context.args.get("user");
  if (wanted == "root") {
    return Login{"root", instance + "-root", "password"};
  }
  auto listing = api.list(*find_kind("User"));
  if (!listing) return tl::unexpected(listing.error());
  std::string known;
  for (const Value& object : listing->items) {
    std::string name = object.at_path("metadata.name").text();
    UserSpec user = user_spec(object["spec"], name);
    if (user.instance != instance) continue;
    if (wanted.empty() || wanted == name || wanted == user.name) return login_of(user, name);
    known += (known.empty() ? "" : ", ") + name;
  }
  if (wanted.empty()) {
    return failed(kNotFound, "databaseinstance/" + instance + " has no User object to log in as",
                  "apply one, or use --user root when spec.rootAccess is true");
  }
  return failed(kNotFound, "databaseinstance/" + instance + " has no user \"" + printable(wanted, 80) + "\"",
                known.empty() ? "it has none" : "users: " + known);
}

Try<std::string> first_database(Api& api, const std::string& instance, const std::string& owner) {
  auto listing = api.list(*find_kind("Database"));
  if (!listing) return tl::unexpected(listing.error());
  std::string first;
  for (const Value& object : listing->items) {
    DatabaseSpec database = database_spec(object["spec"], object.at_path("metadata.name").text());
    if (database.instance != instance) continue;
    if (!owner.empty() && database.owner == owner) return database.name;
    if (first.empty()) first = database.name;
  }
  return first;
}

std::string quoted_for_shell(const std::string& word) {
  if (!word.empty() &&
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=%@+,") ==
          std::string::npos) {
    return word;
  }
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

Try<int> run_connect(Context& context) {
  auto target = parse_instance(context.args.words);
  if (!target) return tl::unexpected(target.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto object = (*api)->get(*target->kind, target->name);
  if (!object) return tl::unexpected(object.error());
  DatabaseInstanceSpec spec = database_instance_spec((*object)["spec"]);
  std::string endpoint = object->at_path("status.endpoints.primary").text();
  size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) {
    return failed(kUnavailable, to_string(*target) + " has no address yet", "see: trovectl why " + to_string(*target));
  }
  std::string host = endpoint.substr(0, colon), port = endpoint.substr(colon + 1);
  if (spec.engine == Engine::memcached) {
    context.err << "Memcached has no client program and no login. Speak its protocol:\n";
    context.out << "printf 'stats\\r\\nquit\\r\\n' | nc " << host << " " << port << '\n';
    return kOk;
  }

  auto login = choose_login(context, **api, target->name);
  if (!login) return tl::unexpected(login.error());
  std::string database = context.args.get("database");
  std::vector<std::string> argv;
  std::string variable;
  switch (spec.engine) {
    case Engine::mariadb:
      argv = {"mariadb", "--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + login->name};
      if (!database.empty()) argv.push_back("--database=" + database);
      variable = "MYSQL_PWD";
      break;
    case Engine::postgresql: {
      if (database.empty()) {
        auto first = first_database(**api, target->name, login->name);
        if (!first) return tl::unexpected(first.error());
        database = first->empty() ? "postgres" : *first;
      }
      argv = {"psql",         "--host=" + host, "--port=" + port, "--username=" + login->name, "--dbname=" + database,
              "--no-password"};
      variable = "PGPASSWORD";
      break;
    }
    case Engine::redis:
      argv = {"redis-cli", "-h", host, "-p", port};
      if (login->name != "default") argv.insert(argv.end(), {"--user", login->name});
      if (!database.empty()) argv.insert(argv.end(), {"-n", database});
      variable = "REDISCLI_AUTH";
      break;
    case Engine::memcached: break;
  }
  argv.insert(argv.end(), context.args.rest.begin(), context.args.rest.end());

  if (context.args.has("print")) {
    context.out << variable << "=\"$(trovectl secret reveal " << quoted_for_shell(login->secret) << " --key "
                << quoted_for_shell(login->key);
    if ((*api)->project() != "default") context.out << " -p " << quoted_for_shell((*api)->project());
    context.out << ")\"";
    for (const std::string& word : argv) context.out << ' ' << quoted_for_shell(word);
    context.out << '\n';
    return kOk;
  }
  auto revealed = (*api)->reveal(login->secret);
  if (!revealed) {
    Failure failure = revealed.error();
    if (failure.exit == kNotFound) {
      failure.message = "the password is not there yet: secret/" + printable(login->secret) + " does not exist";
      failure.hint = "see: trovectl why " + to_string(*target);
    }
    return tl::unexpected(failure);
  }
  const Value& password = (*revealed)["data"][login->key];
  if (!password.is_string()) {
    return failed(kNotFound,
                  "secret/" + printable(login->secret) + " has no key \"" + printable(login->key, 80) + "\"");
  }
  context.out.flush();
  auto outcome = context.exec(argv, {variable + "=" + password.text()});
  if (!outcome) {
    return failed(
        outcome.error().code == Code::not_found ? kUsage : kInternal, "cannot start " + outcome.error().message,
        outcome.error().code == Code::not_found
            ? "install the engine's client, or see the command: trovectl connect " + to_string(*target) + " --print"
            : "");
  }
  return *outcome;
}

}  // namespace trove::cli
