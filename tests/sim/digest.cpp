#include "digest.hpp"

#include "core/hash.hpp"

namespace sluice::simulation {

namespace {

std::uint64_t digest_of_pieces(const record_pieces& pieces) {
  std::uint64_t hash = 0;
  for (const auto& piece : pieces)
    if (piece.bytes)
      hash = hash_of(piece.bytes(), hash + piece.number + 1);
  return hash;
}

/// Of one nobody ever told anything: it is not on disk, and a replay may never have met it.
std::uint64_t digest_of_nothing(const entity_ref& ref) {
  return digest_of_pieces(actors::make_entity(ref, {})->save_all());
}

} // namespace

std::uint64_t digest_of(const entity_ref& ref, const actors::entity_shell& shell) {
  static const std::map<entity_kind, std::uint64_t> of_nothing = [] {
    std::map<entity_kind, std::uint64_t> all;
    for (auto kind : {entity_kind::event, entity_kind::seat_block, entity_kind::area, entity_kind::session,
                      entity_kind::catalogue, entity_kind::ranking})
      all[kind] = digest_of_nothing({{1}, kind, {1}, "nobody"});
    return all;
  }();
  auto hash = digest_of_pieces(shell.save_all());
  return hash == of_nothing.at(ref.kind) ? 0 : mix(hash ^ std::hash<entity_ref>{}(ref));
}

} // namespace sluice::simulation
