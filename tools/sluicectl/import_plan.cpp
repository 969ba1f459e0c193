#include "import_plan.hpp"

#include "codec/times.hpp"
#include "core/hash.hpp"
#include "core/text_id.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace sluice::ctl {

namespace {

using codec::document;
using codec::object_reader;
using kind = document::kind;

constexpr std::size_t name_bytes_max = 200;
constexpr std::size_t number_bytes_max = 64;

/// The text with '-' for each run of what an id may not hold, at most `most` long. May be empty.
std::string as_id(std::string_view text, std::size_t most) {
  std::string id;
  bool gap = false;
  for (char c : text) {
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                c == '~' || c == '-';
    if (fine) {
      if (gap && !id.empty())
        id += '-';
      id += c;
    }
    gap = !fine;
    if (id.size() >= most)
      break;
  }
  id.resize(std::min(id.size(), most));
  return id == "." || id == ".." ? std::string{} : id;
}

std::string lower_case(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string hash_text(std::string_view text) {
  auto hash = hash_of(text);
  std::uint8_t bytes[5];
  for (auto& b : bytes) {
    b = static_cast<std::uint8_t>(hash);
    hash >>= 8;
  }
  return base32(bytes);
}

/// Ids for places, in the order asked for.
class id_maker {
public:
  std::string make(std::string_view wish, const std::string& otherwise) {
    auto base = as_id(wish, 56);
    if (base.empty())
      base = otherwise;
    auto id = base;
    for (int n = 2; !taken_.insert(id).second; ++n)
      id = base + "-" + std::to_string(n);
    return id;
  }

private:
  std::unordered_set<std::string> taken_;
};

/// At most so many bytes, and no half character at the end.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most)
    return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  text.resize(most);
  return text;
}

class importer {
public:
  importer(const document& plan, const import_options& options) : plan_{plan}, options_{options} {}

  imported_plan run() {
    auto& d = made_.definition;
    d.id = options_.id;
    d.venue = options_.venue;
    d.starts_at = options_.starts_at;
    d.time_zone = options_.time_zone;
    d.local_date = codec::local_date(d.starts_at, d.time_zone);
    d.currency = options_.currency;
    object_reader r{plan_, "", made_.errors};
    d.name = options_.name;
    if (d.name.empty())
      d.name = cut(text_of(r, "name", false), name_bytes_max);
    if (d.id.empty())
      d.id = as_id(lower_case(d.name), 64);
    if (d.id.empty())
      d.id = "event";
    if (d.name.empty())
      d.name = d.id;
    read_categories(r);
    if (const auto* zones = r.take("zones", kind::array, true))
      for (std::size_t i = 0; i < zones->items.size(); ++i)
        read_zone(zones->items[i], "/zones/" + std::to_string(i));
    if (seats_.empty() && made_.errors.empty())
      r.fail("zones", "hold no seat");
    name_seats();
    price_categories();
    if (made_.errors.empty())
      build();
    return std::move(made_);
  }

private:
  struct plan_seat {
    std::string guid;
    std::string id;
    std::string number;
    std::uint32_t category = 0; // index into categories_
  };

  struct plan_row {
    std::string id;
    std::vector<std::size_t> seats; // indexes into seats_
  };

  struct plan_zone {
    std::string id;
    std::string name;
    std::vector<plan_row> rows;
    std::size_t seat_count = 0;
  };

  struct plan_category {
    std::string id;
    std::string name;
    bool used = false;
    std::int64_t price = 0;
  };

  /// A string, or an integer some exporters write instead.
  std::string text_of(object_reader& r, std::string_view name, bool required) {
    const auto* d = r.take(name);
    if (d != nullptr && d->is == kind::string)
      return d->text;
    if (d != nullptr && d->is == kind::integer)
      return std::to_string(d->integer);
    if (d != nullptr && d->is != kind::null)
      r.fail(name, "must be a string");
    else if (required)
      r.fail(name, "is required", errc::missing_field);
    return {};
  }

  void read_categories(object_reader& r) {
    const auto* list = r.take("categories", kind::array, true);
    if (list == nullptr)
      return;
    id_maker ids;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      auto here = "/categories/" + std::to_string(i);
      object_reader item{list->items[i], here, made_.errors};
      auto name = text_of(item, "name", true);
      if (name.empty())
        continue;
      if (!category_of_.emplace(name, static_cast<std::uint32_t>(categories_.size())).second) {
        item.fail("name", "is used twice");
        continue;
      }
      categories_.push_back({ids.make(name, "category"), cut(name, name_bytes_max)});
    }
  }

