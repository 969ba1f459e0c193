#include "http/push_stream.hpp"

#include "core/text_id.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>

namespace sluice::http {

namespace {

constexpr std::chrono::seconds silence_max{15};
constexpr std::size_t behind_max = std::size_t{64} * 1024; // bytes kept for a slow client
constexpr std::chrono::seconds position_every{1};          // the front moves ten times a second; people read slower

/// The provider's word is still to come.
bool awaits_provider(const domain::reservation_reply& r) {
  return r.state == domain::reservation_state::paying || r.state == domain::reservation_state::refund_pending;
}

} // namespace

// ---- the stream ------------------------------------------------------------------------------------------------------

requester& push_stream::partitions() {
  return *hub_.requester_;
}

void push_stream::begin(std::string_view request_id) {
  std::string head = "HTTP/1.1 200 OK\r\nDate: ";
  head += http_date();
  head += "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\nConnection: "
          "close\r\nX-Request-ID: ";
  head += request_id;
  head += "\r\n\r\n";
  // When a node goes, its clients come back over some seconds, not all at once.
  std::uint16_t jitter = 0;
  fill_random(&jitter, sizeof(jitter));
  head += "retry: " + std::to_string(1'000 + jitter % 4'000) + "\n\n";
  spoken_ = std::chrono::steady_clock::now();
  write(std::move(head));
  if (!over_)
    watch();
}

bool push_stream::is_busy(std::chrono::steady_clock::time_point now, std::chrono::milliseconds patience) {
  if (writing_ && now - taken_ >= patience)
    close();
  return writing_;
}

void push_stream::keep_alive(std::chrono::steady_clock::time_point now) {
  if (!over_ && !writing_ && now - spoken_ >= silence_max) {
    spoken_ = now;
    write(": still here\n\n");
  }
}

void push_stream::send(std::string_view event, std::string_view id, std::string_view json, bool last) {
  std::string bytes = "event: ";
  bytes += event;
  if (!id.empty()) {
    bytes += "\nid: ";
    bytes += id;
  }
  bytes += "\ndata: ";
  bytes += json;
  bytes += "\n\n";
  last_ = last_ || last;
  spoken_ = std::chrono::steady_clock::now();
  write(std::move(bytes));
}

void push_stream::send_booking(std::string_view id, const plan_view& plan, const domain::reservation_reply& r,
                               bool last) {
  std::string json;
  codec::json_writer w{json};
  write_reservation(w, plan, r);
  send("booking", id, json, last);
}

void push_stream::write(std::string bytes) {
  if (over_)
    return;
  if (writing_) {
    // Little comes here, since a busy stream is not looked at: bookings, and the second of two events.
    next_ += bytes;
    if (next_.size() > behind_max)
      close(); // it comes back and is told everything anew
    return;
  }
  out_ = std::move(bytes);
  done_ = 0;
  taken_ = spoken_;
  write_on();
}

void push_stream::write_on() {
  for (;;) {
    boost::system::error_code ec;
    auto size = socket_.write_some(asio::buffer(out_.data() + done_, out_.size() - done_), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
      writing_ = true;
      socket_.async_wait_writable([self = shared_from_this()](const boost::system::error_code& failed) {
        if (failed || self->over_)
          return self->close();
        self->taken_ = std::chrono::steady_clock::now();
        self->write_on();
      });
      return;
    }
    if (ec)
      return close();
    done_ += size;
    if (done_ < out_.size())
      continue;
    writing_ = false;
    out_.clear();
    if (next_.empty())
      break;
    out_ = std::exchange(next_, {});
    done_ = 0;
  }
  if (last_)
    close();
}

void push_stream::watch() {
  // Nothing is expected from the client; the end of its side is how we learn that it went.
  socket_.async_read_some(asio::buffer(ignored_),
                          [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
                            if (ec)
                              return self->close();
                            self->watch();
                          });
}

void push_stream::close() {
  if (over_)
    return;
  over_ = true;
  socket_.shutdown_send();
  socket_.close();
}

// ---- the own place ---------------------------------------------------------------------------------------------------

ticket_stream::ticket_stream(push_hub& hub, client_socket socket, const call_ptr& c)
    : push_stream{hub, std::move(socket)}, event_{c->event}, who_{c->who} {}

void ticket_stream::look(std::chrono::steady_clock::time_point now) {
  bool pays = std::any_of(told_.begin(), told_.end(), [](const auto& b) { return awaits_provider(b.second); });
  if (pays && watch_.is_due(now, true))
    tell_bookings();
  auto changes = event_->board_changes();
  if (asking_ || changes == seen_)
    return;
  if (!event_->plan())
    return close(); // the event was removed
  if (auto v = look_up(*event_, who_.ticket)) {
    bool dull = v->state == state_ && v->text == text_;
    if (dull && now - said_ < position_every)
      return; // not marked as seen: said a little later
    seen_ = changes;
    return say(*v, now);
  }
  if (now < ask_again_)
    return;
  seen_ = changes;
  asking_ = true;
  ask_again_ = now + std::chrono::milliseconds{500};
  auto self = std::static_pointer_cast<ticket_stream>(shared_from_this());
  partitions().ask(entity_ref::of_event(event_->number()), domain::ask_ticket{who_.user, who_.ticket},
                   [self](const domain::reply& reply, log_index version) {
                     self->asking_ = false;
                     if (const auto* ticket = std::get_if<domain::ticket_reply>(&reply))
                       self->say(combine(*self->event_, *ticket, version), std::chrono::steady_clock::now());
                     else
                       self->seen_ = 0; // ask again
                   });
}

void ticket_stream::say(const ticket_view& v, std::chrono::steady_clock::time_point now) {
  auto tag = etag_of(v);
  if (tag == known_)
    return;
  // Who comes back inside, or after it, hears of the bookings made meanwhile.
  if (known_.empty() && v.state != domain::ticket_state::waiting)
    tell_bookings();
  known_ = tag;
  said_ = now;
  std::string json;
  write_ticket(json, v, {});
  auto id = std::to_string(v.version);
  if (v.text != text_) {
    text_ = v.text;
    std::string notice;
    codec::json_writer{notice}.begin_object().field("message", v.text).end_object();
    send("notice", id, notice);
  }
  bool news = v.state != state_;
  state_ = v.state;
  switch (v.state) {
  case domain::ticket_state::admitted:
  case domain::ticket_state::active:
    if (news)
      send("admitted", id, json);
    return;
  case domain::ticket_state::waiting:
    return send("position", id, json);
  case domain::ticket_state::completed:
  case domain::ticket_state::left:
  case domain::ticket_state::expired:
    // The browser would reconnect to a stream that only ends: say so, and let the page close it.
    return send("expired", id, json, v.phase != domain::event_phase::closed);
  }
}

void ticket_stream::changed(const domain::reservation_update& update) {
  tell_booking(update.reservation);
}

void ticket_stream::tell_booking(const domain::reservation_reply& r) {
  auto plan = event_->plan();
  auto [known, is_new] = told_.try_emplace(r.reservation, r);
  if (!plan || (!is_new && known->second == r))
    return;
  known->second = r;
  send_booking({}, *plan, r);
}

void ticket_stream::tell_bookings() {
  auto self = std::static_pointer_cast<ticket_stream>(shared_from_this());
  partitions().ask(entity_ref::of_session(event_->number(), who_.user), domain::ask_reservations{},
                   [self](const domain::reply& reply, log_index) {
                     if (const auto* told = std::get_if<domain::reservations_reply>(&reply))
                       for (auto r = told->reservations.rbegin(); r != told->reservations.rend(); ++r)
                         self->tell_booking(*r);
                   });
}

// ---- the shared board ------------------------------------------------------------------------------------------------

status_stream::status_stream(push_hub& hub, client_socket socket, const call_ptr& c)
    : push_stream{hub, std::move(socket)}, event_{c->event} {}

void status_stream::look(std::chrono::steady_clock::time_point now) {
  auto changes = event_->board_changes() + event_->stock_changes();
  if (changes == seen_ || now - said_ < std::chrono::milliseconds{500})
    return;
  auto plan = event_->plan();
  if (!plan)
    return close();
  seen_ = changes;
  said_ = now;
  auto version = event_->with_board([](const serving_board& b) { return b.version(); });
  send("status", std::to_string(version), status_json(*event_, *plan));
}

// ---- seats -----------------------------------------------------------------------------------------------------------

seats_stream::seats_stream(push_hub& hub, client_socket socket, const call_ptr& c)
    : push_stream{hub, std::move(socket)}, event_{c->event} {}

void seats_stream::look(std::chrono::steady_clock::time_point) {
  auto changes = event_->stock_changes();
  if (changes == seen_)
    return;
  auto plan = event_->plan();
  if (!plan)
    return close();
  seen_ = changes;
  const auto& blocks = plan->placed().blocks;
  known_.resize(blocks.size());
  counts_.resize(blocks.size());
  std::string json;
  codec::json_writer w{json};
  log_index version = 0;
  bool news = false;
  w.begin_object().key("seats").begin_array();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    event_->with_block(blocks[i].number, [&](const block_view& b) {
      version = std::max(version, b.version);
      known_[i].resize(b.seats.size(), domain::seat_status::available);
      for (seat_index s = 0; s < b.seats.size() && s < blocks[i].seats.size(); ++s) {
        if (word_of(known_[i][s]) == word_of(b.seats[s]))
          continue;
        known_[i][s] = b.seats[s];
        news = true;
        w.begin_object().field("id", blocks[i].seats[s].id).field("status", word_of(b.seats[s])).end_object();
      }
    });
  w.end_array().key("places").begin_array();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    event_->with_block(blocks[i].number, [&](const block_view& b) {
      if (counts_[i] == b.counts || blocks[i].retired)
        return;
      counts_[i] = b.counts;
      news = true;
      w.begin_object().field("id", blocks[i].id);
      write_counts(w, b.counts);
      w.end_object();
    });
  w.end_array().field("version", version).end_object();
  if (news)
    send("seats", std::to_string(version), json);
}

// ---- one reservation ---------------------------------------------------------------------------------------------------

reservation_stream::reservation_stream(push_hub& hub, client_socket socket, const call_ptr& c, const reservation_id& id)
    : push_stream{hub, std::move(socket)}, event_{c->event}, who_{c->who}, id_{id} {}

void reservation_stream::look(std::chrono::steady_clock::time_point now) {
  if (!watch_.is_due(now, awaits_provider(known_)))
    return;
  auto self = std::static_pointer_cast<reservation_stream>(shared_from_this());
  partitions().ask(entity_ref::of_session(event_->number(), who_.user), domain::ask_reservation{id_},
                   [self](const domain::reply& reply, log_index) {
                     if (const auto* r = std::get_if<domain::reservation_reply>(&reply))
                       self->say(*r);
                     else
                       self->close();
                   });
}

void reservation_stream::changed(const domain::reservation_update& update) {
  if (update.reservation.reservation == id_)
    say(update.reservation);
}

void reservation_stream::say(const domain::reservation_reply& r) {
  auto plan = event_->plan();
  if (!plan)
    return close();
  if (r == known_)
    return;
  known_ = r;
  using state = domain::reservation_state;
  bool last = r.state == state::failed || r.state == state::cancelled || r.state == state::refunded;
  send_booking(std::to_string(to_ms(r.changed)), *plan, r, last);
}

} // namespace sluice::http
