#include "storage/snapshot_chunk.hpp"

#include "core/hash.hpp"
#include "storage/key_layout.hpp"

#include <tuple>

namespace sluice::storage {

namespace {

constexpr char piece_type = 1;
constexpr char feed_type = 2;
constexpr std::size_t length_size = 4;
constexpr std::size_t ref_size = 4 + 1 + 4 + 2; // beside the user

constexpr char piece_position = 'p';
constexpr char feed_position = 'f';

/// Takes big-endian integers and bytes off the front; `failed` once there are not enough.
class reader {
public:
  explicit reader(std::string_view bytes) : rest_{bytes} {}

  template <class Integer>
  Integer integer() {
    auto bytes = text(sizeof(Integer));
    return bytes.size() == sizeof(Integer) ? read_be<Integer>(bytes) : Integer{0};
  }

  std::string_view text(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
    }
    auto taken = rest_.substr(0, failed_ ? 0 : size);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view all() { return text(rest_.size()); }

  bool at_end() const { return rest_.empty(); }

  bool failed() const { return failed_; }

private:
  std::string_view rest_;
  bool failed_ = false;
};

void append_ref(std::string& out, const entity_ref& of) {
  append_be(out, of.event.value);
  out += static_cast<char>(of.kind);
  append_be(out, of.block.value);
  append_be(out, static_cast<std::uint16_t>(of.user.size()));
  out += of.user;
}

entity_ref take_ref(reader& in) {
  entity_ref of;
  of.event = {in.integer<std::uint32_t>()};
  of.kind = static_cast<entity_kind>(in.integer<std::uint8_t>());
  of.block = {in.integer<std::uint32_t>()};
  of.user = in.text(in.integer<std::uint16_t>());
  return of;
}

/// Only what could not be stored as what it is: rules about users may change, what is stored stays.
bool is_sound(const entity_ref& of) {
  switch (of.kind) {
  case entity_kind::session:
    return of.block.value == 0 && !of.user.empty() && of.user.find('\0') == std::string::npos;
  case entity_kind::seat_block:
  case entity_kind::area:
    return of.user.empty();
  case entity_kind::event:
  case entity_kind::catalogue:
  case entity_kind::ranking:
    return of.block.value == 0 && of.user.empty();
  }
  return false;
}

bool take_piece(reader& in, chunk_content& content) {
  piece_write piece;
  piece.of = take_ref(in);
  piece.number = in.integer<std::uint32_t>();
  piece.bytes = in.all();
  if (in.failed() || !is_sound(piece.of) || !content.feed.empty())
    return false;
  if (!content.pieces.empty()) {
    const auto& before = content.pieces.back();
    if (std::tie(before.of, before.number) >= std::tie(piece.of, piece.number))
      return false;
  }
  content.pieces.push_back(std::move(piece));
  return true;
}

bool take_feed(reader& in, chunk_content& content) {
  feed_write facts;
  facts.index = in.integer<std::uint64_t>();
  facts.record = in.all();
  if (in.failed() || facts.index <= (content.feed.empty() ? 0 : content.feed.back().index))
    return false;
  content.feed.push_back(std::move(facts));
  return true;
}

} // namespace

std::uint64_t checksum_of(const chunk_place& place, const snapshot_chunk& chunk) {
  std::string head;
  append_be(head, place.partition.value);
  append_be(head, place.number);
  append_be(head, static_cast<std::uint32_t>(place.position.size()));
  head += place.position;
  append_be(head, static_cast<std::uint32_t>(chunk.next.size()));
  head += chunk.next;
  return hash_of(chunk.bytes, hash_of(head));
}

std::size_t piece_record_size(const entity_ref& of, std::string_view bytes) {
  return length_size + 1 + ref_size + of.user.size() + 4 + bytes.size();
}

std::size_t feed_record_size(std::string_view record) {
  return length_size + 1 + 8 + record.size();
}

void append_piece(std::string& records, const entity_ref& of, std::uint32_t number, std::string_view bytes) {
  append_be(records, static_cast<std::uint32_t>(piece_record_size(of, bytes) - length_size));
  records += piece_type;
  append_ref(records, of);
  append_be(records, number);
  records += bytes;
}

void append_feed_record(std::string& records, log_index index, std::string_view record) {
  append_be(records, static_cast<std::uint32_t>(feed_record_size(record) - length_size));
  records += feed_type;
  append_be(records, index);
  records += record;
}

std::optional<chunk_content> read_records(std::string_view records) {
  chunk_content content;
  for (reader all{records}; !all.at_end();) {
    reader one{all.text(all.integer<std::uint32_t>())};
    auto type = one.integer<char>();
    auto sound = type == piece_type ? take_piece(one, content) : type == feed_type && take_feed(one, content);
    if (all.failed() || !sound)
      return std::nullopt;
  }
  return content;
}

std::string position_of(const checkpoint_image::place& piece) {
  std::string position(1, piece_position);
  append_ref(position, piece.of);
  append_be(position, piece.number);
  return position;
}

std::string position_of(log_index feed) {
  std::string position(1, feed_position);
  append_be(position, feed);
  return position;
}

std::optional<scan_place> read_position(std::string_view position) {
  scan_place place;
  if (position.empty())
    return place;
  reader in{position.substr(1)};
  if (position[0] == piece_position) {
    place.piece.emplace();
    place.piece->of = take_ref(in);
    place.piece->number = in.integer<std::uint32_t>();
    if (!is_sound(place.piece->of))
      return std::nullopt;
  } else if (position[0] == feed_position) {
    place.feed = in.integer<std::uint64_t>();
  } else {
    return std::nullopt;
  }
  if (in.failed() || !in.at_end())
    return std::nullopt;
  return place;
}

} // namespace sluice::storage
