// How the document of openapi.cpp is put together: small words for schemas, and one call for a route. Plain functions.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "specs/value.hpp"

namespace trove::openapi {

Value text(std::string_view doc = {});
Value number();
Value truth();
Value time();
Value reference(std::string_view schema);  // #/components/schemas/…
Value list_of(Value items);
Value words(std::initializer_list<std::string_view> values);  // an enumeration
// "name" is required, "name?" is not. More members are allowed: programs must expect an answer to grow.
Value object(std::initializer_list<Value::Entry> entries);

struct Parameter {
  std::string_view name, in, doc;
  Value schema = {};  // null = a string
  bool required = false;
};
struct Answer {
  std::string_view status, doc;
  std::string schema = {};  // "" = no body
  std::string_view type = "application/json";
  std::vector<std::string_view> headers = {};  // names of components/headers
};
// One method of one path. Path parameters are found in the path itself; every operation but an open one can be refused
// with the usual problems, and with those of `refusals`.
struct Operation {
  std::string_view method;  // "get"
  std::string path, id;
  std::string_view doc;
  std::vector<Parameter> parameters = {};
  std::string body = {};    // name of a schema, as JSON; also as YAML documents when `yaml`
  bool yaml = false;
  Value example = {};       // of the body
  std::vector<Answer> answers = {};
  std::vector<std::string_view> refusals = {};  // "404", "412" …
  bool open = false;        // no token
};
void add(Value& paths, const Operation& operation);

// Shapes that are not kinds: List, Problem, Plan, Event, …; and the headers.
void add_schemas(Value& schemas);
Value headers();

}  // namespace trove::openapi
