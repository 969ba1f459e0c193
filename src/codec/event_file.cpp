#include "codec/event_file.hpp"

#include "codec/times.hpp"
#include "core/text_id.hpp"

#include <charconv>
#include <limits>
#include <unordered_map>

namespace sluice::codec {

namespace {

using domain::event_definition;
using kind = document::kind;

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t u32_max = std::numeric_limits<std::uint32_t>::max();

/// Walks an event file. Ranges and uniqueness are checked by domain::check afterwards, on the finished definition.
class event_reader {
public:
  explicit event_reader(std::vector<document_error>& errors) : errors_{errors} {}

  event_definition read(const document& file) {
    object_reader r{file, "", errors_};
    r.read("id", d_.id, true).read("name", d_.name, true).read("venue", d_.venue).read("currency", d_.currency);
    r.read("timeZone", d_.time_zone);
    if (!is_time_zone(d_.time_zone)) {
      r.fail("timeZone", "is not a known IANA time zone (is the package tzdata installed?)");
      d_.time_zone = "UTC";
    }
    if (auto at = time(r, "startsAt", true))
      d_.starts_at = *at;
    d_.local_date = local_date(d_.starts_at, d_.time_zone);
    if (const auto* sale = r.take("sale", kind::object)) {
      object_reader s{*sale, "/sale", errors_};
      d_.sale_opens_at = time(s, "opensAt", false);
      d_.sale_closes_at = time(s, "closesAt", false);
      s.finish();
    }
    read_categories(r);
    read_places(r);
    read_settings(r);
    r.finish();
    return std::move(d_);
  }

private:
  std::optional<wall_time> time(object_reader& r, std::string_view name, bool required) {
    std::string text;
    r.read(name, text, required);
    if (text.empty())
      return std::nullopt;
    auto at = time_from(text, d_.time_zone);
    if (!at)
      r.fail(name, "must be a time such as 2026-12-24T19:30:00+01:00, or 2026-12-24T19:30 in the event's time zone");
    return at;
  }

  void read_categories(object_reader& r) {
    const auto* list = r.take("categories", kind::array, true);
    if (list == nullptr)
      return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      domain::category_definition c;
      object_reader item{list->items[i], "/categories/" + std::to_string(i), errors_};
      item.read("id", c.id, true).read("name", c.name).read("price", c.price, 0, no_limit, true);
      item.finish();
      if (c.name.empty())
        c.name = c.id;
      category_of_.emplace(c.id, static_cast<std::uint32_t>(i));
      d_.categories.push_back(std::move(c));
    }
  }

  std::uint32_t category(object_reader& r, const std::string& inherited, bool needed) {
    std::string id = inherited;
    r.read("category", id);
    if (id.empty()) {
      if (needed)
        r.fail("category", "is required here or further out", errc::missing_field);
      return 0;
    }
    auto known = category_of_.find(id);
    if (known == category_of_.end()) {
      r.fail("category", "names no category of this event");
      return 0;
    }
    return known->second;
  }

  /// What seats inherit from their row, and rows from their block.
  std::string inherited(object_reader& r, const std::string& outer) {
    std::string id = outer;
    r.read("category", id);
    if (!id.empty() && !category_of_.contains(id))
      r.fail("category", "names no category of this event");
    return id;
  }

