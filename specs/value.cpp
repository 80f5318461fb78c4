#include "specs/value.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

namespace trove {

// Trees are built by moving nodes into vectors; a throwing move would make every growth a deep copy.
static_assert(std::is_nothrow_move_constructible_v<Value> && std::is_nothrow_move_assignable_v<Value>);
static_assert(sizeof(Value) <= 64);

namespace {

constexpr size_t kSmallMap = 16;   // above this many members, comparing sorts instead of searching

// 2^53 + 1 is not 2^53: an integer equals a double only when the double holds exactly it.
bool same_number(int64_t i, double d) {
  if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0)) return false;
  return std::trunc(d) == d && static_cast<int64_t>(d) == i;
}

std::vector<const Value::Member*> sorted(const Value::Map& map) {
  std::vector<const Value::Member*> members;
  members.reserve(map.size());
  for (const auto& member : map) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->key < b->key; });
  return members;
}

bool same_map(const Value& a, const Value& b) {
  const auto& left = a.members();
  const auto& right = b.members();
  if (left.size() != right.size()) return false;
  if (left.size() > kSmallMap) {
    auto l = sorted(left), r = sorted(right);
    return std::equal(l.begin(), l.end(), r.begin(),
                      [](auto* x, auto* y) { return x->key == y->key && x->value == y->value; });
  }
  for (size_t i = 0; i < left.size(); ++i) {
    const Value* other = right[i].key == left[i].key ? &right[i].value : b.find(left[i].key);
    if (!other || !(left[i].value == *other)) return false;
  }
  return true;
}

// One step of a dotted path: a key, then any number of [indexes].
struct Step {
  std::string_view key;
  std::string_view indexes;   // "[0][1]" or ""
  std::string_view rest;
  bool last = false;
};
Step first_step(std::string_view path) {
  Step step;
  const auto dot = path.find('.');
  auto word = path.substr(0, dot);
  step.last = dot == std::string_view::npos;
  step.rest = step.last ? std::string_view{} : path.substr(dot + 1);
  const auto bracket = word.find('[');
  step.key = word.substr(0, bracket);
  if (bracket != std::string_view::npos) step.indexes = word.substr(bracket);
  return step;
}

const Value* index_into(const Value* value, std::string_view indexes) {
  while (value && !indexes.empty()) {
    size_t index = 0;
    const char* begin = indexes.data() + 1;
    const char* end = indexes.data() + indexes.size();
    auto [after, error] = std::from_chars(begin, end, index);
    if (indexes[0] != '[' || error != std::errc{} || after == end || *after != ']') return nullptr;
    if (!value->is_list() || index >= value->size()) return nullptr;
    value = &value->items()[index];
    indexes.remove_prefix(static_cast<size_t>(after - indexes.data()) + 1);
  }
  return value;
}

}  // namespace

Value Value::number(double d, std::string_view spelling) {
  Number number{d, {}};
  if (spelling.size() < number.spelling.size()) std::copy(spelling.begin(), spelling.end(), number.spelling.begin());
  Value value;
  value.data_ = number;
  return value;
}

Value Value::list(List items) {
  Value value;
  value.data_ = std::move(items);
  return value;
}

Value Value::map() {
  Value value;
  value.data_ = Map{};
  return value;
}

Value Value::map(std::initializer_list<Entry> entries) {
  // Written out by hand in code, so the keys differ; no search for each.
  Value value = map();
  Map& out = std::get<Map>(value.data_);
  out.reserve(entries.size());
  for (const Entry& entry : entries) out.push_back({std::string(entry.key), std::move(entry.value), {}});
  return value;
}

std::string_view Value::type_name() const {
  static constexpr std::string_view names[] = {"null", "boolean", "integer", "number", "string", "list", "map"};
  return names[data_.index()];
}

double Value::number_or(double fallback) const {
  if (const Number* number = std::get_if<Number>(&data_)) return number->value;
  if (const int64_t* i = std::get_if<int64_t>(&data_)) return static_cast<double>(*i);
  return fallback;
}

const std::string& Value::no_text() {
  static const std::string none;
  return none;
}
const Value::List& Value::no_items() {
  static const List none;
  return none;
}
const Value::Map& Value::no_members() {
  static const Map none;
  return none;
}
const Value& Value::null() {
  static const Value none;
  return none;
}

std::string Value::text_or(std::string_view fallback) const {
  const std::string* s = std::get_if<std::string>(&data_);
  return s ? *s : std::string(fallback);
}

std::string Value::as_written() const {
  switch (type()) {
    case Type::boolean: return bool_or(false) ? "true" : "false";
    case Type::integer: return std::to_string(int_or(0));
    case Type::string: return text();
    case Type::number: {
      const auto& number = std::get<Number>(data_);
      if (number.spelling[0]) return number.spelling.data();
      char buffer[32];
      auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number.value);
      std::string text(buffer, end);
      // 3.0 must not come back as the integer 3.
      if (std::isfinite(number.value) && text.find_first_of(".e") == std::string::npos) text += ".0";
      return text;
    }
    default: return {};
  }
}

size_t Value::size() const { return is_list() ? items().size() : members().size(); }

Value* Value::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

const Value& Value::at_path(std::string_view dotted) const {
  const Value* value = find_path(dotted);
  return value ? *value : null();
}

const Value* Value::find_path(std::string_view dotted) const {
  const Step step = first_step(dotted);
  // A path may start with an index ("[2].name") when the value itself is a list.
  const Value* next = step.key.empty() && !step.indexes.empty() ? this : find(step.key);
  next = index_into(next, step.indexes);
  if (next && !step.last) next = next->find_path(step.rest);
  // Parameter and label names hold dots themselves: "spec.parameters.pg_stat_statements.track".
  return next ? next : find(dotted);
}

Value& Value::set(std::string_view key, Value value) {
  Map& map = mutable_members();
  for (auto& member : map) {
    if (member.key == key) {
      member.value = std::move(value);
      return member.value;
    }
  }
  map.push_back(Member{std::string(key), std::move(value), {}});
  return map.back().value;
}

Value& Value::set_path(std::string_view dotted, Value value) {
  Value* here = this;
  for (;;) {
    const auto dot = dotted.find('.');
    const auto key = dotted.substr(0, dot);
    if (dot == std::string_view::npos) return here->set(key, std::move(value));
    Value* next = here->find(key);
    here = next && next->is_map() ? next : &here->set(key, map());
    dotted.remove_prefix(dot + 1);
  }
}

bool Value::erase(std::string_view key) {
  Map* map = std::get_if<Map>(&data_);
  if (!map) return false;
  for (auto it = map->begin(); it != map->end(); ++it) {
    if (it->key == key) {
      map->erase(it);
      return true;
    }
  }
  return false;
}

Value& Value::push_back(Value value) {
  List& list = mutable_items();
  list.push_back(std::move(value));
  return list.back();
}

Value::List& Value::mutable_items() {
  if (!is_list()) data_ = List{};
  return std::get<List>(data_);
}

Value::Map& Value::mutable_members() {
  if (!is_map()) data_ = Map{};
  return std::get<Map>(data_);
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return a.int_or(0) == b.int_or(0);
    if (a.is_int()) return same_number(a.int_or(0), b.number_or(0));
    if (b.is_int()) return same_number(b.int_or(0), a.number_or(0));
    return a.number_or(0) == b.number_or(0);
  }
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Value::Type::boolean: return a.bool_or(false) == b.bool_or(false);
    case Value::Type::string: return a.text() == b.text();
    case Value::Type::list: return a.items() == b.items();
    case Value::Type::map: return same_map(a, b);
    default: return true;
  }
}

}  // namespace trove
