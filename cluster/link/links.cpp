#include "cluster/link/links.hpp"

#include "cluster/link/incoming.hpp"
#include "cluster/link/outgoing.hpp"
#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <stdexcept>

#include <pthread.h>

namespace sluice::link {

namespace {

constexpr std::size_t greeting_lines_max = 64; // not known yet who they are

} // namespace

tcp::endpoint endpoint_from(const std::string& text) {
  auto colon = text.rfind(':');
  error_code ec;
  auto address = asio::ip::make_address(colon == std::string::npos ? std::string{} : text.substr(0, colon), ec);
  unsigned long port = 0;
  bool is_number = !ec && colon + 1 < text.size() &&
                   text.find_first_not_of("0123456789", colon + 1) == std::string::npos && text.size() - colon <= 6;
  if (is_number)
    port = std::stoul(text.substr(colon + 1));
  if (!is_number || port > 65535)
    throw std::runtime_error{"'" + text + "' is not an address and a port such as 127.0.0.1:7080"};
  return {address, static_cast<std::uint16_t>(port)};
}

links::links(settings options, listener& hears) : options_{std::move(options)}, hears_{hears} {
  tls_ = make_tls(options_.tls);
  auto at = endpoint_from(options_.listen);
  error_code ec;
  acceptor_.open(at.protocol(), ec);
  if (!ec)
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, ec);
  if (!ec)
    acceptor_.bind(at, ec);
  if (!ec)
    acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec)
    throw std::runtime_error{"can not listen for peers on " + options_.listen + ": " + ec.message()};
  port_ = acceptor_.local_endpoint().port();
}

links::~links() {
  stop();
}

void links::start() {
  accept();
  thread_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "peers");
    auto work = asio::make_work_guard(context_);
    context_.run();
  }};
}

void links::stop() {
  if (stopping_.exchange(true))
    return;
  asio::post(context_, [this] {
    error_code ignored;
    acceptor_.close(ignored);
    accept_again_.cancel();
    std::map<node_id, std::shared_ptr<outgoing>> out;
    {
      std::lock_guard lock{lock_};
      out.swap(out_);
    }
    for (auto& [node, line] : out)
      line->stop();
    for (auto& line : std::exchange(greeting_, {}))
      line->close();
    auto in = std::exchange(in_, {});
    for (auto& [node, line] : in)
      line->close();
    context_.stop();
  });
  if (thread_.joinable())
    thread_.join();
}

void links::set_self(const self& who) {
  std::lock_guard lock{lock_};
  self_ = who;
}

void links::set_peers(std::vector<peer> peers) {
  asio::post(context_, [this, wanted = std::move(peers)] {
    if (stopping_)
      return;
    std::vector<std::shared_ptr<outgoing>> ended;
    std::vector<std::shared_ptr<outgoing>> begun;
    std::vector<std::shared_ptr<incoming>> unwelcome;
    {
      std::lock_guard lock{lock_};
      peers_ = wanted;
      for (auto at = out_.begin(); at != out_.end();) {
        if (std::find(wanted.begin(), wanted.end(), at->second->to()) != wanted.end()) {
          ++at;
          continue;
        }
        ended.push_back(std::move(at->second));
        at = out_.erase(at);
      }
      for (const auto& p : wanted) {
        if (p.node == self_.node || out_.contains(p.node))
          continue;
        begun.push_back(std::make_shared<outgoing>(*this, p));
        out_[p.node] = begun.back();
      }
      for (auto& [node, line] : in_)
        if (std::none_of(wanted.begin(), wanted.end(), [n = node](const peer& p) { return p.node == n; }))
          unwelcome.push_back(line);
    }
    for (auto& line : ended) {
      auto was_open = line->is_open();
      line->stop();
      if (was_open)
        hears_.lost(line->to().node);
    }
    for (auto& line : unwelcome)
      line->close();
    for (auto& line : begun)
      line->start();
  });
}

// ---- sending ---------------------------------------------------------------------------------------------------------

std::shared_ptr<links::outgoing> links::line_to(node_id to) const {
  std::lock_guard lock{lock_};
  auto known = out_.find(to);
  return known == out_.end() ? nullptr : known->second;
}

bool links::send(node_id to, std::string_view item) {
  auto line = line_to(to);
  if (line && line->send(item, options_.queue_max))
    return true;
  ++refused_;
  return false;
}

void links::send_or_break(node_id to, std::string_view item) {
  auto line = line_to(to);
  if (!line || !line->is_open() || line->send(item, options_.must_queue_max))
    return;
  ++refused_;
  asio::post(context_, [line] { line->reset("it can not keep up"); });
}

void links::send_to_all(std::string_view item) {
  std::vector<node_id> open;
  {
    std::lock_guard lock{lock_};
    for (const auto& [node, line] : out_)
      if (line->is_open())
        open.push_back(node);
  }
  for (auto node : open)
    send_or_break(node, item);
}

bool links::is_open(node_id to) const {
  auto line = line_to(to);
  return line && line->is_open();
}

bool links::reads_packed(node_id to) const {
  auto line = line_to(to);
  return line && line->is_open() && line->reads_packed();
}

figures links::count() const {
  figures f{bytes_sent_, bytes_received_, envelopes_sent_, envelopes_received_, refused_, lines_lost_, 0};
  std::lock_guard lock{lock_};
  for (const auto& [node, line] : out_)
    f.queued += line->queued();
  return f;
}

