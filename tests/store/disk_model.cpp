#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/store/disk.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove {

namespace {

constexpr size_t kSector = 512;
using Kind = DiskOp::Kind;

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void put_bytes(std::string& text, size_t at, std::string_view bytes) {
  if (text.size() < at + bytes.size()) text.resize(at + bytes.size(), '\0');
  std::copy(bytes.begin(), bytes.end(), text.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

void DiskModel::apply(const DiskOp& op) {
  switch (op.kind) {
    case Kind::make_directory:
    case Kind::create:
      files_[op.file].directory = op.kind == Kind::make_directory;
      names_[op.path].cached = op.file;
      break;
    case Kind::write: {
      File& file = files_.at(op.file);
      put_bytes(file.cached, op.at, op.bytes);
      file.pending.push_back(op);
      break;
    }
    case Kind::truncate: {
      File& file = files_.at(op.file);
      file.cached.resize(op.at, '\0');
      file.pending.push_back(op);
      break;
    }
    case Kind::sync: {
      File& file = files_.at(op.file);
      for (const DiskOp& written : file.pending) {  // not `cached`: a lost write stays lost
        if (written.kind == Kind::truncate)
          file.durable.resize(written.at, '\0');
        else
          put_bytes(file.durable, written.at, written.bytes);
      }
      file.pending.clear();
      break;
    }
    case Kind::lose:
      files_.at(op.file).pending.clear();
      break;
    case Kind::sync_directory:
      for (auto& [path, name] : names_)
        if (directory_of(path) == op.path) name.durable = name.cached;
      break;
    case Kind::link:
      names_[op.path].cached = names_[op.to].cached;
      break;
    case Kind::rename:
      names_[op.path].cached = names_[op.to].cached;
      names_[op.to].cached = 0;
      break;
    case Kind::remove:
      names_[op.path].cached = 0;
      break;
    case Kind::mark:
      break;
  }
}

template <class NameOf, class TextOf>
DiskModel::Files DiskModel::pick(NameOf name_of, TextOf text_of) const {
  Files files;
  for (const auto& [path, name] : names_) {  // a directory comes before what is in it
    const uint64_t id = name_of(name);
    const std::string directory = directory_of(path);
    if (id == 0 || (!directory.empty() && !files.contains(directory + "/"))) continue;
    const File& file = files_.at(id);
    if (file.directory)
      files[path + "/"] = "";
    else
      files[path] = text_of(file);
  }
  return files;
}

DiskModel::Files DiskModel::cached() const {
  return pick([](const Name& name) { return name.cached; }, [](const File& file) { return file.cached; });
}

DiskModel::Files DiskModel::durable() const {
  return pick([](const Name& name) { return name.durable; }, [](const File& file) { return file.durable; });
}

DiskModel::Files DiskModel::torn(Rng& rng) const {
  // Sometimes nearly everything got through and sometimes nearly nothing.
  const uint64_t percent = std::array<uint64_t, 5>{3, 25, 50, 75, 97}[rng.next() % 5];
  const auto lucky = [&] { return rng.next() % 100 < percent; };
  return pick([&](const Name& name) { return name.durable == name.cached || !lucky() ? name.durable : name.cached; },
              [&](const File& file) {
                std::string text = file.durable;
                for (const DiskOp& op : file.pending) {
                  if (op.kind == Kind::truncate) {
                    if (lucky()) text.resize(op.at, '\0');
                    continue;
                  }
                  for (size_t from = 0; from < op.bytes.size();) {
                    const size_t length = std::min(op.bytes.size() - from, kSector - (op.at + from) % kSector);
                    if (lucky()) put_bytes(text, op.at + from, std::string_view(op.bytes).substr(from, length));
                    from += length;
                  }
                }
                return text;
              });
}

void put_files(const std::string& root, const DiskModel::Files& files) {
  std::vector<std::filesystem::path> surplus;  // what stays is written over: quicker than making it again
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = std::filesystem::relative(entry.path(), root).string() + (entry.is_directory() ? "/" : "");
    if (!files.contains(name)) surplus.push_back(entry.path());
  }
  for (const auto& path : surplus) std::filesystem::remove_all(path);
  for (const auto& [path, text] : files) {
    if (path.ends_with('/'))
      std::filesystem::create_directory(root + "/" + path);
    else
      write_file(root + "/" + path, text);
  }
}

}  // namespace trove
