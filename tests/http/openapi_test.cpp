// openapi.json says what the route table does: no more, no less.
#include "codec/document.hpp"
#include "core/errc.hpp"
#include "http/bridge.hpp"
#include "http/pages.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>

using namespace sluice;
using codec::document;

namespace {

const document& specification() {
  static const document parsed = [] {
    for (const auto& file : http::embedded_files())
      if (file.name == "openapi.json") {
        codec::json_limits allowed;
        allowed.values_max = 100'000;
        auto read = codec::parse_json(file.bytes, allowed);
        if (!read)
          FAIL("openapi.json: " << read.why().detail);
        return *read;
      }
    FAIL("openapi.json is not embedded");
    return document{};
  }();
  return parsed;
}

const document& at(const document& d, std::string_view name) {
  const auto* found = d.find(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return *found;
}

std::string lower(std::string_view method) {
  std::string text{method};
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return static_cast<char>(c | 0x20); });
  return text;
}

/// "get /healthz" of every operation described.
std::set<std::string> described() {
  std::set<std::string> all;
  for (const auto& path : at(specification(), "paths").fields)
    for (const auto& operation : path.value.fields)
      all.insert(operation.name + " " + path.name);
  return all;
}

const document& operation_of(const http::route& r) {
  return at(at(at(specification(), "paths"), r.pattern), lower(http::name_of(r.method)));
}

void each_reference(const document& d, const std::function<void(const std::string&)>& told) {
  for (const auto& item : d.items)
    each_reference(item, told);
  for (const auto& field : d.fields) {
    if (field.name == "$ref")
      told(field.value.text);
    each_reference(field.value, told);
  }
}

/// Parameters of an operation by name, references followed.
std::set<std::string> parameters_of(const document& operation, std::string_view where) {
  std::set<std::string> names;
  const auto* list = operation.find("parameters");
  if (list == nullptr)
    return names;
  for (const auto& item : list->items) {
    const auto& reference = at(item, "$ref").text;
    const auto& all = at(at(specification(), "components"), "parameters");
    const auto& p = at(all, reference.substr(reference.rfind('/') + 1));
    if (at(p, "in").text == where)
      names.insert(at(p, "name").text);
  }
  return names;
}

std::set<std::string> placeholders(std::string_view pattern) {
  std::set<std::string> names;
  for (auto open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1))
    names.emplace(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
  return names;
}

} // namespace

TEST_CASE("openapi: describes every route, and no other", "[http][openapi]") {
  std::set<std::string> routes;
  for (const auto& r : http::all_routes())
    routes.insert(lower(http::name_of(r.method)) + " " + std::string{r.pattern});
  CHECK(described() == routes);
  CHECK(at(specification(), "openapi").text == "3.1.0");
}

TEST_CASE("openapi: each operation names its path's parameters, a body where one is read, and who may call it",
          "[http][openapi]") {
  std::set<std::string> ids;
  for (const auto& r : http::all_routes()) {
    INFO(http::name_of(r.method) << " " << r.pattern);
    const auto& operation = operation_of(r);
    CHECK(parameters_of(operation, "path") == placeholders(r.pattern));
    CHECK(ids.insert(at(operation, "operationId").text).second);
    CHECK_FALSE(at(operation, "summary").text.empty());
    const auto* body = operation.find("requestBody");
    if (r.body == http::body_kind::json || r.body == http::body_kind::file) {
      REQUIRE(body != nullptr);
      CHECK(at(*body, "required").boolean);
    } else if (r.body == http::body_kind::none) {
      CHECK(body == nullptr);
    } else if (body != nullptr) {
      CHECK_FALSE(at(*body, "required").boolean);
    }
    const auto& security = at(operation, "security");
    bool needs_key = security.items.size() == 1 && security.items.front().find("adminKey") != nullptr;
    CHECK(needs_key == r.role.has_value());
    bool succeeds = false;
    for (const auto& answer : at(operation, "responses").fields)
      succeeds = succeeds || answer.name.starts_with('2');
    CHECK(succeeds);
  }
}

TEST_CASE("openapi: every reference leads somewhere", "[http][openapi]") {
  each_reference(specification(), [](const std::string& to) {
    INFO(to);
    REQUIRE(to.starts_with("#/components/"));
    auto rest = to.substr(std::string_view{"#/components/"}.size());
    auto slash = rest.find('/');
    CHECK(at(at(specification(), "components"), rest.substr(0, slash)).find(rest.substr(slash + 1)) != nullptr);
  });
}

TEST_CASE("openapi: problem codes are those of the program, at their status", "[http][openapi]") {
  std::set<std::string> known;
  for (int n = 1; n < 256; ++n)
    if (auto word = code_of(static_cast<errc>(n)); errc_from_code(word) == static_cast<errc>(n))
      known.emplace(word);
  std::set<std::string> listed;
  for (const auto& code : at(at(at(at(specification(), "components"), "schemas"), "ProblemCode"), "enum").items)
    listed.insert(code.text);
  CHECK(listed == known);

  for (const auto& r : http::all_routes())
    for (const auto& answer : at(operation_of(r), "responses").fields) {
      if (answer.value.find("$ref") == nullptr)
        continue;
      INFO(http::name_of(r.method) << " " << r.pattern << " " << answer.name);
      std::string_view codes = at(answer.value, "description").text;
      while (!codes.empty()) {
        auto word = codes.substr(0, codes.find(", "));
        codes.remove_prefix(std::min(codes.size(), word.size() + 2));
        INFO(word);
        CHECK(known.contains(std::string{word}));
        CHECK(std::to_string(http::status_of(errc_from_code(word))) == answer.name);
      }
    }
}
