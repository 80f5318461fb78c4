// Where the server is, who we are, what refusals become; secrets, connect, completion, offline commands.
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>
#include "cli/api.hpp"
#include "cli/completion/scripts.hpp"
#include "tests/cli/support.hpp"
#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::cli::test {
namespace {

TEST_CASE("each refusal has its own exit status") {
  struct Row {
    int http;
    const char* code;
    int status;
  };
  for (const Row& row :
       {Row{400, "CONFIG_INVALID", 2}, Row{422, "CONFIG_IMMUTABLE", 2}, Row{413, "TOO_LARGE", 2},
        Row{404, "NOT_FOUND", 3}, Row{401, "CLOUD_UNAUTHENTICATED", 4}, Row{403, "CLOUD_UNAUTHORIZED", 4},
        Row{500, "INTERNAL", 5}, Row{409, "CONFLICT", 6}, Row{412, "", 6}, Row{403, "POLICY_DENIED", 9},
        Row{409, "DATA_SAFETY_HOLD", 9}, Row{503, "UNAVAILABLE", 10}, Row{429, "", 10}, Row{502, "", 10}}) {
    CannedServer server;
    server.on("GET", kBase + "/volumes", row.http,
              R"({"title":"T","status":)" + std::to_string(row.http) + R"(,"code":")" + row.code +
                  R"(","detail":"what happened"})");
    Ran ran = trovectl({"get", "vol"}, {&server});
    INFO(row.http << " " << row.code);
    CHECK(ran.status == row.status);
    CHECK(ran.out.empty());
    CHECK(ran.err.find("what happened") != std::string::npos);
  }
}

TEST_CASE("a server that is not there is status 10 and one that is no trove is status 5") {
  Given given;
  given.env["TROVE_SERVER_URL"] = "http://127.0.0.1:1";
  Ran ran = trovectl({"get", "inst"}, given);
  CHECK(ran.status == 10);
  CHECK(ran.err.find("cannot reach the server at http://127.0.0.1:1") != std::string::npos);
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, "<html>hello</html>");
  CHECK(trovectl({"get", "vol"}, {&server}).status == 5);
  given.env["TROVE_SERVER_URL"] = "carrier-pigeon";
  CHECK(trovectl({"get", "inst"}, given).status == 2);
}

TEST_CASE("settings come from flags then environment then data folder then file") {
  TempFolder home;
  home.write(".config/trove/config.yaml", "server: http://file:1\nproject: from-file\n");
  std::string data = home.path + "/data";
  home.write("data/endpoint", "http://data:2\n");
  home.write("data/token", "abc\n");
  Given given;
  given.env["HOME"] = home.path;
  auto server_of = [&](std::vector<std::string> flags) {
    std::vector<std::string> words{"config", "view", "-o", "json"};
    words.insert(words.end(), flags.begin(), flags.end());
    auto value = parse_json(trovectl(words, given).out);
    return value ? (*value)["server"].text() + " " + (*value)["project"].text() : std::string("?");
  };
  CHECK(server_of({}) == "http://file:1 from-file");
  given.env["TROVE_DATA"] = data;
  CHECK(server_of({}) == "http://data:2 from-file");
  given.env["TROVE_SERVER_URL"] = "http://env:3/";
  given.env["TROVE_PROJECT"] = "from-env";
  CHECK(server_of({}) == "http://env:3 from-env");
  CHECK(server_of({"--server=http://flag:4", "-p", "mine"}) == "http://flag:4 mine");
  given.env.clear();
  CHECK(server_of({}) == "http://127.0.0.1:7780 default");
}

TEST_CASE("the token goes into the header and a missing token file is status 4") {
  CannedServer server;
  serve(server, {});
  TempFolder folder;
  Given given{&server};
  given.env["TROVE_TOKEN_FILE"] = folder.write("token", "s3cret\n");
  CHECK(trovectl({"get", "vol"}, given).status == 0);
  CHECK(server.token_seen() == "Bearer s3cret");
  given.env["TROVE_TOKEN_FILE"] = folder.path + "/nowhere";
  CHECK(trovectl({"get", "vol"}, given).status == 4);
}

