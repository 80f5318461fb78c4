#include "openstack/exchanges.hpp"
#include <algorithm>
#include <charconv>
#include <regex>
#include <set>
#include <sstream>
#include "providers/http/client.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"
#include "specs/yaml.hpp"

namespace trove {
namespace {

constexpr Millis kBetweenLooks{500}, kRestart{2'000}, kDeadline{120'000};
constexpr int kCleanings = 60;

std::vector<std::string> words(const std::string& text, char by = ' ') {
  std::vector<std::string> out;
  for (size_t from = 0; from < text.size();) {
    const size_t to = std::min(text.find(by, from), text.size());
    size_t first = from, last = to;
    while (first < last && text[first] == ' ') ++first;
    while (last > first && text[last - 1] == ' ') --last;
    if (last > first) out.push_back(text.substr(first, last - first));
    from = to + 1;
  }
  return out;
}

// "servers[name=db].fixed_ips[0].ip_address", "volumes.#" (how many). Null where there is none.
Value at(const Value& whole, const std::string& path) {
  Value here = whole;
  for (size_t i = 0; i < path.size();) {
    if (path[i] == '.') ++i;
    if (path[i] == '[') {
      const size_t end = path.find(']', i);
      const std::string inside = path.substr(i + 1, end - i - 1);
      const size_t equals = inside.find('=');
      const Value list = here;
      here = Value();
      for (size_t n = 0; n < list.items().size() && here.is_null(); ++n)
        if (equals == std::string::npos
                ? std::to_string(n) == inside
                : list.items()[n][inside.substr(0, equals)].as_written() == inside.substr(equals + 1))
          here = list.items()[n];
      i = end + 1;
      continue;
    }
    const size_t end = std::min(path.find_first_of(".[", i), path.size());
    const std::string key = path.substr(i, end - i);
    const Value next = key == "#" ? (here.is_list() ? Value(here.size()) : Value()) : here[key];
    here = next;
    i = end;
  }
  return here;
}

bool is_identity(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

class Conversation {
 public:
  Conversation(const Value& list, const ExchangeRun& run) : list_(list), run_(run), names_(run.given) {
    const std::string digest = sha256_hex(run.given.at("run"));
    std::string mac = "fa";
    for (size_t i = 0; i < 5; ++i) mac += ":" + digest.substr(2 * i, 2);
    keep("run", run.given.at("run"));
    keep("mac", mac);
    names_["before"] = format_time(Time{(run.now() - Millis{600'000}).ms / 1000 * 1000});
    names_["later"] = format_time(Time{(run.now() + Millis{86'400'000}).ms / 1000 * 1000});
    keep("auth", run.given.at("auth"));
  }

  Exchanged all() {
    Exchanged out;
    const auto& steps = list_["exchanges"].items();
    for (size_t i = 0; i < steps.size(); ++i) {
      const Value& step = steps[i];
      auto text = one(step);
      if (run_.progress) run_.progress(text ? *text : step["it"].text());
      if (!text) {
        out.trouble = "\"" + step["it"].text() + "\": " + text.error().message;
        clean(i);
        return out;
      }
      out.text += *text;
      ++out.count;
    }
    return out;
  }

 private:
  void keep(const std::string& name, const std::string& value) {
    names_[name] = value;
    hidden_[value] = name;
  }

  Result<std::string> filled(const std::string& text) const {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '$') {
        out += text[i];
        continue;
      }
      size_t end = i + 1;
      while (end < text.size() && is_identity(text[end])) ++end;
      const auto found = names_.find(text.substr(i + 1, end - i - 1));
      if (found == names_.end()) return fail(Code::invalid, text.substr(i, end - i) + " is not known");
      out += found->second;
      i = end - 1;
    }
    // "/v3/<project>/.." is "/v3"
    for (size_t up; (up = out.find("/..")) != std::string::npos;) {
      const size_t before = out.rfind('/', up - 1);
      out.erase(before, up + 3 - before);
    }
    return out;
  }
  // What differs from run to run gets a name; a time keeps its form.
  std::string plain(std::string text) const {
    std::vector<std::pair<std::string, std::string>> longest(hidden_.begin(), hidden_.end());
    std::sort(longest.begin(), longest.end(),
              [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    for (const auto& [value, name] : longest)
      for (size_t i = 0; (i = text.find(value, i)) != std::string::npos; i += name.size() + 1)
        text.replace(i, value.size(), "$" + name);
    static const std::regex uuid("(req-)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"),
        time("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"), fraction("T00:00:00\\.[0-9]{6}");
    text = std::regex_replace(text, uuid, "<id>");
    text = std::regex_replace(text, time, "0000-00-00T00:00:00");
    return std::regex_replace(text, fraction, "T00:00:00.000000");
  }

  struct Reply {
    int status = 0;
    std::map<std::string, std::string> headers;
    std::string text;
    Value body;
  };

  Result<Reply> send(const Value& step) {
    const auto asked = words(step["ask"].text());
    if (asked.size() != 2) return fail(Code::invalid, "ask wants a method and an address");
    auto url = filled(asked[1]);
    if (!url) return tl::unexpected(url.error());
    http::Call call;
    call.method = asked[0];
    const size_t path = url->find('/', url->find("://") + 3);
    call.path = url->substr(path);
    call.deadline = kDeadline;
    if (const Value& signature = step["signed"]; signature.is_map()) {
      const int64_t ends = run_.now().ms / 1000 + signature["seconds"].int_or(0);
      const std::string text = signature["for"].text() + "\n" + std::to_string(ends) + "\n" + call.path;
      call.path +=
          "?temp_url_sig=" + hmac_sha256_hex(names_.at("key"), text) + "&temp_url_expires=" + std::to_string(ends);
    }
    // No $name stands for anything that JSON would have to quote.
    auto body = filled(step.find("body") ? dump_json(step["body"]) : step["bytes"].text());
    if (!body) return tl::unexpected(body.error());
    call.body = *body;
    call.headers.emplace_back("Accept", "application/json");
    const std::string who = step["as"].text_or("user");
    if (who == "user") call.headers.emplace_back("X-Auth-Token", names_["token"]);
    if (who == "other") call.headers.emplace_back("X-Auth-Token", names_["other_token"]);
    if (who == "stranger") call.headers.emplace_back("X-Auth-Token", "no-such-token");
    std::string version = step["version"].text();
    if (!step.find("version"))
      for (const auto& service : list_["versions"].members())
        if (asked[1].starts_with("$" + service.key + "/")) version = service.value.text();
    if (!version.empty()) call.headers.emplace_back("OpenStack-API-Version", version);
    for (const auto& header : step["headers"].members()) {
      auto value = filled(header.value.as_written());
      if (!value) return tl::unexpected(value.error());
      call.headers.emplace_back(header.key, *value);
    }
    // A service that is just being restarted: what was not sent may be sent again, a read always.
    for (Millis waited{0};; waited += kRestart) {
      auto client = http::Client::make({.base_url = url->substr(0, path)});
      if (!client) return tl::unexpected(client.error());
      auto answer = (*client)->call(call);
      const bool down = answer ? answer->status >= 500 && call.method == "GET"
                               : call.method == "GET" || answer.error().code == Code::unavailable;
      if (down && waited < run_.patience) {
        run_.wait(kRestart);
        continue;
      }
      if (!answer) return tl::unexpected(answer.error());
      Reply reply{answer->status, answer->headers, answer->body, {}};
      if (auto body = parse_json(answer->body)) reply.body = std::move(*body);
      return reply;
    }
  }

  bool holds(const Reply& reply, const std::string& wanted) const {
    if (wanted.find('=') == std::string::npos) return std::to_string(reply.status) == wanted;
    const size_t equals = wanted.rfind('=');
    return at(reply.body, wanted.substr(0, equals)).as_written() == wanted.substr(equals + 1);
  }

  Result<std::string> one(const Value& step) {
    auto reply = send(step);
    if (!reply) return tl::unexpected(reply.error());
    if (reply->status >= 500) return fail(Code::unavailable, std::to_string(reply->status) + " " + reply->text);
    std::string text = step["it"].text() + "\n  " + step["ask"].text() + "\n";
    if (step.find("until")) {
      auto wanted = filled(step["until"].as_written());
      if (!wanted) return tl::unexpected(wanted.error());
      Millis waited{0};
      for (; !holds(*reply, *wanted) && waited < run_.patience; waited += kBetweenLooks) {
        run_.wait(kBetweenLooks);
        reply = send(step);
        if (!reply) return tl::unexpected(reply.error());
        if (at(reply->body, "server.status").text() == "ERROR") break;
      }
      if (!holds(*reply, *wanted))
        return fail(Code::unavailable, "never " + *wanted + "; the last answer: " + std::to_string(reply->status) +
                                           " " + reply->text.substr(0, 500));
    }
    for (const auto& member : step["keep"].members()) {
      const std::string path = member.value.text();
      auto full = filled(path);
      if (!full) return tl::unexpected(full.error());
      std::string value =
          path.starts_with("header:") ? reply->headers[path.substr(7)] : at(reply->body, *full).as_written();
      while (value.ends_with('/')) value.pop_back();
      if (value.empty())
        return fail(Code::unavailable,
                    "there is no " + path + " in " + std::to_string(reply->status) + " " + reply->text.substr(0, 500));
      keep(member.key, value);
    }
    // Made, where the list expects a refusal: it would be in the way of all that follows.
    if (!step.find("keep") && !step.find("show") && step["ask"].text().starts_with("POST") &&
        reply->body.members().size() == 1) {
      strays_.push_back(reply->body.members()[0].value["id"].text());
      if (!strays_.back().empty()) {
        strays_.back() = "DELETE " + words(step["ask"].text())[1] + "/" + strays_.back();
        return fail(Code::conflict, "not refused: " + reply->text.substr(0, 500));
      }
      strays_.pop_back();
    }
    auto shown = show(step, *reply);
    if (!shown) return shown;
    return text + *shown + "\n";
  }

  Result<std::string> show(const Value& step, Reply& reply) {
    std::string text = "  " + std::to_string(reply.status);
    const std::string& type = reply.headers["content-type"];
    if (step["ask"].text().starts_with("HEAD") || reply.text.empty())
      text += " empty";
    else
      text += " " + type.substr(0, type.find(';'));
    // Swift's own is a transaction's.
    for (const char* name : {"x-openstack-request-id", "x-trans-id", "retry-after"})
      if (reply.headers.contains(name)) text += std::string(" ") + name;
    text += "\n";
    std::string said;
    if (reply.status >= 300 && reply.body.is_map()) {
      for (const auto& member : reply.body.members()) {
        text += "  " + member.key + ":";
        for (const char* field : {"code", "type", "title"})
          if (member.value.find(field)) text += std::string(" ") + field + "=" + member.value[field].as_written();
        if (member.value.is_map() && member.value["message"].is_string()) {
          text += " message";
          said = member.value["message"].text() + " " + member.value["detail"].text();
          said.resize(std::min(said.size(), said.find('\n')));
        } else if (member.key == "message") {
          said = member.value.text();
        }
        text += "\n";
      }
    }
    for (const std::string& fragment : words(step["says"].text(), ';')) {
      auto full = filled(fragment);
      if (!full) return full;
      text += "  says \"" + fragment + "\": " + (said.find(*full) == std::string::npos ? "no" : "yes") + "\n";
    }
    for (const std::string& path : words(step["show"].text())) {
      const size_t brace = path.find('{');
      if (brace == std::string::npos) {
        if (auto done = show(path, reply, text); !done) return tl::unexpected(done.error());
        continue;
      }
      for (const Value& field : list_["fields"][path.substr(brace + 1, path.size() - brace - 2)].items())
        if (auto done = show(path.substr(0, brace) + "." + field.text(), reply, text); !done)
          return tl::unexpected(done.error());
    }
    while (said.ends_with(' ')) said.pop_back();
    if (!said.empty()) text += "  ~ " + plain(said) + "\n";
    return text;
  }
  Result<void> show(const std::string& path, Reply& reply, std::string& text) {
    auto full = filled(path);
    if (!full) return tl::unexpected(full.error());
    text += "  " + path + ": ";
    if (path.starts_with("header:")) {
      text += plain(reply.headers[path.substr(7)]) + "\n";
    } else if (path == "text") {
      text += plain(reply.text) + "\n";
    } else {
      text += plain(canonical_json(at(reply.body, *full))) + "\n";
    }
    return {};
  }

  // Whatever the rest of the list would delete, again and again until nothing is left to be deleted.
  void clean(size_t from) {
    const auto& steps = list_["exchanges"].items();
    std::set<std::string> gone;
    for (int round = 0; round < kCleanings; ++round) {
      bool left = false;
      for (const std::string& stray : strays_)
        if (auto reply = send(Value::map({{"ask", stray}})); !reply || reply->status != 404) left = true;
      for (size_t i = from; i < steps.size(); ++i) {
        const std::string& ask = steps[i]["ask"].text();
        if (!ask.starts_with("DELETE ") || gone.contains(ask) || steps[i]["as"].is_string()) continue;
        auto reply = send(steps[i]);
        if (!reply && reply.error().code == Code::invalid) continue;  // never made
        if (reply && reply->status == 404)
          gone.insert(ask);
        else
          left = true;
      }
      if (!left) return;
      run_.wait(Millis{2'000});
    }
  }

  const Value& list_;
  const ExchangeRun& run_;
  std::map<std::string, std::string> names_;   // $name -> value
  std::map<std::string, std::string> hidden_;  // value -> name
  std::vector<std::string> strays_;            // what should not have been made
};

}  // namespace

Result<Exchanged> exchange_all(const std::string& list, const ExchangeRun& run) {
  const YamlStream read = parse_yaml(list, "exchanges.yaml");
  if (!read.problems.empty()) return fail(Code::invalid, to_string(read.problems));
  if (read.documents.size() != 1) return fail(Code::invalid, "exchanges.yaml is not one document");
  return Conversation(read.documents[0], run).all();
}

std::vector<std::string> exchange_differences(const std::string& golden, const std::string& got) {
  // By name of the exchange, so that one too many does not shift all others.
  const auto parts = [](const std::string& text) {
    std::map<std::string, std::vector<std::string>> out;
    std::string name, line;
    for (std::istringstream lines(text); std::getline(lines, line);) {
      if (line.empty() || line.starts_with("  ~")) continue;
      if (!line.starts_with(" "))
        out[name = line];
      else
        out[name].push_back(line.substr(2));
    }
    return out;
  };
  const auto wanted = parts(golden), seen = parts(got);
  std::vector<std::string> out;
  const auto compare = [&](const std::string& name, const std::vector<std::string>& a,
                           const std::vector<std::string>& b) {
    if (a == b) return;
    out.push_back(name);
    for (const std::string& line : a)
      if (std::count(a.begin(), a.end(), line) > std::count(b.begin(), b.end(), line)) out.push_back("- " + line);
    for (const std::string& line : b)
      if (std::count(b.begin(), b.end(), line) > std::count(a.begin(), a.end(), line)) out.push_back("+ " + line);
  };
  for (const auto& [name, lines] : wanted)
    compare(name, lines, seen.contains(name) ? seen.at(name) : std::vector<std::string>{});
  for (const auto& [name, lines] : seen)
    if (!wanted.contains(name)) compare(name, {}, lines);
  return out;
}

}  // namespace trove
