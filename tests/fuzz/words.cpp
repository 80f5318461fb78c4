#include "specs/kinds/kind.hpp"
#include "specs/kinds/parameters.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trove::fuzz {
namespace {

// Where parsers are known to slip.
constexpr std::string_view kTricky[] = {",",
                                        "[1, *a]",
                                        "&a [*a]",
                                        "<<: *a",
                                        "!!python/object ",
                                        "? [a]\n: b",
                                        "---\n",
                                        "...\n",
                                        "%YAML 1.1\n",
                                        "1e400",
                                        "-0",
                                        "0x1F",
                                        "010",
                                        ".inf",
                                        "1_000",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "yes",
                                        "~",
                                        "null",
                                        "true",
                                        "\"\\ud800\"",
                                        "\"\\u0000\"",
                                        "|\n  ",
                                        ">-\n  ",
                                        "''",
                                        "\"\"",
                                        "# comment\n",
                                        "\xEF\xBB\xBF",
                                        "\xC0\xAF",
                                        "\xED\xA0\x80",
                                        "\xE2\x80\xAE",
                                        "\r\n",
                                        "\t",
                                        "{\"a\":1,\"a\":2}",
                                        "[[[[[[[[",
                                        "{{{{{{{{",
                                        "- - - - - ",
                                        ": : : : ",
                                        "\"\\\n",
                                        "a: b: c",
                                        "30s",
                                        "7d",
                                        "1h30m",
                                        "250ms",
                                        "99999999999d",
                                        "10.20.0.0/16",
                                        "::1/128",
                                        "0 2 * * *",
                                        "0 0 30 2 *",
                                        "*/5 * * * * *",
                                        "@daily",
                                        "Europe/Berlin",
                                        "8.0",
                                        "70%ram",
                                        "128M",
                                        "(hidden)",
                                        "+@read",
                                        "ALL",
                                        "orders.*",
                                        "S3CR3T-canary",
                                        "app=orders",
                                        "env in (a,b)",
                                        "$.items[*]",
                                        "2026-09-27T12:00:00Z"};

std::string last_part(std::string_view path) {
  const auto dot = path.rfind('.');
  std::string name(dot == path.npos ? path : path.substr(dot + 1));
  if (name.ends_with("[]")) name.resize(name.size() - 2);
  return name;
}

std::vector<std::string> make() {
  std::vector<std::string> all;
  for (const Kind& kind : all_kinds()) {
    all.emplace_back(kind.name);
    all.emplace_back(kind.plural);
    all.push_back("---\n" + std::string(kind.example));
    for (const Field& field : kind.fields) {
      if (field.path.ends_with("[]")) continue;
      all.push_back(last_part(field.path) + ": ");
      all.push_back("\n  " + last_part(field.path) + ": ");
      for (std::string_view value : field.values) all.emplace_back(value);
    }
  }
  for (Engine engine : {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached}) {
    for (const Parameter& parameter : known_parameters(engine)) all.push_back(std::string(parameter.name) + ": ");
  }
  for (std::string_view each :
       {"apiVersion: trove/v1alpha1\n", "kind: ", "metadata: ", "spec: ", "status: ", "name: ", "generateName: ",
        "project: ", "labels: ", "annotations: ", "uid: ", "resourceVersion: ", "deletionTimestamp: "})
    all.emplace_back(each);
  for (std::string_view each : kTricky) all.emplace_back(each);
  return all;
}

}  // namespace

const std::vector<std::string>& words() {
  static const std::vector<std::string> all = make();
  return all;
}

}  // namespace trove::fuzz