TEST_CASE("config set writes a private file and refuses unknown settings") {
  TempFolder home;
  Given given;
  given.env["HOME"] = home.path;
  CHECK(trovectl({"config", "set", "project", "shop"}, given).status == 0);
  CHECK(trovectl({"config", "set", "server", "https://db.example:7780"}, given).status == 0);
  struct stat info {};
  REQUIRE(::stat((home.path + "/.config/trove/config.yaml").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(trovectl({"config", "view"}, given).out.find("https://db.example:7780") != std::string::npos);
  CHECK(trovectl({"config", "set", "sever", "x"}, given).err.find("Did you mean \"server\"?") != std::string::npos);
  CHECK(trovectl({"config", "set", "server", "db.example"}, given).status == 2);
}

TEST_CASE("secret reveal prints one value bare or all with their names") {
  CannedServer server;
  server.on("POST", kBase + "/secrets/s/reveal", 200, R"({"data":{"password":"p w","user":"u"}})");
  CHECK(trovectl({"secret", "reveal", "s", "--key", "password"}, {&server}).out == "p w\n");
  CHECK(trovectl({"secret", "reveal", "secret/s"}, {&server}).out == "password: p w\nuser: u\n");
  CHECK(trovectl({"secret", "reveal", "s", "-k", "nope"}, {&server}).status == 3);
  CHECK(trovectl({"secret", "reveal", "gone"}, {&server}).status == 3);
  CHECK(trovectl({"secret", "reveal", "vol/s"}, {&server}).status == 2);
}

TEST_CASE("connect hands the password over in the environment and never as an argument") {
  CannedServer server;
  serve(server, {kOrdersInstance, kOrdersUser, kOrdersDatabase});
  server.on("POST", kBase + "/secrets/orders-app-password/reveal", 200, R"({"data":{"password":"hunter2"}})");
  Ran ran = trovectl({"connect", "inst/orders-db", "--", "-e", "SELECT 1; -- x"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.executed == std::vector<std::string>{"mariadb", "--protocol=tcp", "--host=127.77.1.2", "--port=3306",
                                                 "--user=orders_app", "-e", "SELECT 1; -- x"});
  CHECK(ran.executed_env == std::vector<std::string>{"MYSQL_PWD=hunter2"});
  CHECK(ran.out.find("hunter2") == std::string::npos);
  CHECK(ran.err.find("hunter2") == std::string::npos);

  Ran shown = trovectl({"connect", "orders-db", "--print"}, {&server});
  CHECK(shown.executed.empty());
  CHECK(shown.out ==
        "MYSQL_PWD=\"$(trovectl secret reveal orders-app-password --key password)\" mariadb --protocol=tcp "
        "--host=127.77.1.2 --port=3306 --user=orders_app\n");
  CHECK(trovectl({"connect", "orders-db", "--user", "nobody"}, {&server}).status == 3);
}

TEST_CASE("connect knows each engine's client") {
  auto instance = [](const std::string& type) {
    return R"({"kind":"DatabaseInstance","metadata":{"name":"x"},"spec":{"datastore":{"type":")" + type +
           R"("},"flavor":"f"},"status":{"endpoints":{"primary":"127.77.0.9:1234"}}})";
  };
  std::string user =
      R"({"kind":"User","metadata":{"name":"u"},"spec":{"instanceRef":{"name":"x"},"name":"app","password":{"secretRef":{"name":"mine","key":"pw"}}}})";
  std::string database =
      R"({"kind":"Database","metadata":{"name":"d"},"spec":{"instanceRef":{"name":"x"},"name":"shop","owner":"app"}})";
  auto ran = [&](const std::string& type) {
    CannedServer server;
    serve(server, {instance(type), user, database});
    server.on("POST", kBase + "/secrets/mine/reveal", 200, R"({"data":{"pw":"x"}})");
    return trovectl({"connect", "x"}, {&server});
  };
  CHECK(ran("postgresql").executed == std::vector<std::string>{"psql", "--host=127.77.0.9", "--port=1234",
                                                               "--username=app", "--dbname=shop", "--no-password"});
  CHECK(ran("postgresql").executed_env == std::vector<std::string>{"PGPASSWORD=x"});
  CHECK(ran("redis").executed ==
        std::vector<std::string>{"redis-cli", "-h", "127.77.0.9", "-p", "1234", "--user", "app"});
  CHECK(ran("redis").executed_env == std::vector<std::string>{"REDISCLI_AUTH=x"});
  CHECK(ran("memcached").executed.empty());
  CHECK(ran("memcached").out.find("nc 127.77.0.9 1234") != std::string::npos);
}

TEST_CASE("an instance without an address cannot be connected to") {
  CannedServer server;
  serve(server, {kCrmInstance});
  Ran ran = trovectl({"connect", "crm-db"}, {&server});
  CHECK(ran.status == 10);
  CHECK(ran.err.find("trovectl why databaseinstance/crm-db") != std::string::npos);
}

