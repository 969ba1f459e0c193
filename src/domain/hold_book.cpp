#include "domain/hold_book.hpp"

#include "core/assert.hpp"
#include "domain/unshared.hpp"

#include <algorithm>

namespace sluice::domain {

const area_hold* hold_book::find(const hold_id& id) const {
  const auto& held = chunks_[chunk_of(id)];
  if (!held)
    return nullptr;
  auto found = held->find(id);
  return found == held->end() ? nullptr : &found->second;
}

area_hold* hold_book::change(const hold_id& id) {
  if (find(id) == nullptr)
    return nullptr;
  return &writable(chunk_of(id)).at(id);
}

bool hold_book::add(const hold_id& id, area_hold h) {
  return writable(chunk_of(id)).emplace(id, std::move(h)).second;
}

area_hold hold_book::take(const hold_id& id) {
  auto node = writable(chunk_of(id)).extract(id);
  SLUICE_ASSERT(!node.empty(), "a hold was taken out that is not in the book");
  return std::move(node.mapped());
}

std::vector<std::pair<std::uint32_t, std::shared_ptr<const hold_book::chunk>>> hold_book::take_changed() {
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const chunk>>> taken;
  for (std::uint32_t i = 0; i < chunk_count; ++i)
    if (std::exchange(changed_[i], false))
      taken.emplace_back(i, chunks_[i]);
  return taken;
}

bool operator==(const hold_book& a, const hold_book& b) {
  static const hold_book::chunk none;
  auto content = [](const auto& held) -> const hold_book::chunk& { return held ? *held : none; };
  return std::equal(a.chunks_.begin(), a.chunks_.end(), b.chunks_.begin(),
                    [&](const auto& x, const auto& y) { return content(x) == content(y); });
}

hold_book::chunk& hold_book::writable(std::uint32_t number) {
  changed_[number] = true;
  auto& held = chunks_[number];
  if (!held)
    held = std::make_shared<chunk>();
  return unshared(held);
}

} // namespace sluice::domain
