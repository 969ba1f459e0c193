// The streams of the push hub: what each kind has to say, and when.
#pragma once

#include "http/push_hub.hpp"
#include "http/views.hpp"

#include <map>

namespace sluice::http {

/// Writes events to one client. At most one write under way; while it is, only the newest event is kept.
class push_stream : public std::enable_shared_from_this<push_stream> {
public:
  push_stream(push_hub& hub, client_socket socket) : hub_{hub}, socket_{std::move(socket)} {}

  virtual ~push_stream() = default;

  /// Writes the head of the answer and watches for the client to go.
  void begin(std::string_view request_id);
  /// Looks for something to say. Called about ten times a second.
  virtual void look(std::chrono::steady_clock::time_point now) = 0;

  /// Whose reservations it hears of, by `changed`. Empty: nobody's.
  virtual const claims* listener() const { return nullptr; }

  virtual void changed(const domain::reservation_update&) {}

  bool over() const { return over_; }

  /// It takes no more just now; one that takes nothing for `patience` is cut off, and resumes where it comes back.
  bool is_busy(std::chrono::steady_clock::time_point now, std::chrono::milliseconds patience);

  std::string address; // counted against the connections per address; empty: exempt

  void keep_alive(std::chrono::steady_clock::time_point now);
  void close();

protected:
  /// Sends one event. `last`: the stream ends after it.
  void send(std::string_view event, std::string_view id, std::string_view json, bool last = false);
  /// One reservation as a `booking`.
  void send_booking(std::string_view id, const plan_view& plan, const domain::reservation_reply& r, bool last = false);

  push_hub& hub_;

  requester& partitions();

private:
  void write(std::string bytes);
  void write_on();
  void watch();

  client_socket socket_;
  std::string out_;
  std::size_t done_ = 0;
  std::string next_; // what came while a write is under way; bounded
  std::chrono::steady_clock::time_point spoken_{};
  std::chrono::steady_clock::time_point taken_{}; // when the client last took something
  bool writing_ = false;
  bool last_ = false;
  bool over_ = false;
  std::array<char, 64> ignored_{};
};

/// That a payment was settled is said once, and may be lost with the leader that said it: while one runs, those who wait
/// for it look now and then.
class settlement_watch {
public:
  /// True for the first look, and every few seconds while `pending`.
  bool is_due(std::chrono::steady_clock::time_point now, bool pending) {
    constexpr std::chrono::seconds every{3};
    if (looked_ != std::chrono::steady_clock::time_point{} && (!pending || now - looked_ < every))
      return false;
    looked_ = now;
    return true;
  }

private:
  std::chrono::steady_clock::time_point looked_{};
};

/// The own place: `position`, `admitted`, `expired`, `notice`; and the user's reservations: `booking`.
class ticket_stream final : public push_stream {
public:
  ticket_stream(push_hub& hub, client_socket socket, const call_ptr& c);
  void look(std::chrono::steady_clock::time_point now) override;
  void changed(const domain::reservation_update& update) override;

  const claims* listener() const override { return &who_; }

private:
  void say(const ticket_view& v, std::chrono::steady_clock::time_point now);
  void tell_bookings();
  void tell_booking(const domain::reservation_reply& r);

  std::shared_ptr<event_view> event_;
  claims who_;
  std::string known_;
  std::string text_;
  domain::ticket_state state_{};
  std::uint64_t seen_ = 0;
  std::chrono::steady_clock::time_point said_{};
  std::chrono::steady_clock::time_point ask_again_{};
  bool asking_ = false;
  std::map<reservation_id, domain::reservation_reply> told_; // as said last
  settlement_watch watch_;
};

/// The shared board: `status`.
class status_stream final : public push_stream {
public:
  status_stream(push_hub& hub, client_socket socket, const call_ptr& c);
  void look(std::chrono::steady_clock::time_point now) override;

private:
  std::shared_ptr<event_view> event_;
  std::uint64_t seen_ = ~0ull;
  std::chrono::steady_clock::time_point said_{};
};

/// Seats that changed: `seats`, by version; the first event carries every seat that is not available.
class seats_stream final : public push_stream {
public:
  seats_stream(push_hub& hub, client_socket socket, const call_ptr& c);
  void look(std::chrono::steady_clock::time_point now) override;

private:
  std::shared_ptr<event_view> event_;
  std::uint64_t seen_ = ~0ull;
  std::vector<std::vector<domain::seat_status>> known_; // by block
  std::vector<domain::stock_counts> counts_;
};

/// One reservation: `booking`, until it is settled.
class reservation_stream final : public push_stream {
public:
  reservation_stream(push_hub& hub, client_socket socket, const call_ptr& c, const reservation_id& id);
  void look(std::chrono::steady_clock::time_point now) override;
  void changed(const domain::reservation_update& update) override;

  const claims* listener() const override { return &who_; }

private:
  void say(const domain::reservation_reply& r);

  std::shared_ptr<event_view> event_;
  claims who_;
  reservation_id id_;
  domain::reservation_reply known_;
  settlement_watch watch_;
};

} // namespace sluice::http
