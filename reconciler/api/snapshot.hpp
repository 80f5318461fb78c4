// What an apply must know of the store, read in as few round trips as the size of its set allows. Specs only. Made for
// one check, under the API's write mutex; one thread.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "reconciler/objects.hpp"

namespace trove {

class Snapshot {
 public:
  Snapshot(Objects& objects, std::string project) : objects_(objects), project_(std::move(project)) {}

  // Kinds of which the set holds many are read in one sweep instead of object by object.
  void preload(const std::vector<Resource>& set);
  // nullptr = absent. Pointers stay good as long as the snapshot.
  const Resource* find(const Key& key);
  // Who owns its fields; not known for an object without a record.
  Ownership fields_of(const Resource& resource);
  // Every stored object of `kind` whose spec.<field>.name is one of `names`.
  std::vector<const Resource*> referring(const std::string& kind, const std::string& field,
                                         const std::set<std::string>& names);
  // A read that failed made something look absent that may not be: nothing may be concluded.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  const Resource* keep(const Key& key, const std::string& value, Revision modified);
  template <class Visit>
  void sweep(const std::string& kind, Visit visit);
  template <class Visit>
  void sweep_below(const std::string& prefix, Visit visit);

  Objects& objects_;
  const std::string project_;
  std::map<Key, std::optional<Resource>> known_;
  std::map<std::string, std::string> fields_;  // stored texts of whole kinds, by key of the store
  std::set<std::string> swept_;                // kinds whose fields are all in there
  std::optional<Error> trouble_;
};

}  // namespace trove
