// The library's node API is never used: LoadAll(",") does not return, cyclic aliases overflow the stack, and a small
// text can become a huge tree. Its events are safe once they are counted, and each document is parsed by itself, so
// that one broken document neither hides the next nor lets the library invent documents without end.
#include "specs/yaml.hpp"
#include <algorithm>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>
#include "specs/core/utf8.hpp"
#include "specs/duplicate_keys.hpp"
#include "specs/yaml_scalar.hpp"

namespace trove {
namespace {

constexpr size_t kMostProblems = 1000;   // nobody reads more, and each costs memory
// The library reads ahead to the end of an open bracket and keeps some 200 bytes for each one on the way. Far above
// any depth limit, because brackets inside quotes and blocks are counted too.
constexpr int kMostOpenBrackets = 1000;

std::string place(Position at) { return std::to_string(at.line) + ":" + std::to_string(at.column); }

Position position_of(std::string_view text, size_t offset) {
  const auto before = text.substr(0, offset);
  const auto newline = before.rfind('\n');
  const size_t start = newline == before.npos ? 0 : newline + 1;
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1, static_cast<int>(offset - start) + 1};
}

// Gathers what one stream gives; shared by its documents.
struct Collected {
  std::string_view file;
  const YamlLimits& limits;
  YamlStream stream;
  size_t nodes = 0;
  size_t documents = 0;
  bool full = false;   // a limit of the whole stream was passed: stop reading

  void add(Position at, std::string path, std::string message, Code code = Code::invalid) {
    if (stream.problems.size() >= kMostProblems) {
      full = true;
      return;
    }
    stream.problems.push_back({std::string(file), at, std::move(path), std::move(message), {}, -1, code});
  }
};

// Thrown through the parser to end a document whose problem is already noted.
struct Stop {};

// The text of one document and where it lies in the file.
struct Chunk {
  std::string_view text;
  int first_line = 1;
};

// The events of one document become one Value, in place: the frames point into the tree. That is safe because a
// container grows only while its children are complete.
class Builder final : public YAML::EventHandler {
 public:
  Builder(Chunk chunk, Collected& out) : chunk_(chunk), out_(out) {}

