#include "providers/local/records.hpp"
#include <algorithm>
#include <charconv>

namespace trove::local {

namespace {

constexpr size_t kMaxFlavors = 1'000;

// Reads members and remembers the first thing that did not fit.
class Reader {
 public:
  explicit Reader(const Value& value) : value_(value) {
    if (!value.is_map()) problem_ = "it is not a map";
  }

  std::string text(std::string_view key) {
    const Value* found = find(key);
    if (found && !found->is_string()) complain(key, "is not a string");
    return found ? found->text() : std::string();
  }
  int64_t number(std::string_view key, int64_t least, int64_t most) {
    const Value* found = find(key);
    if (found && (!found->is_int() || found->int_or(0) < least || found->int_or(0) > most)) {
      complain(key, "is not a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return found ? found->int_or(0) : 0;
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    const Value* found = find(key);
    if (found && !found->is_list()) complain(key, "is not a list");
    if (!found) return out;
    for (const Value& item : found->items()) {
      if (!item.is_string()) complain(key, "holds what is not a string");
      out.push_back(item.text());
    }
    return out;
  }
  void same_id(const std::string& found, const std::string& expected) {
    if (found != expected) complain("id", "is not what the file's name says");
  }
  // What is not ours has no such metadata, and is left alone.
  Token token() {
    const Value& metadata = value_["metadata"];
    Token token{metadata["trove:uid"].text(), metadata["trove:role"].text(), 0};
    const std::string& incarnation = metadata["trove:incarnation"].text();
    if (token.uid.empty()) return {};
    const auto [end, error] =
        std::from_chars(incarnation.data(), incarnation.data() + incarnation.size(), token.incarnation);
    if (error != std::errc{} || end != incarnation.data() + incarnation.size() || token.incarnation < 0) {
      complain("trove:incarnation", "is not a number");
    }
    return token;
  }
  void complain(std::string_view key, const std::string& what) {
    if (problem_.empty()) problem_ = std::string(key) + " " + what;
  }
  template <class T>
  Result<T> finish(T record) {
    if (!problem_.empty()) return fail(Code::corrupt, problem_);
    return record;
  }

 private:
  const Value* find(std::string_view key) {
    const Value* found = value_.find(key);
    if (!found) complain(key, "is missing");
    return found;
  }

  const Value& value_;
  std::string problem_;
};

Value metadata_of(const Token& token) {
  return Value::map({{"trove:uid", token.uid},
                     {"trove:role", token.role},
                     {"trove:incarnation", std::to_string(token.incarnation)}});
}

std::string_view text_of(ServerRecord::State state) {
  switch (state) {
    case ServerRecord::State::build: return "build";
    case ServerRecord::State::built: return "built";
    case ServerRecord::State::deleting: return "deleting";
  }
  return "deleting";
}

}  // namespace

Value to_value(const PortRecord& record) {
  Value cidrs = Value::list();
  for (const auto& cidr : record.port.allowed_cidrs) cidrs.push_back(cidr);
  return Value::map({{"id", record.port.id},
                     {"name", record.port.name},
                     {"project_id", record.project},
                     {"metadata", metadata_of(record.port.token)},
                     {"ip_address", record.port.address},
                     {"allowed_cidrs", std::move(cidrs)},
                     {"device_id", record.port.device_id},
                     {"device_token", record.server_token}});
}

Value to_value(const VolumeRecord& record) {
  return Value::map({{"id", record.volume.id},
                     {"name", record.volume.name},
                     {"project_id", record.project},
                     {"metadata", metadata_of(record.volume.token)},
                     {"size", record.volume.size_gib},
                     {"volume_type", record.volume.type},
                     {"server_id", record.volume.server_id},
                     {"server_token", record.server_token}});
}

Value to_value(const ServerRecord& record) {
  const Server& server = record.server;
  return Value::map({{"id", server.id},
                     {"name", server.name},
                     {"project_id", record.project},
                     {"metadata", metadata_of(server.token)},
                     {"state", text_of(record.state)},
                     {"fault", server.fault},
                     {"flavor", server.flavor},
                     {"port_id", server.port_id},
                     {"volume_id", server.volume_id},
                     {"datastore", record.datastore},
                     {"datastore_version", record.version},
                     {"created_ms", server.created.ms}});
}

Value to_value(const AgentRecord& record) {
  return Value::map({{"pid", record.pid},
                     {"start_time", record.start_time},
                     {"boot_id", record.boot},
                     {"memory_group", record.memory_group}});
}

Result<PortRecord> port_from(const Value& value, const std::string& id) {
  Reader read(value);
  PortRecord record;
  record.port.id = read.text("id");
  read.same_id(record.port.id, id);
  record.port.name = read.text("name");
  record.project = read.text("project_id");
  record.port.token = read.token();
  record.port.address = read.text("ip_address");
  record.port.allowed_cidrs = read.texts("allowed_cidrs");
  std::sort(record.port.allowed_cidrs.begin(), record.port.allowed_cidrs.end());
  record.port.device_id = read.text("device_id");
  record.server_token = read.text("device_token");
  return read.finish(std::move(record));
}

Result<VolumeRecord> volume_from(const Value& value, const std::string& id) {
  Reader read(value);
  VolumeRecord record;
  record.volume.id = read.text("id");
  read.same_id(record.volume.id, id);
  record.volume.name = read.text("name");
  record.project = read.text("project_id");
  record.volume.token = read.token();
  record.volume.size_gib = read.number("size", 1, int64_t{1} << 40);
  record.volume.type = read.text("volume_type");
  record.volume.server_id = read.text("server_id");
  record.server_token = read.text("server_token");
  return read.finish(std::move(record));
}

Result<ServerRecord> server_from(const Value& value, const std::string& id) {
  Reader read(value);
  ServerRecord record;
  Server& server = record.server;
  server.id = read.text("id");
  read.same_id(server.id, id);
  server.name = read.text("name");
  record.project = read.text("project_id");
  server.token = read.token();
  const std::string state = read.text("state");
  using State = ServerRecord::State;
  bool known = false;
  for (const State s : {State::build, State::built, State::deleting}) {
    if (state == text_of(s)) record.state = s, known = true;
  }
  if (!known) read.complain("state", "is none of build, built, deleting");
  server.fault = read.text("fault");
  server.flavor = read.text("flavor");
  server.port_id = read.text("port_id");
  server.volume_id = read.text("volume_id");
  record.datastore = read.text("datastore");
  record.version = read.text("datastore_version");
  server.created.ms = read.number("created_ms", 0, INT64_MAX);
  return read.finish(std::move(record));
}

Result<AgentRecord> agent_from(const Value& value, const std::string&) {
  Reader read(value);
  AgentRecord record;
  record.pid = static_cast<int>(read.number("pid", 0, INT32_MAX));
  record.start_time = static_cast<uint64_t>(read.number("start_time", 0, INT64_MAX));
  record.boot = read.text("boot_id");
  record.memory_group = read.text("memory_group");
  return read.finish(std::move(record));
}

std::vector<Flavor> built_in_flavors() {
  return {{"db.nano", 256, 1},   {"db.micro", 384, 1},   {"db.tiny", 512, 1},    {"db.small", 1024, 1},
          {"db.medium", 2048, 2}, {"db.large", 4096, 2}, {"db.xlarge", 8192, 4}};
}

Result<std::vector<Flavor>> flavors_from(const Value& value, const std::string&) {
  if (!value.is_list() || value.size() > kMaxFlavors) {
    return fail(Code::corrupt, "it is not a list of at most " + std::to_string(kMaxFlavors) + " flavors");
  }
  std::vector<Flavor> flavors;
  for (const Value& item : value.items()) {
    Reader read(item);
    Flavor flavor{read.text("name"), read.number("ram", 1, int64_t{1} << 30),
                  static_cast<int>(read.number("vcpus", 1, 65'536))};
    if (flavor.name.empty()) read.complain("name", "is empty");
    auto done = read.finish(std::move(flavor));
    if (!done) return tl::unexpected(done.error());
    flavors.push_back(std::move(*done));
  }
  return flavors;
}

}  // namespace trove::local
