// House rules that a machine can check.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Check>
void each_source(std::initializer_list<const char*> folders, Check check) {
  for (const char* folder : folders)
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(TROVE_SOURCE_DIR) + "/" + folder)) {
      const std::string extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".cpp" || extension == ".hpp"))
        check(std::filesystem::relative(entry.path(), TROVE_SOURCE_DIR).string(), text_of(entry.path()));
    }
}

}  // namespace

TEST_CASE("time and chance come from outside in specs and the control plane") {
  const std::set<std::string> allowed = {"specs/core/real.cpp"};
  int files = 0;
  each_source({"specs", "reconciler", "providers/local", "providers/sim"},
              [&](const std::string& path, const std::string& text) {
                ++files;
                if (allowed.contains(path)) return;
                for (const char* word : {"_clock::now()", "sleep_for", "sleep_until", "std::rand", "random_device",
                                         "mt19937", "gettimeofday"}) {
                  INFO(path << " uses " << word);
                  CHECK(text.find(word) == std::string::npos);
                }
              });
  CHECK(files > 50);
}

TEST_CASE("heavy headers stay out of headers") {
  each_source({"specs", "reconciler", "providers", "cli"}, [](const std::string& path, const std::string& text) {
    if (!path.ends_with(".hpp")) return;
    for (const char* header : {"nlohmann/", "yaml-cpp/", "CLI/", "spdlog/", "SQLiteCpp/", "<httplib.h>"}) {
      INFO(path << " includes " << header);
      // One header may know httplib: the exchange that only the server's own files include.
      CHECK((text.find(std::string("#include <") + header) == std::string::npos));
    }
  });
}

TEST_CASE("links point one way") {
  each_source({"specs"}, [](const std::string& path, const std::string& text) {
    INFO(path);
    CHECK(text.find("#include \"providers/") == std::string::npos);
    CHECK(text.find("#include \"reconciler/") == std::string::npos);
  });
  each_source({"providers"}, [](const std::string& path, const std::string& text) {
    INFO(path);
    CHECK(text.find("#include \"reconciler/") == std::string::npos);
    CHECK(text.find("#include \"cli/") == std::string::npos);
  });
  each_source({"cli"}, [](const std::string& path, const std::string& text) {
    INFO(path);
    CHECK(text.find("#include \"reconciler/") == std::string::npos);
  });
}

TEST_CASE("only the guardian's callers and the providers may delete") {
  // A DeleteServer, DeleteVolume or DeleteStoredObject is made by plans and nowhere else in the control plane.
  each_source({"reconciler"}, [](const std::string& path, const std::string& text) {
    if (path.starts_with("reconciler/kinds/") || path.starts_with("reconciler/guard/")) return;
    INFO(path);
    for (const char* action : {"DeleteServer{", "DeleteVolume{", "DeleteStoredObject{"})
      CHECK(text.find(action) == std::string::npos);
    // The simulation stands on the cloud's side of it.
    if (path != "reconciler/loop/effects.cpp" && !path.starts_with("reconciler/simulate/"))
      CHECK(text.find("cloud_.perform") == std::string::npos);
  });
}
