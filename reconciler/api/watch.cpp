// Watches: one line of JSON for each change, from a revision on. Level-triggered: a line shows the object as it is when
// the line is written, so several changes in a row may become one line.
#include <charconv>
#include <set>
#include "reconciler/api/api.hpp"
#include "reconciler/api/selector.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

class Stream {
 public:
  Stream(Objects& objects, const Clock& clock, std::string project, std::string kind, Selector selector)
      : objects_(objects),
        clock_(clock),
        project_(std::move(project)),
        kind_(std::move(kind)),
        selector_(std::move(selector)),
        specs_(Objects::spec_key({project_, kind_, ""})),
        statuses_(Objects::status_key({project_, kind_, ""})) {}

  // One watch over the stretch from this kind's specs to its statuses: both in one order, at the price of skipping what
  // lies between.
  Result<void> open(Revision after) {
    auto watch = objects_.store().watch(specs_, prefix_end(statuses_), after);
    if (!watch) return tl::unexpected(watch.error());
    watch_ = std::move(*watch);
    return {};
  }
  // Everything that there is, as ADDED when `tell`; the revision to watch from.
  Result<Revision> snapshot(std::vector<Value>* tell) {
    std::string after;
    Revision revision = 0;
    do {
      auto page = objects_.list(project_, kind_, kMaxPage, after);
      if (!page) return tl::unexpected(page.error());
      if (revision == 0) revision = page->revision;
      for (Resource& resource : page->items) {
        if (!selector_.matches(resource.metadata.labels)) continue;
        known_.insert(resource.metadata.name);
        if (tell) tell->push_back(line("ADDED", revision, to_value(shown(std::move(resource)))));
      }
      after = page->next;
    } while (!after.empty());
    return revision;
  }
  void run(const http::Write& write, const std::vector<Value>& first) {
    for (const Value& one : first) {
      if (!write(dump_json(one) + '\n')) return;
    }
    Millis last = clock_.monotonic();
    while (true) {
      WatchBatch batch = watch_->next(kWatchWait);
      if (batch.compacted) {
        Value problem = Value::map({{"code", "CONFLICT"},
                                    {"message", "the revision is too old"},
                                    {"hint", "list again, then watch from the list's revision"}});
        write(dump_json(line("ERROR", batch.revision, std::move(problem))) + '\n');
        return;
      }
      seen_ = std::max(seen_, batch.revision);
      std::string text;
      if (!tell(batch, text)) return;  // the store is not readable: the client lists again
      if (text.empty() && clock_.monotonic() - last >= kBookmarkEvery) {
        text = dump_json(line("BOOKMARK", seen_, Value::map())) + '\n';
      }
      if (!text.empty()) last = clock_.monotonic();
      if (!write(text)) return;  // also with nothing to say: that is how a departure is noticed
    }
  }

 private:
  struct Change {
    Revision revision;
    std::string name;
    bool created;
  };

  static Value line(std::string_view type, Revision revision, Value object) {
    return Value::map({{"type", type}, {"revision", std::to_string(revision)}, {"object", std::move(object)}});
  }
  Value ghost(const std::string& name) const {
    return Value::map({{"apiVersion", kApiVersion},
                       {"kind", kind_},
                       {"metadata", Value::map({{"name", name}, {"project", project_}})}});
  }

  bool tell(const WatchBatch& batch, std::string& text) {
    std::vector<Change> pending;  // in the order of their last change
    for (const StoreEvent& event : batch.events) {
      bool spec = event.key.starts_with(specs_), status = event.key.starts_with(statuses_);
      if (!spec && (!status || event.deleted)) continue;
      std::string name = event.key.substr((spec ? specs_ : statuses_).size());
      bool created = spec && event.created == event.revision;
      for (auto it = pending.begin(); it != pending.end(); ++it) {
        if (it->name != name) continue;
        created = created || it->created;
        pending.erase(it);
        break;
      }
      if (event.deleted) {
        known_.erase(name);
        text += dump_json(line("DELETED", event.revision, ghost(name))) + '\n';
      } else {
        pending.push_back({event.revision, std::move(name), created});
      }
    }
    for (const Change& change : pending) {
      auto found = objects_.get({project_, kind_, change.name});
      if (!found) return false;
      if (!*found) continue;  // gone meanwhile: its deletion comes in a later batch
      if (!selector_.matches((*found)->metadata.labels)) {
        if (known_.erase(change.name))
          text += dump_json(line("DELETED", change.revision, to_value(shown(std::move(**found))))) + '\n';
        continue;
      }
      bool fresh = known_.insert(change.name).second;
      bool added = change.created || (fresh && !selector_.empty());
      text +=
          dump_json(line(added ? "ADDED" : "MODIFIED", change.revision, to_value(shown(std::move(**found))))) + '\n';
    }
    return true;
  }

  Objects& objects_;
  const Clock& clock_;
  const std::string project_, kind_;
  const Selector selector_;
  const std::string specs_, statuses_;
  std::unique_ptr<Watch> watch_;
  std::set<std::string> known_;  // names that the client has been told of, as far as we know
  Revision seen_ = 0;
};

}  // namespace

Attempt<http::Response> Api::watch(const Call& call, const Kind& kind) {
  auto selector = Selector::parse(call.request.parameter("labelSelector"));
  if (!selector) return refuse(selector.error());
  const std::string text = call.request.parameter("resourceVersion");
  Revision after = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), after);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
    return refuse(400, "CONFIG_INVALID", "resourceVersion must be a number", "take it from the list's revision");
  }
  // Shared, because a std::function must be copyable; one thread runs it.
  auto stream = std::make_shared<Stream>(options_.objects, options_.clock, call.project, std::string(kind.name),
                                         std::move(*selector));
  std::vector<Value> first;
  if (after == 0) {
    auto revision = stream->snapshot(&first);
    if (!revision) return refuse(revision.error());
    after = *revision;
  } else if (!call.request.parameter("labelSelector").empty()) {
    if (auto known = stream->snapshot(nullptr); !known) return refuse(known.error());
  }
  if (auto opened = stream->open(after); !opened) return refuse(opened.error());
  http::Response out;
  out.content_type = "application/json";
  out.stream = [stream, first = std::move(first)](const http::Write& write) { stream->run(write, first); };
  return out;
}

}  // namespace trove