  void read_zone(const document& d, const std::string& here) {
    object_reader r{d, here, made_.errors};
    auto name = text_of(r, "name", false);
    auto id = text_of(r, "zone_id", false);
    const auto* rows = r.take("rows", kind::array);
    if (rows == nullptr || rows->items.empty())
      return; // a zone of drawings only
    plan_zone zone;
    zone.name = cut(name.empty() ? id : name, name_bytes_max);
    zone.id = section_ids_.make(id.empty() ? name : id, "zone-" + std::to_string(zones_.size() + 1));
    if (zone.name.empty())
      zone.name = zone.id;
    // Two halves of a row beside an aisle are often drawn as two rows of one number: they are one row to people.
    std::unordered_map<std::string, std::size_t> row_of;
    for (std::size_t i = 0; i < rows->items.size(); ++i) {
      auto row_at = here + "/rows/" + std::to_string(i);
      object_reader row{rows->items[i], row_at, made_.errors};
      auto number = text_of(row, "row_number", false);
      if (number.size() > number_bytes_max)
        row.fail("row_number", "must be at most " + std::to_string(number_bytes_max) + " bytes");
      if (number.empty())
        number = "row-" + std::to_string(i + 1);
      const auto* seats = row.take("seats", kind::array, true);
      if (seats == nullptr || seats->items.empty())
        continue;
      auto [known, is_new] = row_of.emplace(number, zone.rows.size());
      if (is_new)
        zone.rows.push_back({number, {}});
      auto& into = zone.rows[known->second];
      for (std::size_t s = 0; s < seats->items.size(); ++s)
        read_seat(seats->items[s], row_at + "/seats/" + std::to_string(s), into);
    }
    for (const auto& row : zone.rows)
      zone.seat_count += row.seats.size();
    if (zone.seat_count > 0)
      zones_.push_back(std::move(zone));
  }

  void read_seat(const document& d, const std::string& here, plan_row& row) {
    object_reader r{d, here, made_.errors};
    plan_seat seat;
    seat.guid = text_of(r, "seat_guid", true);
    seat.number = text_of(r, "seat_number", true);
    if (seat.number.size() > number_bytes_max)
      r.fail("seat_number", "must be at most " + std::to_string(number_bytes_max) + " bytes");
    if (const auto* guid = r.take("seat_guid"); seat.guid.empty() && guid != nullptr && guid->is == kind::string)
      r.fail("seat_guid", "must not be empty");
    auto category = text_of(r, "category", true);
    if (!category.empty()) {
      auto known = category_of_.find(category);
      if (known == category_of_.end()) {
        r.fail("category", "names no category of this plan");
      } else {
        seat.category = known->second;
        categories_[seat.category].used = true;
      }
    }
    if (seat.guid.empty())
      return;
    auto [first, is_new] = seat_at_.emplace(seat.guid, here);
    if (!is_new) {
      r.fail("seat_guid", "is also that of " + first->second);
      return;
    }
    row.seats.push_back(seats_.size());
    seats_.push_back(std::move(seat));
  }

  /// A valid guid is the id. The others are made valid; where that makes two alike, a hash of the guid tells them apart.
  void name_seats() {
    std::unordered_map<std::string, std::size_t> wanted;
    for (auto& seat : seats_) {
      seat.id = is_valid_name(seat.guid) ? seat.guid : as_id(seat.guid, 64);
      ++wanted[seat.id];
    }
    std::unordered_set<std::string> taken;
    auto is_clear = [&](const plan_seat& seat) {
      return seat.id == seat.guid || (!seat.id.empty() && wanted[seat.id] == 1);
    };
    for (const auto& seat : seats_) {
      made_.renamed_seats += seat.id != seat.guid ? 1 : 0;
      if (is_clear(seat))
        taken.insert(seat.id);
    }
    for (auto& seat : seats_) {
      if (is_clear(seat))
        continue;
      auto base = seat.id.empty() ? std::string{"seat"} : seat.id.substr(0, 55);
      auto salted = seat.guid;
      do {
        seat.id = base + "~" + hash_text(salted);
        salted += '+';
      } while (!taken.insert(seat.id).second);
    }
  }