  void read_places(object_reader& r) {
    if (const auto* list = r.take("sections", kind::array))
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        auto here = "/sections/" + std::to_string(i);
        domain::section_definition section;
        object_reader item{list->items[i], here, errors_};
        item.read("id", section.id, true).read("name", section.name);
        if (section.name.empty())
          section.name = section.id;
        if (const auto* blocks = item.take("blocks", kind::array, true))
          for (std::size_t b = 0; b < blocks->items.size(); ++b)
            section.blocks.push_back(read_block(blocks->items[b], here + "/blocks/" + std::to_string(b)));
        item.finish();
        d_.sections.push_back(std::move(section));
      }
    if (const auto* list = r.take("areas", kind::array))
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        domain::area_definition area;
        object_reader item{list->items[i], "/areas/" + std::to_string(i), errors_};
        item.read("id", area.id, true).read("name", area.name);
        item.read("capacity", area.capacity, 0, u32_max, true);
        area.category = category(item, {}, true);
        item.finish();
        if (area.name.empty())
          area.name = area.id;
        d_.areas.push_back(std::move(area));
      }
  }

  domain::block_definition read_block(const document& d, const std::string& here) {
    domain::block_definition block;
    object_reader r{d, here, errors_};
    r.read("id", block.id, true).read("name", block.name);
    if (block.name.empty())
      block.name = block.id;
    auto outer = inherited(r, {});
    std::uint32_t per_row = 0;
    r.read("seatsPerRow", per_row, 1, domain::block_seats_max);
    const auto* rows = r.take("rows");
    if (rows == nullptr) {
      r.fail("rows", "is required", errc::missing_field);
    } else if (rows->is == kind::integer) {
      // The short form: so many rows of so many seats.
      if (per_row == 0)
        r.fail("seatsPerRow", "is required when rows is a number", errc::missing_field);
      auto most = static_cast<std::int64_t>(domain::block_seats_max);
      if (rows->integer < 1 || rows->integer > most)
        r.fail("rows", "must be between 1 and " + std::to_string(most));
      else if (per_row != 0 && rows->integer * per_row > most)
        r.fail("rows", "times seatsPerRow must be at most " + std::to_string(most) + "; split the block");
      else
        for (std::int64_t n = 1; n <= rows->integer; ++n)
          block.rows.push_back(numbered_row(block.id, std::to_string(n), 1, per_row, category_index(r, outer)));
    } else if (rows->is == kind::array) {
      for (std::size_t i = 0; i < rows->items.size(); ++i)
        block.rows.push_back(read_row(rows->items[i], r.pointer_to("rows") + "/" + std::to_string(i), block.id, outer));
    } else {
      r.fail("rows", "must be an array of rows, or their number");
    }
    r.finish();
    return block;
  }

  std::uint32_t category_index(object_reader& r, const std::string& id) {
    auto known = category_of_.find(id);
    if (known != category_of_.end())
      return known->second;
    if (id.empty())
      r.fail("category", "is required here or further out", errc::missing_field);
    return 0;
  }

  static domain::row_definition numbered_row(const std::string& block, const std::string& row, std::int64_t first,
                                             std::int64_t last, std::uint32_t category) {
    domain::row_definition made{row, {}};
    const auto before = block + "-" + row + "-";
    for (auto n = first; n <= last; ++n) {
      auto number = std::to_string(n);
      made.seats.push_back({before + number, number, category});
    }
    return made;
  }

  domain::row_definition read_row(const document& d, const std::string& here, const std::string& block,
                                  const std::string& outer) {
    object_reader r{d, here, errors_};
    domain::row_definition row;
    r.read("id", row.id, true);
    auto inner = inherited(r, outer);
    const auto* seats = r.take("seats");
    if (seats == nullptr) {
      r.fail("seats", "is required", errc::missing_field);
    } else if (seats->is == kind::array) {
      for (std::size_t i = 0; i < seats->items.size(); ++i)
        row.seats.push_back(
            read_seat(seats->items[i], r.pointer_to("seats") + "/" + std::to_string(i), block, row.id, inner));
    } else if (auto range = seat_range(*seats)) {
      row = numbered_row(block, row.id, range->first, range->second, category_index(r, inner));
    } else {
      r.fail("seats", "must be an array of seats, their number, or a range such as \"1-40\"");
    }
    r.finish();
    return row;
  }

  static std::optional<std::pair<std::int64_t, std::int64_t>> seat_range(const document& d) {
    auto most = static_cast<std::int64_t>(domain::block_seats_max);
    if (d.is == kind::integer && d.integer >= 1 && d.integer <= most)
      return std::make_pair(std::int64_t{1}, d.integer);
    if (d.is != kind::string)
      return std::nullopt;
    auto dash = d.text.find('-');
    if (dash == std::string::npos)
      return std::nullopt;
    std::int64_t first = 0;
    std::int64_t last = 0;
    const char* begin = d.text.data();
    auto low = std::from_chars(begin, begin + dash, first);
    auto high = std::from_chars(begin + dash + 1, begin + d.text.size(), last);
    if (low.ec != std::errc{} || high.ec != std::errc{} || low.ptr != begin + dash ||
        high.ptr != begin + d.text.size() || first < 0 || last < first || last - first >= most)
      return std::nullopt;
    return std::make_pair(first, last);
  }

  domain::seat_definition read_seat(const document& d, const std::string& here, const std::string& block,
                                    const std::string& row, const std::string& outer) {
    object_reader r{d, here, errors_};
    domain::seat_definition seat;
    r.read("number", seat.number, true).read("id", seat.id);
    if (seat.id.empty())
      seat.id = block + "-" + row + "-" + seat.number;
    seat.category = category(r, outer, true);
    r.finish();
    return seat;
  }

  void read_settings(object_reader& r) {
    if (const auto* a = r.take("admission", kind::object)) {
      std::vector<document_error> mistakes;
      auto patch = read_admission_patch(*a, mistakes);
      for (auto& mistake : mistakes) {
        mistake.pointer = "/admission" + mistake.pointer;
        errors_.push_back(std::move(mistake));
      }
      d_.admission = domain::patched(d_.admission, patch);
    }
    r.read("holdTtlSeconds", d_.hold_ttl_seconds, 0, u32_max);
    r.read("holdExtensionsMax", d_.hold_extensions_max, 0, u32_max);
    r.read("limitPerUser", d_.limit_per_user, 0, u32_max);
    r.read("paymentWindowSeconds", d_.payment_window_seconds, 0, u32_max);
    r.read("keepActiveAfterBooking", d_.keep_active_after_booking);
    std::string identity = "trusted";
    r.read("identity", identity);
    if (identity == "anonymous")
      d_.identity = domain::identity_mode::anonymous;
    else if (identity != "trusted")
      r.fail("identity", "must be \"trusted\" or \"anonymous\"");
  }

  std::vector<document_error>& errors_;
  event_definition d_;
  std::unordered_map<std::string, std::uint32_t> category_of_;
};

