// A value or the reason there is none.
#pragma once

#include "core/errc.hpp"

#include <string>
#include <utility>
#include <variant>

namespace sluice {

/// Why something was refused. `detail` is for people and may be shown to clients; it never echoes raw input.
struct error {
  errc code{errc::internal};
  std::string detail;

  friend bool operator==(const error&, const error&) = default;
};

template <class T>
class [[nodiscard]] result {
public:
  result(T value) : held_{std::in_place_index<0>, std::move(value)} {}

  result(error why) : held_{std::in_place_index<1>, std::move(why)} {}

  result(errc code, std::string detail) : held_{std::in_place_index<1>, error{code, std::move(detail)}} {}

  explicit operator bool() const { return held_.index() == 0; }

  T& operator*() & { return std::get<0>(held_); }

  const T& operator*() const& { return std::get<0>(held_); }

  T&& operator*() && { return std::get<0>(std::move(held_)); }

  T* operator->() { return &std::get<0>(held_); }

  const T* operator->() const { return &std::get<0>(held_); }

  const error& why() const { return std::get<1>(held_); }

private:
  std::variant<T, error> held_;
};

} // namespace sluice