  void price_categories() {
    std::unordered_set<std::string> asked;
    for (auto& c : categories_) {
      auto price = options_.prices.find(c.name);
      if (price == options_.prices.end())
        price = options_.prices.find(c.id);
      if (price != options_.prices.end()) {
        c.price = price->second;
        asked.insert(price->first);
      } else if (options_.default_price) {
        c.price = *options_.default_price;
      } else if (c.used) {
        made_.unpriced.insert(c.id);
      }
    }
    for (const auto& [name, price] : options_.prices)
      if (!asked.contains(name))
        made_.errors.push_back({errc::bad_value, "/categories", "hold no '" + name + "', which --price names", 0});
  }

  void build() {
    auto& d = made_.definition;
    std::vector<std::uint32_t> index_of(categories_.size());
    for (std::size_t i = 0; i < categories_.size(); ++i) {
      const auto& c = categories_[i];
      if (!c.used) {
        made_.unused_categories.push_back(c.name);
        continue;
      }
      index_of[i] = static_cast<std::uint32_t>(d.categories.size());
      d.categories.push_back({c.id, c.name, c.price});
    }
    for (auto& seat : seats_)
      seat.category = index_of[seat.category];
    for (const auto& zone : zones_) {
      domain::section_definition section{zone.id, zone.name, {}};
      for (const auto& rows : in_blocks(zone))
        section.blocks.push_back(block_of(zone, rows));
      if (section.blocks.size() == 1) {
        section.blocks.front().id = block_ids_.make(zone.id, "block");
        section.blocks.front().name = zone.name;
      } else {
        for (std::size_t i = 0; i < section.blocks.size(); ++i)
          section.blocks[i].id = block_ids_.make(zone.id + "-" + std::to_string(i + 1), "block");
      }
      d.sections.push_back(std::move(section));
    }
  }

  /// Whole rows into blocks of about equal size, none above the limit. A row longer than that is cut.
  std::vector<std::vector<plan_row>> in_blocks(const plan_zone& zone) const {
    auto most = std::max<std::size_t>(1, options_.block_seats);
    auto count = (zone.seat_count + most - 1) / most;
    auto enough = (zone.seat_count + count - 1) / count;
    std::vector<std::vector<plan_row>> blocks;
    std::size_t filled = 0;
    for (const auto& row : zone.rows)
      for (std::size_t at = 0; at < row.seats.size();) {
        auto left = row.seats.size() - at;
        auto piece = std::min(left, most);
        if (blocks.empty() || filled >= enough || filled + piece > most) {
          blocks.emplace_back();
          filled = 0;
        }
        auto from = row.seats.begin() + static_cast<std::ptrdiff_t>(at);
        blocks.back().push_back({row.id, {from, from + static_cast<std::ptrdiff_t>(piece)}});
        filled += piece;
        at += piece;
      }
    return blocks;
  }

  domain::block_definition block_of(const plan_zone& zone, const std::vector<plan_row>& rows) const {
    domain::block_definition block;
    const auto& first = rows.front().id;
    const auto& last = rows.back().id;
    block.name = cut(zone.name, name_bytes_max - 2 * number_bytes_max - 12) +
                 (first == last ? ", row " + first : ", rows " + first + " to " + last);
    for (const auto& row : rows) {
      domain::row_definition made{row.id, {}};
      for (auto index : row.seats)
        made.seats.push_back({seats_[index].id, seats_[index].number, seats_[index].category});
      block.rows.push_back(std::move(made));
    }
    return block;
  }

  const document& plan_;
  const import_options& options_;
  imported_plan made_;
  std::vector<plan_category> categories_;
  std::unordered_map<std::string, std::uint32_t> category_of_;
  std::vector<plan_zone> zones_;
  std::vector<plan_seat> seats_;
  std::unordered_map<std::string, std::string> seat_at_;
  id_maker section_ids_;
  id_maker block_ids_;
};

} // namespace

imported_plan import_plan(const document& plan, const import_options& options) {
  importer work{plan, options};
  auto made = work.run();
  // Limits of an event that a plan can break: seats and blocks in all, the id, the currency.
  if (made.errors.empty())
    for (auto& e : domain::check(made.definition))
      made.errors.push_back(
          {errc::definition_invalid, "", "gives an event file whose " + e.pointer + " " + e.detail, 0});
  return made;
}

} // namespace sluice::ctl