/// The line a pointer leads to, or the nearest one above it.
int line_of(const document& file, std::string_view pointer) {
  const auto* at = &file;
  int line = file.line;
  while (!pointer.empty() && pointer.front() == '/') {
    pointer.remove_prefix(1);
    auto end = std::min(pointer.find('/'), pointer.size());
    auto name = pointer.substr(0, end);
    pointer.remove_prefix(end);
    if (at->is == kind::object) {
      at = at->find(name);
    } else if (at->is == kind::array) {
      std::size_t index = 0;
      auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
      at = parsed.ec == std::errc{} && index < at->items.size() ? &at->items[index] : nullptr;
    } else {
      at = nullptr;
    }
    if (at == nullptr)
      break;
    if (at->line != 0)
      line = at->line;
  }
  return line;
}

} // namespace

event_definition read_event_file(const document& file, std::vector<document_error>& errors) {
  event_reader reader{errors};
  auto definition = reader.read(file);
  if (errors.empty())
    for (auto& mistake : domain::check(definition)) {
      auto line = line_of(file, mistake.pointer);
      errors.push_back({errc::definition_invalid, std::move(mistake.pointer), std::move(mistake.detail), line});
    }
  return definition;
}

domain::admission_patch read_admission_patch(const document& body, std::vector<document_error>& errors) {
  domain::admission_patch patch;
  object_reader r{body, "", errors};
  r.read("usersPerMinute", patch.users_per_minute, 0, u32_max);
  r.read("maxActiveUsers", patch.max_active_users, 0, u32_max);
  r.read("activeTtlSeconds", patch.active_ttl_seconds, 0, u32_max);
  r.read("claimWindowSeconds", patch.claim_window_seconds, 0, u32_max);
  r.read("waitingTtlSeconds", patch.waiting_ttl_seconds, 0, u32_max);
  r.read("batchMs", patch.batch_ms, 0, u32_max);
  r.read("maxWaitingUsers", patch.max_waiting_users, 0, u32_max);
  r.finish();
  return patch;
}

std::string write_event_file(const event_definition& d) {
  std::string text;
  json_writer w{text};
  auto category = [&](std::uint32_t i) { return std::string_view{d.categories.at(i).id}; };
  w.begin_object();
  w.field("id", d.id).field("name", d.name).field("venue", d.venue);
  w.field("startsAt", to_text(d.starts_at)).field("timeZone", d.time_zone);
  if (d.sale_opens_at || d.sale_closes_at) {
    w.key("sale").begin_object();
    if (d.sale_opens_at)
      w.field("opensAt", to_text(*d.sale_opens_at));
    if (d.sale_closes_at)
      w.field("closesAt", to_text(*d.sale_closes_at));
    w.end_object();
  }
  w.field("currency", d.currency);
  w.key("categories").begin_array();
  for (const auto& c : d.categories)
    w.begin_object().field("id", c.id).field("name", c.name).field("price", c.price).end_object();
  w.end_array().key("sections").begin_array();
  for (const auto& section : d.sections) {
    w.begin_object().field("id", section.id).field("name", section.name).key("blocks").begin_array();
    for (const auto& block : section.blocks) {
      w.begin_object().field("id", block.id).field("name", block.name).key("rows").begin_array();
      for (const auto& row : block.rows) {
        w.begin_object().field("id", row.id).key("seats").begin_array();
        for (const auto& seat : row.seats)
          w.begin_object()
              .field("id", seat.id)
              .field("number", seat.number)
              .field("category", category(seat.category))
              .end_object();
        w.end_array().end_object();
      }
      w.end_array().end_object();
    }
    w.end_array().end_object();
  }
  w.end_array().key("areas").begin_array();
  for (const auto& area : d.areas)
    w.begin_object()
        .field("id", area.id)
        .field("name", area.name)
        .field("category", category(area.category))
        .field("capacity", area.capacity)
        .end_object();
  w.end_array();
  const auto& a = d.admission;
  w.key("admission")
      .begin_object()
      .field("usersPerMinute", a.users_per_minute)
      .field("maxActiveUsers", a.max_active_users)
      .field("activeTtlSeconds", a.active_ttl_seconds)
      .field("claimWindowSeconds", a.claim_window_seconds)
      .field("waitingTtlSeconds", a.waiting_ttl_seconds)
      .field("batchMs", a.batch_ms)
      .field("maxWaitingUsers", a.max_waiting_users)
      .end_object();
  w.field("holdTtlSeconds", d.hold_ttl_seconds).field("holdExtensionsMax", d.hold_extensions_max);
  w.field("limitPerUser", d.limit_per_user).field("paymentWindowSeconds", d.payment_window_seconds);
  w.field("keepActiveAfterBooking", d.keep_active_after_booking);
  w.field("identity", d.identity == domain::identity_mode::trusted ? "trusted" : "anonymous");
  w.end_object();
  return text;
}

} // namespace sluice::codec
