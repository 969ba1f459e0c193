// A line another node dialled: we hear on it, and answer only pings.
#pragma once

#include "cluster/link/links.hpp"

namespace sluice::link {

/// All on the links' thread.
class links::incoming : public std::enable_shared_from_this<links::incoming> {
public:
  incoming(links& owner, tcp::socket socket);

  void start();
  void close();

  node_id from() const { return from_; }

private:
  void take_hello(const std::string& body);
  void let_in(const std::string& name, const std::string& request);
  void answer(std::string welcome, bool stay);
  void listen();
  void take(const std::string& envelope);
  void pong();

  links& owner_;
  channel channel_;
  asio::steady_timer patience_;
  node_id from_;
  std::uint64_t incarnation_ = 0;
  std::string answer_;
  bool writing_ = false;
  bool closed_ = false;
};

} // namespace sluice::link
