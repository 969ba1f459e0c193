#include "sluice-bench/setup.hpp"

#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>

namespace sluice::bench {

std::string event_file(const event_wish& wish) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("id", wish.id).field("name", "Load test " + wish.id).field("venue", "Bench hall");
  w.field("startsAt", "2035-06-01T19:30:00Z").field("currency", "EUR");
  w.key("categories")
      .begin_array()
      .begin_object()
      .field("id", "all")
      .field("price", wish.price)
      .end_object()
      .end_array();
  w.key("sections").begin_array();
  if (wish.blocks > 0) {
    w.begin_object().field("id", "hall").key("blocks").begin_array();
    for (std::uint32_t b = 1; b <= wish.blocks; ++b)
      w.begin_object()
          .field("id", "B" + std::to_string(b))
          .field("category", "all")
          .field("rows", wish.rows)
          .field("seatsPerRow", wish.seats_per_row)
          .end_object();
    w.end_array().end_object();
  }
  w.end_array().key("areas").begin_array();
  if (wish.area_capacity > 0)
    w.begin_object().field("id", "floor").field("category", "all").field("capacity", wish.area_capacity).end_object();
  w.end_array().key("admission").begin_object();
  w.field("usersPerMinute", wish.users_per_minute).field("maxActiveUsers", wish.max_active_users);
  w.field("claimWindowSeconds", wish.claim_window_seconds).field("activeTtlSeconds", wish.active_ttl_seconds);
  w.field("batchMs", wish.batch_ms);
  w.end_object().field("holdTtlSeconds", wish.hold_ttl_seconds).field("limitPerUser", wish.limit_per_user);
  w.field("keepActiveAfterBooking", wish.keep_active).end_object();
  return text;
}

void make_event(plain_client& admin, const event_wish& wish) {
  admin.must("PUT", "/admin/v1/events/" + wish.id, event_file(wish));
  auto until = clock::now() + std::chrono::seconds{30};
  auto path = "/api/v1/events/" + wish.id + "/availability";
  for (;;) {
    auto told = admin.get(path);
    if (told.status == 200 && number_field(told.body, "capacity").value_or(0) > 0)
      return;
    if (clock::now() > until)
      throw std::runtime_error{"the event " + wish.id + " did not come up"};
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

std::string fresh_name(const std::string& what) {
  std::random_device dice;
  char text[16];
  std::snprintf(text, sizeof(text), "-%08x", dice());
  return what + text;
}

event_stock read_stock(plain_client& client, const std::string& event) {
  event_stock stock;
  auto path = "/api/v1/events/" + event;
  auto told = client.must("GET", path).json();
  if (const auto* currency = told.find("currency"))
    stock.currency = currency->text;
  auto available = client.must("GET", path + "/availability").json();
  auto number = [](const codec::document& d, std::string_view name) {
    const auto* found = d.find(name);
    return found ? static_cast<std::uint64_t>(found->integer) : 0;
  };
  for (const auto& area : available.find("areas")->items) {
    stock.areas.push_back({area.find("id")->text, number(area, "available")});
    stock.capacity += number(area, "capacity");
  }
  for (const auto& block : available.find("blocks")->items) {
    stock.blocks.push_back(block.find("id")->text);
    stock.capacity += number(block, "capacity");
    auto seats = client.must("GET", path + "/blocks/" + stock.blocks.back()).json();
    for (const auto& seat : seats.find("seats")->items)
      if (seat.find("status")->text == "AVAILABLE")
        stock.seats.push_back(seat.find("id")->text);
  }
  return stock;
}

std::string read_key(const std::string& file) {
  std::ifstream in{file};
  std::string key;
  if (!std::getline(in, key) || key.empty())
    throw std::runtime_error{"no admin key in '" + file + "'; it is in admin.key of the node's data folder"};
  while (!key.empty() && (key.back() == '\r' || key.back() == ' '))
    key.pop_back();
  return key;
}

} // namespace sluice::bench
