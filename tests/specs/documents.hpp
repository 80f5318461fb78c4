// Documents for the tests of specs: YAML text in, Resources or problems out. Header only; used on the main thread.
#pragma once
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include "specs/decode.hpp"
#include "specs/yaml.hpp"

namespace trove::testing {

struct Decoded {
  std::vector<Resource> resources;
  std::vector<Value> documents;
  Problems problems;
  std::string text() const { return to_string(problems); }
};

inline Decoded decode(std::string_view yaml, std::string_view file = "x.yaml", std::string_view project = "shop") {
  Decoded out;
  YamlStream stream = parse_yaml(yaml, file);
  out.problems = std::move(stream.problems);
  out.documents = std::move(stream.documents);
  for (size_t i = 0; i < out.documents.size(); ++i) {
    if (auto resource = decode_resource(out.documents[i], project, file, static_cast<int>(i), out.problems))
      out.resources.push_back(std::move(*resource));
  }
  return out;
}

inline Resource good(std::string_view yaml) {
  Decoded decoded = decode(yaml);
  INFO(decoded.text());
  REQUIRE(decoded.problems.empty());
  REQUIRE(decoded.resources.size() == 1);
  return std::move(decoded.resources[0]);
}

// A document of `kind` with this spec in flow style: "{size: 10}".
inline std::string document(std::string_view kind, std::string_view spec, std::string_view name = "x") {
  return "apiVersion: trove/v1alpha1\nkind: " + std::string(kind) + "\nmetadata: {name: " + std::string(name) +
         "}\nspec: " + std::string(spec) + "\n";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Compares with a golden file, or writes it when TROVE_UPDATE_GOLDEN=1.
inline void check_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(TROVE_SOURCE_DIR) / "tests" / "golden" / name;
  const char* update = std::getenv("TROVE_UPDATE_GOLDEN");
  if (update && std::string_view(update) == "1") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return;
  }
  INFO("golden file " << path << "; TROVE_UPDATE_GOLDEN=1 writes it anew");
  CHECK(read_file(path) == text);
}

}  // namespace trove::testing