  Value take() { return std::move(root_); }
  // The innermost "[" or "{" that is still open.
  const Value* open_flow() const {
    return !frames_.empty() && frames_.back().flow ? frames_.back().container : nullptr;
  }
  Position position(const YAML::Mark& mark) const {
    if (mark.is_null()) return {chunk_.first_line, 1};
    return {chunk_.first_line + mark.line, mark.column + 1};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) {
      stop(mark, "this does not belong to the document above: check the indentation, or start a new document with ---");
    }
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (expects_key()) {
      note(position(mark), "a key is missing here: quote it if it is meant to be empty or \"null\"");
      add_key(position(mark), "");
      return;
    }
    // The mark of an absent value is that of whatever comes next; the key is the better place.
    const bool absent = !rest(mark).starts_with("~") && !rest(mark).starts_with("n") && !rest(mark).starts_with("N");
    add_value(absent && !frames_.empty() ? owner_position() : position(mark), Value());
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    note(position(mark), "aliases (*name) are not supported: write the value out, or quote it if it is text");
    if (expects_key()) throw Stop{};
    add_value(position(mark), Value());
  }

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    note(position(mark), "anchors (&name) are not supported: write the value out, or quote it if it is text");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    const Position at = position(mark);
    check_tab(mark);
    const bool quoted = is_quoted(mark, tag);
    if (!quoted && tag != "?" && tag != "") refuse_tag(at);
    if (quoted) check_closed(mark);
    if (expects_key()) {
      if (!quoted && text == "<<") note(at, "merge keys (<<) are not supported: write the fields out");
      add_key(at, text);
      return;
    }
    if (quoted) {
      Value value(text);
      value.quoted = true;
      add_value(at, std::move(value));
      return;
    }
    PlainScalar scalar = read_plain_scalar(text);
    if (!scalar.refusal.empty()) note(at, std::move(scalar.refusal));
    add_value(at, std::move(scalar.value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, style, Value::list());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, style, Value::map());
  }
  void OnSequenceEnd() override { frames_.pop_back(); }
  void OnMapEnd() override {
    for (const auto& [first, later] : duplicate_keys(frames_.back().container->members())) {
      note(later->key_at, "the key \"" + printable(later->key) + "\" is written twice; the first is at " +
                              place(first->key_at));
    }
    frames_.pop_back();
  }

 private:
  struct Frame {
    Value* container;
    bool flow;
    bool expects_key;   // of a map: the next event is a key
  };

  std::string_view rest(const YAML::Mark& mark) const {
    const auto offset = static_cast<size_t>(std::max(mark.pos, 0));
    return offset < chunk_.text.size() ? chunk_.text.substr(offset) : std::string_view{};
  }

  // "spec.volume.size" of the value that comes next.
  std::string path() const {
    std::string text;
    for (const auto& frame : frames_) {
      // The last item of an outer container is the next inner one; that of the innermost is still to come.
      const bool outer = &frame != &frames_.back();
      if (frame.container->is_list()) {
        text += "[" + std::to_string(frame.container->size() - (outer ? 1 : 0)) + "]";
      } else if ((outer || !frame.expects_key) && !frame.container->empty()) {
        if (!text.empty()) text += '.';
        text += printable(frame.container->members().back().key);
      }
    }
    return text;
  }
  void note(Position at, std::string message, Code code = Code::invalid) {
    out_.add(at, path(), std::move(message), code);
    if (out_.full) throw Stop{};
  }
  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, Code code = Code::invalid) {
    out_.add(position(mark), path(), std::move(message), code);
    throw Stop{};
  }

  // The library calls a scalar "!" when it was quoted or a block (and when its tag is "!", which we refuse).
  bool is_quoted(const YAML::Mark& mark, const std::string& tag) const {
    return tag == "!" && !rest(mark).starts_with("!");
  }
  void refuse_tag(Position at) { note(at, "tags (!name) are not supported: quote the value if it is text"); }

  // The library takes the end of the text for the end of a quote.
  void check_closed(const YAML::Mark& mark) {
    const auto text = rest(mark);
    const char quote = text.empty() ? '\0' : text[0];
    if (quote != '"' && quote != '\'') return;
    for (size_t i = 1; i < text.size(); ++i) {
      if (quote == '"' && text[i] == '\\') {
        ++i;
      } else if (text[i] == quote) {
        if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return;
        ++i;   // '' is a quote inside the text
      }
    }
    stop(mark, std::string("this quote (") + quote + ") is never closed");
  }

  // In blocks a tab is no indentation, though the library lets some of them pass. In [] and {} it is plain space.
  void check_tab(const YAML::Mark& mark) {
    if (mark.column == 0 || (!frames_.empty() && frames_.back().flow)) return;
    const auto end = static_cast<size_t>(std::max(mark.pos, 0));
    const auto columns = static_cast<size_t>(mark.column);
    if (end > chunk_.text.size() || columns > end) return;
    const auto before = chunk_.text.substr(end - columns, columns);
    if (before.find('\t') != before.npos && before.find_first_not_of(" \t") == before.npos) {
      stop(mark, "a tab cannot indent YAML: use spaces");
    }
  }

  bool expects_key() const { return !frames_.empty() && frames_.back().expects_key; }

  Position owner_position() const {
    const Value& container = *frames_.back().container;
    return container.is_map() ? container.members().back().key_at : container.at;
  }

  void count(Position at) {
    if (++out_.nodes <= out_.limits.nodes) return;
    out_.full = true;
    out_.add(at, path(), "more than " + std::to_string(out_.limits.nodes) + " values", Code::too_large);
    throw Stop{};
  }

  void add_key(Position at, const std::string& key) {
    Frame& frame = frames_.back();
    frame.container->mutable_members().push_back({key, {}, at});
    frame.expects_key = false;
  }

  Value* add_value(Position at, Value value) {
    count(at);
    value.at = at;
    if (frames_.empty()) return &(root_ = std::move(value));
    Frame& frame = frames_.back();
    if (frame.container->is_list()) return &frame.container->push_back(std::move(value));
    frame.expects_key = true;
    return &(frame.container->mutable_members().back().value = std::move(value));
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::EmitterStyle::value style, Value value) {
    const Position at = position(mark);
    check_tab(mark);
    if (expects_key()) {
      // The library takes a bracket that starts a line and is never closed for the start of a key.
      const auto bracket = rest(mark).substr(0, 1);
      const bool flow = bracket == "[" || bracket == "{";
      stop(mark,
           flow ? "this \"" + std::string(bracket) + "\" is never closed, or it starts a key, which must be plain text"
                : "a key must be plain text, not a list or a map");
    }
    if (tag != "?" && tag != "") refuse_tag(at);
    if (static_cast<int>(frames_.size()) >= out_.limits.depth) {
      stop(mark, "nested deeper than " + std::to_string(out_.limits.depth) + " levels", Code::too_large);
    }
    const bool map = value.is_map();
    Value* container = add_value(at, std::move(value));
    const bool flow = style == YAML::EmitterStyle::Flow || (!frames_.empty() && frames_.back().flow);
    frames_.push_back({container, flow, map});
  }

  Chunk chunk_;
  Collected& out_;
  Value root_;
  std::vector<Frame> frames_;
  bool started_ = false;
};

