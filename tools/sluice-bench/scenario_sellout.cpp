// sellout: many users buy an event empty, and then everything is counted twice.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/seat_book.hpp"
#include "sluice-bench/stages.hpp"

#include "event_text.hpp"

#include <CLI/CLI.hpp>

#include <mutex>
#include <thread>

namespace sluice::bench {

namespace {

struct sellout_wish {
  options all;
  std::string file;
  std::uint64_t seats = 20'000;
  std::uint32_t places = 0;
  std::uint32_t users_per_minute = 0;
  unsigned rounds = 10;
};

std::string put_event(node_under_test& node, const sellout_wish& w) {
  if (w.file.empty()) {
    event_wish wish;
    wish.id = fresh_name("sale");
    set_seats(wish, w.seats);
    wish.area_capacity = w.places;
    wish.limit_per_user = 4;
    wish.hold_ttl_seconds = 60;
    if (w.users_per_minute > 0)
      wish.users_per_minute = w.users_per_minute;
    make_event(node.admin(), wish);
    return wish.id;
  }
  auto file = ctl::read_events({w.file}).front();
  auto id = file.definition.id;
  node.admin().must("PUT", "/admin/v1/events/" + id, file.json());
  if (w.users_per_minute > 0)
    node.admin().must("PATCH", "/admin/v1/events/" + id + "/admission",
                      "{\"usersPerMinute\":" + std::to_string(w.users_per_minute) + ",\"maxActiveUsers\":100000}");
  while (node.admin().get("/api/v1/events/" + id + "/availability").status != 200)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  return id;
}

struct counted {
  std::uint64_t available = 0;
  std::uint64_t held = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t capacity = 0;
};

counted count_stock(plain_client& client, const std::string& event) {
  counted sum;
  auto told = client.must("GET", "/api/v1/events/" + event + "/availability").json();
  for (const char* list : {"blocks", "areas"})
    for (const auto& place : told.find(list)->items) {
      auto number = [&](std::string_view name) { return static_cast<std::uint64_t>(place.find(name)->integer); };
      sum.available += number("available");
      sum.held += number("held");
      sum.confirmed += number("confirmed");
      sum.capacity += number("capacity");
    }
  return sum;
}

/// What the node says about itself against what users were told.
void check(report& r, node_under_test& node, const std::string& event, const seat_book& book,
           const event_stock& before) {
  auto& client = node.admin();
  auto stock = count_stock(client, event);
  r.add("soldByHistory", static_cast<double>(book.sold()), "seats and places");
  r.add("soldByNode", static_cast<double>(stock.confirmed), "seats and places");
  if (!book.sold_twice().empty())
    r.set_failed(std::to_string(book.sold_twice().size()) + " seats were sold to two users, such as " +
                 book.sold_twice().front());
  if (stock.available + stock.held != 0)
    r.set_failed("not sold out: " + std::to_string(stock.available) + " available, " + std::to_string(stock.held) +
                 " held");
  if (stock.confirmed != book.sold())
    r.set_failed("users were told of " + std::to_string(book.sold()) + " seats, the node confirmed " +
                 std::to_string(stock.confirmed));
  std::uint64_t seats_confirmed = 0;
  std::uint64_t unheard_of = 0;
  for (const auto& block : before.blocks) {
    auto told = client.must("GET", "/api/v1/events/" + event + "/blocks/" + block).json();
    for (const auto& seat : told.find("seats")->items)
      if (seat.find("status")->text == "CONFIRMED") {
        ++seats_confirmed;
        unheard_of += !book.owners().contains(seat.find("id")->text);
      }
  }
  if (unheard_of > 0 || seats_confirmed != book.owners().size())
    r.set_failed(std::to_string(unheard_of) + " confirmed seats belong to nobody who was told so");
  auto proof = client.must("GET", "/admin/v1/events/" + event + "/verify").json();
  const auto* ok = proof.find("ok");
  bool proven = ok != nullptr && ok->boolean;
  r.add("verify", proven ? "ok" : "NOT OK");
  if (!proven)
    r.set_failed("the node's own verify finds the sale in disorder");
}

int sellout(const sellout_wish& w) {
  report r{"sellout", w.all.json_file};
  node_under_test node{w.all, true};
  auto event = put_event(node, w);
  auto stock = read_stock(node.admin(), event);
  auto capacity = count_stock(node.admin(), event);
  if (capacity.available == 0)
    throw std::runtime_error{"the event " + event + " has nothing to sell"};
  std::vector<rush_source::area> areas;
  for (const auto& a : stock.areas)
    areas.push_back({a.id, a.available});
  seat_book book;
  std::atomic<std::uint64_t> next{0};
  visit_plan plan;
  plan.host = node.to().host;
  plan.events = {event};
  plan.user_prefix = fresh_name("b") + "-";
  plan.next_user = &next;
  plan.poll_at_most = std::chrono::milliseconds{500};
  plan.persistent = true;
  auto s = settings_for(w.all, node.to());
  s.warm_up = {};
  s.length = {};
  s.plan.reset();
  s.timeout = std::chrono::seconds{30};
  auto began = clock::now();
  // A seat that somebody held when a round looked may come back: then there is another round.
  for (unsigned round = 1; round <= w.rounds; ++round) {
    std::mutex lock;
    std::vector<std::unique_ptr<seat_source>> sources;
    if (round > 1)
      stock = read_stock(node.admin(), event);
    auto report_of_round = measured("round " + std::to_string(round), s, [&](unsigned t) {
      std::lock_guard guard{lock};
      sources.push_back(std::make_unique<rush_source>(stock.seats, areas, book, t + 1 + 100 * round));
      return std::make_unique<visitor>(plan, sources.back().get(), t);
    });
    r.add(std::move(report_of_round));
    auto left = count_stock(node.admin(), event);
    if (left.available + left.held == 0)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds{left.available > 0 ? 10 : 1'000});
  }
  auto seconds = std::chrono::duration<double>(clock::now() - began).count();
  r.add("soldOutSeconds", seconds, "s");
  r.add("seatsPerSecond", static_cast<double>(book.sold()) / seconds, "/s");
  r.add("users", static_cast<double>(next.load()), "");
  check(r, node, event, book, stock);
  return r.finish();
}

} // namespace

void add_sellout(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("sellout", "many users buy an event empty; then every seat is accounted for");
  auto w = std::make_shared<sellout_wish>();
  add_node_options(*sub, w->all);
  sub->add_option("-c,--connections", w->all.connections, "users at a time")
      ->capture_default_str()
      ->check(CLI::Range(1u, 60'000u));
  sub->add_option("-t,--threads", w->all.threads, "of the client")->capture_default_str()->check(CLI::Range(1u, 64u));
  sub->add_option("--file", w->file, "event file, YAML or JSON; it replaces an event of that id")
      ->check(CLI::ExistingFile);
  sub->add_option("--seats", w->seats, "without a file: seats of the event")
      ->capture_default_str()
      ->check(CLI::Range(1u, 200'000u));
  sub->add_option("--places", w->places, "without a file: places of its area")->capture_default_str();
  sub->add_option("--users-per-minute", w->users_per_minute, "outflow of the waiting room; 0: as the event says");
  sub->add_option("--rounds", w->rounds, "attempts at most to sell what came back")->capture_default_str();
  sub->callback([w, &chosen] { chosen = [w] { return sellout(*w); }; });
}

} // namespace sluice::bench
