// Watches: one line of JSON for each change, from a revision on. Level-triggered: a line shows the object as it is when
// the line is written, so several changes in a row may become one line.
#include <charconv>
#include <map>
#include <set>
#include "reconciler/api/api.hpp"
#include "reconciler/api/field_selector.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

class Stream {
 public:
  Stream(Objects& objects, const Clock& clock, std::string project, std::string kind, Filter filter)
      : objects_(objects),
        clock_(clock),
        project_(std::move(project)),
        kind_(std::move(kind)),
        filter_(std::move(filter)),
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
  // Everything that there is at a revision (0 = now), as ADDED when `tell`; the revision to watch from.
  Result<Revision> snapshot(Revision at, std::vector<Value>* tell) {
    std::string after;
    do {
      auto page = objects_.list(project_, kind_, kMaxPage, after, at);
      if (!page) return tl::unexpected(page.error());
      at = page->revision;
      for (Resource& resource : page->items) {
        if (!filter_.matches(resource)) continue;
        known_.insert(resource.metadata.name);
        if (tell) tell->push_back(line("ADDED", at, to_value(shown(std::move(resource)))));
      }
      after = page->next;
    } while (!after.empty());
    return at;
  }
  void run(const http::Write& write, const std::vector<Value>& first) {
    for (const Value& one : first) {
      if (!write(dump_json(one) + '\n')) return;
    }
    Millis last = clock_.monotonic();
    while (true) {
      WatchBatch batch = watch_->next(kWatchWait);
      if (batch.compacted) {
        Value problem = Value::map({{"code", "EXPIRED"},
                                    {"status", 410},
                                    {"message", "the revision is no longer kept"},
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
    bool created = false, deleted = false;
    bool overtaken = false;  // by a later change of the same object
  };

  static Value line(std::string_view type, Revision revision, Value object) {
    return Value::map({{"type", type}, {"revision", std::to_string(revision)}, {"object", std::move(object)}});
  }
  Value ghost(const std::string& name) const {
    return Value::map({{"apiVersion", kApiVersion},
                       {"kind", kind_},
                       {"metadata", Value::map({{"name", name}, {"project", project_}})}});
  }

  // The lines rise in their revisions, so that a client may resume from any of them.
  bool tell(const WatchBatch& batch, std::string& text) {
    std::vector<Change> changes;
    std::map<std::string, size_t, std::less<>> living;  // the last change of each object that was not removed by it
    for (const StoreEvent& event : batch.events) {
      bool spec = event.key.starts_with(specs_), status = event.key.starts_with(statuses_);
      if (!spec && (!status || event.deleted)) continue;
      Change change{event.revision, event.key.substr((spec ? specs_ : statuses_).size())};
      change.deleted = event.deleted;
      change.created = spec && event.created == event.revision;
      if (auto before = living.find(change.name); before != living.end()) {
        change.created = change.created || changes[before->second].created;
        changes[before->second].overtaken = true;
        living.erase(before);
      }
      if (!change.deleted) living.emplace(change.name, changes.size());
      changes.push_back(std::move(change));
    }
    for (const Change& change : changes) {
      if (change.overtaken) continue;
      const auto say = [&](std::string_view type, Value object) {
        text += dump_json(line(type, change.revision, std::move(object))) + '\n';
      };
      if (change.deleted) {
        // Without a filter a client that resumes knows more than we do.
        if (known_.erase(change.name) || filter_.empty()) say("DELETED", ghost(change.name));
        continue;
      }
      auto found = objects_.get({project_, kind_, change.name});
      if (!found) return false;
      if (!*found) continue;  // gone meanwhile: its deletion comes in a later batch
      const bool matches = filter_.matches(**found);
      Value object = to_value(shown(std::move(**found)));
      if (!matches) {
        if (known_.erase(change.name)) say("DELETED", std::move(object));
        continue;
      }
      const bool fresh = known_.insert(change.name).second;
      say(change.created || (fresh && !filter_.empty()) ? "ADDED" : "MODIFIED", std::move(object));
    }
    return true;
  }

  Objects& objects_;
  const Clock& clock_;
  const std::string project_, kind_;
  const Filter filter_;
  const std::string specs_, statuses_;
  std::unique_ptr<Watch> watch_;
  std::set<std::string> known_;  // names that the client has been told of, as far as we know
  Revision seen_ = 0;
};

}  // namespace

Attempt<http::Response> Api::watch(const Call& call, const Kind& kind) {
  auto filter =
      parse_filter(call.request.parameter("labelSelector"), call.request.parameter("fieldSelector"), kind);
  if (!filter) return refuse(filter.error());
  const std::string text = call.request.parameter("resourceVersion");
  Revision after = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), after);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
    return refuse(400, "CONFIG_INVALID", "resourceVersion must be a number", "take it from the list's revision");
  }
  // Shared, because a std::function must be copyable; one thread runs it.
  const bool filtered = !filter->empty();
  auto stream = std::make_shared<Stream>(options_.objects, options_.clock, call.project, std::string(kind.name),
                                         std::move(*filter));
  std::vector<Value> first;
  if (after == 0) {
    auto revision = stream->snapshot(0, &first);
    if (!revision) return refuse(revision.error());
    after = *revision;
  } else if (filtered) {  // what the client was told of, to tell what leaves the filter
    if (auto known = stream->snapshot(after, nullptr); !known) return refuse(known.error());
  } else if (auto kept = options_.objects.store().range("/", "/", 1, after); !kept) {
    return refuse(kept.error());
  }
  if (auto opened = stream->open(after); !opened) return refuse(opened.error());
  http::Response out;
  out.content_type = "application/jsonl";
  out.stream = [stream, first = std::move(first)](const http::Write& write) { stream->run(write, first); };
  return out;
}

}  // namespace trove