TEST_CASE("completion scripts are sound") {
  TempFolder folder;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    Ran ran = trovectl({"completion", shell});
    CHECK(ran.status == 0);
    CHECK(ran.out.find("__complete") != std::string::npos);
    CHECK(ran.out.find("describe") != std::string::npos);
    if (std::string(shell) != "bash") continue;
    std::string file = folder.write("completion.bash", ran.out);
    CHECK(std::system(("bash -n " + file).c_str()) == 0);
    // Flags and commands are answered by the script alone.
    std::string probe =
        "source " + file +
        "; COMP_LINE='trovectl get --out'; COMP_POINT=${#COMP_LINE}; _trovectl; [[ ${COMPREPLY[*]} == --output ]] && "
        "COMP_LINE='trovectl des'; COMP_POINT=${#COMP_LINE}; _trovectl; [[ ${COMPREPLY[*]} == describe ]]";
    CHECK(std::system(("bash -c \"" + [&] {
            std::string escaped;
            for (char c : probe) escaped += c == '$' || c == '"' ? std::string("\\") + c : std::string(1, c);
            return escaped;
          }() + "\"").c_str()) == 0);
  }
  CHECK(trovectl({"completion", "cmd.exe"}).status == 2);
}

TEST_CASE("completion knows kinds names flags and values") {
  CannedServer server;
  serve(server, {kOrdersInstance, kCrmInstance, kVolume});
  auto answers = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    Ran ran = trovectl(words, {&server});
    CHECK(ran.status == 0);
    CHECK(ran.err.empty());
    return ran.out;
  };
  CHECK(answers({"de"}) == "delete\ndescribe\n");
  CHECK(answers({"get", "vo"}) == "vol\nvolume\nvolumes\n");
  CHECK(answers({"get", "inst/"}) == "inst/orders-db\ninst/crm-db\n");
  CHECK(answers({"get", "inst", "o"}) == "orders-db\n");
  CHECK(answers({"describe", "-p", "default", "inst", ""}) == "orders-db\ncrm-db\n");
  CHECK(answers({"connect", "c"}) == "crm-db\n");
  CHECK(answers({"get", "inst", "-o", "y"}) == "yaml\n");
  CHECK(answers({"wait", "--for=R"}) == "--for=Ready\n");
  CHECK(answers({"plan", "--remove=vol/"}) == "--remove=vol/crm-data\n");
  CHECK(answers({"secret", ""}) == "reveal\n");
  CHECK(answers({"config", "set", "t"}) == "tokenFile\n");
  CHECK(answers({"apply", "--rec"}) == "--recursive\n");
  CHECK(answers({"nonsense", "x", "y"}).empty());
  CHECK(answers({}).find("apply\n") != std::string::npos);
}

TEST_CASE("completion stays silent when no server answers") {
  Given given;
  given.env["TROVE_SERVER_URL"] = "http://127.0.0.1:1";
  Ran ran = trovectl({"__complete", "get", "inst/"}, given);
  CHECK(ran.status == 0);
  CHECK(ran.out.empty());
  CHECK(ran.err.empty());
}

TEST_CASE("offline commands need no server and no settings") {
  Given broken;
  broken.env["TROVE_DATA"] = "/nowhere";
  CHECK(trovectl({"explain", "inst.spec.flavor"}, broken).out.find("KIND: DatabaseInstance") == 0);
  CHECK(trovectl({"explain", "inst.spec.flavour"}, broken).status == 2);
  CHECK(trovectl({"version", "--client"}, broken).status == 0);
  CHECK(trovectl({"api-resources"}, broken).out.find("BackupSchedule") != std::string::npos);
  CHECK(trovectl({"completion", "bash"}, broken).status == 0);
  auto schema = parse_json(trovectl({"schema", "all"}, broken).out);
  REQUIRE(schema.has_value());
  CHECK((*schema)["$defs"].size() == all_kinds().size());
  CHECK(parse_json(trovectl({"schema", "vol"}, broken).out).has_value());
  CHECK(trovectl({"schema", "volumn"}, broken).err.find("Did you mean \"volume\"?") != std::string::npos);
}

TEST_CASE("words that name objects wrongly are explained") {
  CannedServer server;
  for (std::vector<std::string> words : {std::vector<std::string>{"describe"},
                                         {"why", "inst"},
                                         {"why", "inst/"},
                                         {"get", "inst/a", "b"},
                                         {"get", "inst,db", "a"},
                                         {"tree", "inst", "a", "b"},
                                         {"get"},
                                         {"events", "inst", "vol/x"}}) {
    Ran ran = trovectl(words, {&server});
    INFO(words[0]);
    CHECK(ran.status == 2);
    CHECK(ran.err.find("error: ") == 0);
  }
  CHECK(server.requests().empty());
}

}  // namespace
}  // namespace trove::cli::test
