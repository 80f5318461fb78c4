// The local object store behind short-lived URLs, as the API serves it to guests. Streams; never whole objects in
// memory. Implementations are thread-safe; one Upload or Download belongs to one thread at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include "specs/core/result.hpp"

namespace trove {

// What a signed URL is good for: one object, or every object whose key begins with the signed words.
enum class Signed { object, prefix };

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  class Upload {                       // dropped without finish() = nothing is kept
   public:
    virtual ~Upload() = default;
    virtual Result<void> write(std::string_view piece) = 0;
    virtual Result<int64_t> finish() = 0;   // fsync and rename; bytes
  };
  class Download {
   public:
    virtual ~Download() = default;
    virtual int64_t bytes() const = 0;
    virtual Result<std::string> read(size_t most) = 0;   // empty at the end
  };
  // `expires`, `signature` and `prefix` ("" = it is good for one object) come from the URL's query; denied when they do
  // not fit method and key, or time is over.
  virtual Result<std::unique_ptr<Upload>> upload(const std::string& key, const std::string& expires,
                                                 const std::string& signature,
                                                 const std::string& prefix = {}) = 0;
  virtual Result<std::unique_ptr<Download>> download(const std::string& key, const std::string& expires,
                                                     const std::string& signature,
                                                     const std::string& prefix = {}) = 0;
};

}  // namespace trove
