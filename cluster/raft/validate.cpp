#include "cluster/raft/validate.hpp"

#include "core/overloaded.hpp"

#include <algorithm>

namespace sluice::raft {

namespace {

// Far beyond what a cluster reaches, and far enough below the end for every sum of ours.
constexpr std::uint64_t number_max = std::uint64_t{1} << 62;

bool in_range(std::uint64_t x) {
  return x < number_max;
}

bool sane_place(log_index index, log_term term) {
  return in_range(index) && in_range(term) && (index == 0) == (term == 0);
}

bool sane_request(const append_request& m) {
  if (!sane_place(m.prev_index, m.prev_term) || m.prev_term > m.term || !in_range(m.commit))
    return false;
  auto index = m.prev_index;
  auto term = m.prev_term;
  for (auto& e : m.entries) {
    if (e.index != ++index || e.term < term || e.term == 0 || !sane(e))
      return false;
    term = e.term;
  }
  return term <= m.term;
}

} // namespace

bool sane(const membership& m) {
  if (m.voters.empty() || m.voters.contains(node_id{}) || m.learners.contains(node_id{}))
    return false;
  return std::none_of(m.learners.begin(), m.learners.end(), [&](node_id n) { return m.voters.contains(n); });
}

bool sane(const entry& e) {
  switch (e.kind) {
  case entry_kind::noop:
    return !e.payload && !e.members;
  case entry_kind::commands:
    return e.payload && !e.members;
  case entry_kind::members:
    return !e.payload && e.members && sane(*e.members);
  }
  return false;
}

bool sane(const message& m) {
  auto term = std::visit([](auto& body) { return body.term; }, m);
  if (term == 0 || !in_range(term))
    return false;
  return std::visit(
      overloaded{
          [](const vote_request& v) { return sane_place(v.last_index, v.last_term) && v.last_term <= v.term; },
          [](const append_request& a) { return sane_request(a); },
          [](const append_reply& r) {
            return in_range(r.match) && in_range(r.rejected_prev) && in_range(r.conflict_first) &&
                   (!r.success || r.rejected_prev == 0) && r.standing <= standing::full;
          },
          [](const snapshot_offer& o) {
            return o.snapshot.index > 0 && sane_place(o.snapshot.index, o.snapshot.term) && o.snapshot.term <= o.term &&
                   sane(o.snapshot.members);
          },
          [](const snapshot_reply& r) { return in_range(r.index); },
          [](const read_reply& r) { return in_range(r.index) && in_range(r.last); },
          [](const auto&) { return true; },
      },
      m);
}

} // namespace sluice::raft