// ---- hearing ---------------------------------------------------------------------------------------------------------

void links::accept() {
  acceptor_.async_accept([this](const error_code& e, tcp::socket socket) {
    if (stopping_)
      return;
    if (e) { // out of descriptors, most likely: others will close some
      accept_again_.expires_after(std::chrono::milliseconds{100});
      accept_again_.async_wait([this](const error_code& cancelled) {
        if (!cancelled)
          accept();
      });
      return;
    }
    if (greeting_.size() < greeting_lines_max) {
      auto line = std::make_shared<incoming>(*this, std::move(socket));
      greeting_.insert(line);
      line->start();
    }
    accept();
  });
}

std::string links::refuse(const proto::Hello& hello, const std::string& certified) const {
  std::lock_guard lock{lock_};
  if (hello.protocol() != 1)
    return "protocol " + std::to_string(hello.protocol()) + " is not spoken here";
  if (self_.cluster.empty())
    return "this node is not part of a cluster yet";
  if (hello.cluster() != self_.cluster)
    return "this is cluster " + self_.cluster + ", not " + hello.cluster();
  if (hello.epoch() != self_.epoch)
    return "this cluster is in epoch " + std::to_string(self_.epoch) + ", not " + std::to_string(hello.epoch());
  if (hello.to() != self_.node.value)
    return "this is node " + std::to_string(self_.node.value) + ", not " + std::to_string(hello.to());
  auto known = std::find_if(peers_.begin(), peers_.end(), [&](const peer& p) { return p.node.value == hello.node(); });
  if (known == peers_.end())
    return "node " + std::to_string(hello.node()) + " is not in this cluster";
  if (known->name != hello.name() || (tls_ && certified != known->name))
    return "node " + std::to_string(hello.node()) + " is called '" + known->name + "', not '" +
           (tls_ ? certified : hello.name()) + "'";
  if (known->disk != hello.disk())
    return "the disk of node '" + known->name + "' was replaced by another; this one may not come back";
  return {};
}

/// Not at once: a newcomer may be known elsewhere a moment earlier. Then a line in ten seconds for each, with nothing in it that
/// could pass for another line.
void links::tell_refused(std::uint32_t node, const std::string& name, const std::string& why) {
  auto now = std::chrono::steady_clock::now();
  if (refused_lately_.size() >= greeting_lines_max && !refused_lately_.contains(node))
    refused_lately_.clear();
  auto& r = refused_lately_.try_emplace(node, refusals{now, {}}).first->second;
  if (r.first + std::chrono::seconds{3} > now || r.told + std::chrono::seconds{10} > now)
    return;
  r.told = now;
  auto plain = [](std::string text) {
    text.resize(std::min<std::size_t>(text.size(), 200));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
  };
  spdlog::warn("peer.refused node={} name={} why={}; if it belongs here, compare with sluicectl cluster status", node,
               plain(name), plain(why));
}

void links::heard_from(node_id node, const std::shared_ptr<incoming>& line) {
  greeting_.erase(line);
  refused_lately_.erase(node.value);
  auto before = std::exchange(in_[node], line);
  if (before)
    before->close(); // it dialled again
  hears_.renewed(node);
}

void links::gone(node_id node, const incoming* line) {
  auto known = in_.find(node);
  if (known == in_.end() || known->second.get() != line)
    return; // another one took its place
  in_.erase(known);
  if (!stopping_)
    hears_.lost(node);
}

// ---- joining ---------------------------------------------------------------------------------------------------------

std::string ask_to_join(const std::string& address, const tls_files& tls, const std::string& hello,
                        std::chrono::milliseconds patience) {
  asio::io_context context;
  auto secure = make_tls(tls);
  auto line = std::make_shared<channel>(tcp::socket{context}, secure);
  auto colon = address.rfind(':');
  if (colon == std::string::npos)
    throw std::runtime_error{"'" + address + "' is not host:port"};
  std::string answer;
  std::string why = "no answer in time";
  auto check = [&](const error_code& e, const char* doing) {
    if (e)
      why = std::string{doing} + ": " + e.message();
    return !e;
  };
  tcp::resolver resolver{context};
  error_code failed;
  auto where = resolver.resolve(address.substr(0, colon), address.substr(colon + 1), failed);
  if (failed)
    throw std::runtime_error{"can not find " + address + ": " + failed.message()};
  asio::async_connect(line->socket(), where, [&](const error_code& e, const auto&) {
    if (!check(e, "can not connect"))
      return;
    line->handshake(true, [&](const error_code& e2) {
      if (!check(e2, "the TLS handshake failed"))
        return;
      line->write(hello, [&](const error_code& e3) {
        if (!check(e3, "it closed the line"))
          return;
        line->read(greeting_max, [&](const error_code& e4, std::string body) {
          if (check(e4, "it closed the line"))
            answer = std::move(body);
        });
      });
    });
  });
  context.run_for(patience);
  if (answer.empty())
    throw std::runtime_error{why};
  proto::Welcome welcome;
  if (!welcome.ParseFromString(answer))
    throw std::runtime_error{"it does not speak our language"};
  if (!welcome.refused().empty())
    throw std::runtime_error{welcome.refused()};
  return welcome.joined();
}

} // namespace sluice::link