// The library's words, turned into what a person can act on.
std::string explain(const std::string& message) {
  namespace E = YAML::ErrorMsg;
  if (message == E::MAP_VALUE) {
    return "a \":\" cannot stand here: check the indentation, or quote the value if it holds \": \"";
  }
  if (message == E::MAP_KEY) return "a key cannot stand here: check the indentation";
  if (message == E::BLOCK_ENTRY) return "a list item (\"- \") cannot stand here: start it on a line of its own";
  if (message == E::END_OF_MAP || message == E::END_OF_SEQ) {
    return "this fits nothing above: check the indentation, and for text after a closing quote";
  }
  if (message == E::FLOW_END) return "this bracket closes nothing";
  if (message == E::TAB_IN_INDENTATION) return "a tab cannot indent YAML: use spaces";
  if (message == E::UNKNOWN_TOKEN) return "a value cannot start with this character: quote it";
  if (message == E::EOF_IN_SCALAR || message == E::DOC_IN_SCALAR) return "a quote is never closed";
  return printable(message, 200);
}

bool tab_indents(std::string_view text, int line) {
  for (; line > 0; --line) {
    const auto newline = text.find('\n');
    if (newline == text.npos) return false;
    text.remove_prefix(newline + 1);
  }
  const auto indent = text.substr(0, text.find_first_not_of(" \t"));
  return indent.find('\t') != indent.npos;
}

void note_exception(const YAML::Exception& thrown, const Builder& builder, Chunk chunk, Collected& out) {
  namespace E = YAML::ErrorMsg;
  const Position at = builder.position(thrown.mark);
  if (thrown.msg == E::END_OF_SEQ_FLOW || thrown.msg == E::END_OF_MAP_FLOW) {
    const char* bracket = thrown.msg == E::END_OF_SEQ_FLOW ? "\"[\"" : "\"{\"";
    const Value* open = builder.open_flow();
    out.add(open ? open->at : at, "", std::string("this ") + bracket + " is not closed, or a comma is missing");
    return;
  }
  const bool tab = !thrown.mark.is_null() && tab_indents(chunk.text, thrown.mark.line);
  out.add(at, "", tab ? "a tab cannot indent YAML: use spaces" : explain(thrown.msg));
}

void check_directives(Chunk chunk, Collected& out) {
  for (int line = chunk.first_line; !chunk.text.empty(); ++line) {
    const auto newline = chunk.text.find('\n');
    const auto text = chunk.text.substr(0, newline);
    if (text.starts_with('%') && !text.starts_with("%YAML 1.")) {
      out.add({line, 1}, "", "this directive is not supported; %YAML 1.2 is the only one that is");
    }
    chunk.text.remove_prefix(newline == chunk.text.npos ? chunk.text.size() : newline + 1);
  }
}

