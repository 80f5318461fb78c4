// The one tree that YAML and JSON become. Every node knows where it was written, so that every error can say so.
// Maps keep their order of writing; equality ignores order and positions. Value semantics; not synchronised.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace trove {

// 1-based; 0 means unknown (the value was not read from a text).
struct Position {
  int line = 0;
  int column = 0;
};

class Value {
 public:
  enum class Type { null, boolean, integer, number, string, list, map };
  struct Member;
  struct Entry;  // a key and its value, as map({{"key", value}, …}) takes them
  using List = std::vector<Value>;
  using Map = std::vector<Member>;

  // Defined below Member: clang wants that complete where the variant's destructor may be needed.
  Value() noexcept;
  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept;
  ~Value();
  Value(bool b);
  Value(int i);
  Value(unsigned i);
  Value(int64_t i);
  Value(uint64_t i);   // callers keep it under 2^63
  Value(double d);
  Value(std::string s);
  Value(std::string_view s);
  Value(const char* s);
  // A number that remembers how it was written: `version: 8.0` must stay "8.0".
  static Value number(double d, std::string_view spelling);
  static Value list();
  static Value list(List items);
  static Value map();
  static Value map(std::initializer_list<Entry> entries);

  Type type() const { return static_cast<Type>(data_.index()); }
  std::string_view type_name() const;   // "null" "boolean" "integer" "number" "string" "list" "map"
  bool is_null() const { return type() == Type::null; }
  bool is_bool() const { return type() == Type::boolean; }
  bool is_int() const { return type() == Type::integer; }
  bool is_number() const { return type() == Type::number || is_int(); }
  bool is_string() const { return type() == Type::string; }
  bool is_list() const { return type() == Type::list; }
  bool is_map() const { return type() == Type::map; }

  // Each returns the fallback (or an empty static) when the type is another one; none throws.
  bool bool_or(bool fallback) const;
  int64_t int_or(int64_t fallback) const;
  double number_or(double fallback) const;
  const std::string& text() const;                      // "" when not a string
  std::string text_or(std::string_view fallback) const;
  // A scalar as its author wrote it: 8.0 is "8.0", true is "true", a string is itself; "" for null, lists and maps.
  std::string as_written() const;
  const List& items() const;                            // empty when not a list
  const Map& members() const;                           // empty when not a map
  size_t size() const;                                  // of a list or map, else 0
  bool empty() const { return size() == 0; }

  const Value* find(std::string_view key) const;        // nullptr when absent or not a map
  Value* find(std::string_view key);
  const Value& operator[](std::string_view key) const;  // a static null when absent
  const Value& at_path(std::string_view dotted) const;  // "spec.volume.size", "members[0].name"; static null when absent
  const Value* find_path(std::string_view dotted) const;

  // Writers: a null becomes the list or map that the call needs.
  Value& set(std::string_view key, Value value);        // replaces or appends; returns the stored value
  Value& set_path(std::string_view dotted, Value value);  // makes maps on the way; no list indexes
  bool erase(std::string_view key);
  Value& push_back(Value value);
  List& mutable_items();
  Map& mutable_members();

  friend bool operator==(const Value& a, const Value& b);  // order of members and positions do not count; 1 == 1.0

  Position at;        // where the value starts
  bool quoted = false;  // a string that was quoted in YAML (or came from JSON)

 private:
  static const std::string& no_text();
  static const List& no_items();
  static const Map& no_members();
  static const Value& null();
  // The spelling shares the room that a string takes anyway; one too long for it is not kept.
  struct Number {
    double value = 0;
    std::array<char, 24> spelling{};   // ends with a NUL; "" = none
  };
  std::variant<std::monostate, bool, int64_t, Number, std::string, List, Map> data_;
};

struct Value::Member {
  std::string key;
  Value value;
  Position key_at;
};

struct Value::Entry {
  std::string_view key;
  mutable Value value;  // map() moves it out: what is in an initializer list is const
};

inline Value::Value() noexcept = default;
inline Value::Value(const Value& other) = default;
inline Value::Value(Value&& other) noexcept = default;
inline Value& Value::operator=(const Value& other) = default;
inline Value& Value::operator=(Value&& other) noexcept = default;
inline Value::~Value() = default;
inline Value::Value(bool b) : data_(b) {}
inline Value::Value(int i) : data_(static_cast<int64_t>(i)) {}
inline Value::Value(unsigned i) : data_(static_cast<int64_t>(i)) {}
inline Value::Value(int64_t i) : data_(i) {}
inline Value::Value(uint64_t i) : data_(static_cast<int64_t>(i)) {}
inline Value::Value(double d) : data_(Number{d, {}}) {}
inline Value::Value(std::string s) : data_(std::move(s)) {}
inline Value::Value(std::string_view s) : data_(std::string(s)) {}
inline Value::Value(const char* s) : data_(std::string(s)) {}
inline Value Value::list() { return list(List{}); }

// Asked for a few hundred times in each pass over an object.
inline bool Value::bool_or(bool fallback) const {
  const bool* b = std::get_if<bool>(&data_);
  return b ? *b : fallback;
}
inline int64_t Value::int_or(int64_t fallback) const {
  const int64_t* i = std::get_if<int64_t>(&data_);
  return i ? *i : fallback;
}
inline const std::string& Value::text() const {
  const std::string* s = std::get_if<std::string>(&data_);
  return s ? *s : no_text();
}
inline const Value::List& Value::items() const {
  const List* list = std::get_if<List>(&data_);
  return list ? *list : no_items();
}
inline const Value::Map& Value::members() const {
  const Map* map = std::get_if<Map>(&data_);
  return map ? *map : no_members();
}
inline const Value* Value::find(std::string_view key) const {
  if (const Map* map = std::get_if<Map>(&data_))
    for (const Member& member : *map)
      if (member.key == key) return &member.value;
  return nullptr;
}
inline const Value& Value::operator[](std::string_view key) const {
  const Value* value = find(key);
  return value ? *value : null();
}

}  // namespace trove
