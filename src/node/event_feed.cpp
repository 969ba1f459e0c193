#include "node/event_feed.hpp"

#include "codec/fact.hpp"
#include "sluice/fact.pb.h"

#include <sstream>
#include <stdexcept>

namespace sluice::node {

namespace {

constexpr std::size_t page_bytes = 512 * 1024;

using on_fact = std::function<void(const told_fact&)>;

/// Bytes that are no record are told as something of the event that nobody can read: it may have been a fact.
proto::FeedRecord record_of(std::string_view bytes, event_number event) {
  proto::FeedRecord record;
  if (record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return record;
  record.Clear();
  auto& item = *record.add_items();
  item.set_event(event.value);
  item.set_fact(std::string{bytes});
  return record;
}

void tell(const proto::FeedRecord& record, log_index index, event_number event, const on_fact& visit) {
  for (const auto& item : record.items()) {
    if (item.event() != event.value)
      continue;
    bool has_own_clock = item.index() != 0;
    visit({has_own_clock ? item.index() : index,
           wall_time_from_ms(has_own_clock ? item.wall_time_ms() : record.wall_time_ms()), item.fact(),
           codec::decode_fact(item.fact())});
  }
}

} // namespace

log_index event_feed::each(const on_fact& visit) const {
  for (const auto& stay : before) {
    proto::FeedPage page;
    page.set_next(std::max<log_index>(stay.first, 1));
    while (page.next() != 0) {
      std::ostringstream argument;
      argument << stay.partition.value << ' ' << event.value << ' ' << page.next() << ' ' << stay.last;
      auto text = ask_leader(stay.partition, argument.str());
      if (text.empty() || !page.ParseFromString(text))
        throw std::runtime_error{"the leader of partition " + std::to_string(stay.partition.value) +
                                 " does not tell what it has"};
      for (const auto& entry : page.entries())
        tell(entry.record(), entry.index(), event, visit);
    }
  }
  log_index last = 0;
  store->scan_feed(partition, since == 0 ? 0 : since - 1, [&](log_index index, std::string_view bytes) {
    last = index;
    tell(record_of(bytes, event), index, event, visit);
    return true;
  });
  return last;
}

std::string to_text(const facts_question& q) {
  auto text = std::to_string(q.event.value) + " " + std::to_string(q.hops);
  return q.older ? text + " " + to_text(*q.older) : text;
}

facts_question facts_question_from(const std::string& text) {
  facts_question q;
  std::string older;
  std::istringstream in{text};
  in >> q.event.value >> q.hops >> older;
  q.older = facts_seal_from(older);
  return q;
}

std::string facts_page(storage::log_store& store, const std::string& argument) {
  partition_id partition;
  event_number event;
  log_index first = 0;
  log_index last = 0;
  std::istringstream in{argument};
  if (!(in >> partition.value >> event.value >> first >> last) || first == 0)
    return {};
  proto::FeedPage page;
  std::size_t bytes = 0;
  store.scan_feed(partition, first - 1, [&](log_index index, std::string_view text) {
    if (index > last)
      return false;
    if (bytes > page_bytes) {
      page.set_next(index);
      return false;
    }
    auto record = record_of(text, event);
    proto::FeedPage::Entry entry;
    entry.set_index(index);
    entry.mutable_record()->set_log_time_ms(record.log_time_ms());
    entry.mutable_record()->set_wall_time_ms(record.wall_time_ms());
    for (auto& item : *record.mutable_items())
      if (item.event() == event.value)
        *entry.mutable_record()->add_items() = std::move(item);
    if (entry.record().items_size() > 0) {
      bytes += entry.ByteSizeLong();
      *page.add_entries() = std::move(entry);
    }
    return true;
  });
  auto text = page.SerializeAsString();
  return text.empty() ? std::string{"\x10\x00", 2} : text; // `next` said: empty is no answer
}

} // namespace sluice::node