bool check_brackets(Chunk chunk, Collected& out) {
  int open = 0;
  for (size_t i = 0; i < chunk.text.size(); ++i) {
    const char c = chunk.text[i];
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && open > 0) --open;
    if (open <= kMostOpenBrackets) continue;
    Position at = position_of(chunk.text, i);
    at.line += chunk.first_line - 1;
    out.add(at, "", "more than " + std::to_string(kMostOpenBrackets) + " brackets are open here", Code::too_large);
    return false;
  }
  return true;
}

void parse_document(Chunk chunk, Collected& out) {
  if (!check_brackets(chunk, out)) return;
  const size_t problems_before = out.stream.problems.size();
  Builder builder(chunk, out);
  try {
    std::istringstream in{std::string(chunk.text)};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {   // comments and directives only
      check_directives(chunk, out);
      return;
    }
    // Text that is left over makes the builder stop; the library could go on for ever ("," never ends).
    parser.HandleNextDocument(builder);
  } catch (const Stop&) {
    return;
  } catch (const YAML::Exception& thrown) {
    note_exception(thrown, builder, chunk, out);
    return;
  }
  if (out.stream.problems.size() != problems_before) return;
  Value document = builder.take();
  if (document.is_null()) return;
  if (++out.documents > out.limits.documents) {
    out.full = true;
    out.add({chunk.first_line, 1}, "", "more than " + std::to_string(out.limits.documents) + " documents",
            Code::too_large);
    return;
  }
  out.stream.documents.push_back(std::move(document));
}

bool is_marker(std::string_view line, std::string_view marker) {
  if (!line.starts_with(marker)) return false;
  line.remove_prefix(marker.size());
  return line.empty() || line[0] == ' ' || line[0] == '\t' || line[0] == '\r' || line[0] == '\n';
}

// YAML allows --- and ... at the start of a line as markers only, even inside quotes and blocks: cutting there is safe.
Chunk take_chunk(std::string_view& text, int& line) {
  Chunk chunk{text, line};
  size_t length = 0;
  for (bool first = true; length < text.size(); first = false) {
    const auto rest = text.substr(length);
    const auto newline = rest.find('\n');
    const auto this_line = newline == rest.npos ? rest : rest.substr(0, newline + 1);
    if (!first && is_marker(this_line, "---")) break;
    length += this_line.size();
    ++line;
    if (is_marker(this_line, "...")) break;
  }
  chunk.text = text.substr(0, length);
  text.remove_prefix(length);
  return chunk;
}

// What no YAML text may hold, found before the parser sees it.
bool check_bytes(std::string_view text, Collected& out) {
  const auto refuse = [&](size_t offset, std::string message) {
    out.add(position_of(text, offset), "", std::move(message));
    return false;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7F) continue;
    if (c == '\n' || c == '\t' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) continue;
    if (c == '\0') return refuse(i, "a NUL byte: this is not a text file");
    if (c == '\r') return refuse(i, "a carriage return without a line feed");
    if (c < 0x80) {
      return refuse(i, "a control character (" + visible(text.substr(i, 1), 1) + "): write it as an escape in \"…\"");
    }
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) return refuse(i, "this byte (" + visible(text.substr(i, 1), 1) + ") is not UTF-8");
    if (text.substr(i, 3) == "\xEF\xBB\xBF") return refuse(i, "a byte order mark inside the text");
    i += length - 1;
  }
  return true;
}

}  // namespace

YamlStream parse_yaml(std::string_view text, std::string_view file, YamlLimits limits) {
  Collected out{file, limits, {}};
  if (text.size() > limits.bytes) {
    out.add({}, "", "the text has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(limits.bytes) +
                        " are accepted", Code::too_large);
    return std::move(out.stream);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!check_bytes(text, out)) return std::move(out.stream);
  int line = 1;
  while (!text.empty() && !out.full) parse_document(take_chunk(text, line), out);
  return std::move(out.stream);
}

}  // namespace trove
