#include "sluice-bench/node_under_test.hpp"

#include "sluice-bench/setup.hpp"

#include <fstream>
#include <stdexcept>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto start_patience = 60s;

std::string or_beside(const std::string& named, const std::string& name) {
  return named.empty() ? program_beside(name) : named;
}

} // namespace

own_node::own_node(const options& o, bool with_provider) : options_{o}, folder_{o.folder} {
  if (o.keep_folder)
    folder_.keep();
  std::filesystem::create_directories(data());
  if (with_provider)
    start_provider();
}

own_node::~own_node() {
  // The folder goes with it: nothing is worth a clean stop.
  node_.kill();
  provider_.kill();
}

void own_node::start_provider() {
  auto out = folder_.path() / "provider.out";
  provider_ = child_process{{or_beside(options_.provider_program, "sandbox-provider"), "--listen", "127.0.0.1:0",
                             "--data", (folder_.path() / "provider").string()},
                            {out, folder_.path() / "provider.log"}};
  provider_address_ = wait_for_line(out, "listening on ", 20s);
  if (provider_address_.empty())
    throw std::runtime_error{"the sandbox provider did not come up"};
}

double own_node::start(const std::vector<std::string>& further_words) {
  port_ = free_port();
  std::vector<std::string> words{or_beside(options_.node_program, "sluiced"),
                                 "--data",
                                 data().string(),
                                 "--listen",
                                 "127.0.0.1:" + std::to_string(port_),
                                 "--payment-provider",
                                 provider_address_};
  words.insert(words.end(), options_.node_words.begin(), options_.node_words.end());
  words.insert(words.end(), further_words.begin(), further_words.end());
  auto began = clock::now();
  node_ = child_process{words, {{}, folder_.path() / "node.log"}};
  auto to = target_from(url());
  while (!wait_until_up(to, "/readyz", 100ms))
    if (!node_.running() || clock::now() - began > start_patience)
      throw std::runtime_error{"the node did not come up: " + last_words()};
  return std::chrono::duration<double>(clock::now() - began).count();
}

std::string own_node::last_words() const {
  std::ifstream in{folder_.path() / "node.log"};
  std::string last;
  for (std::string line; std::getline(in, line);)
    last = line.empty() ? last : line;
  return last.empty() ? "it said nothing" : last;
}

void own_node::stop() {
  node_.stop();
}

void own_node::kill() {
  node_.kill();
}

std::string own_node::admin_key() const {
  return read_key((data() / "admin.key").string());
}

node_under_test::node_under_test(const options& o, bool with_provider) : options_{o} {
  if (o.start) {
    own_ = std::make_unique<own_node>(o, with_provider);
    own_->start();
  }
  to_ = target_from(own_ ? own_->url() : o.url);
  auto ready = plain_client{to_, 5s}.get("/readyz");
  if (ready.status == 0)
    throw std::runtime_error{"no node answers at " + o.url + "; start one with\n  sluiced --data var/node --listen " +
                             to_.host + "\nor let the bench start its own with --start"};
  if (ready.status != 200)
    throw std::runtime_error{"the node at " + o.url + " is not ready: " + ready.body};
}

node_under_test::node_under_test(const options& o, std::unique_ptr<own_node> started)
    : options_{o}, own_{std::move(started)}, to_{target_from(own_->url())} {}

plain_client& node_under_test::admin() {
  if (!admin_) {
    if (!own_ && options_.admin_key_file.empty())
      throw std::runtime_error{"events are made with the admin key: name its file with --admin-key-file "
                               "(admin.key in the node's data folder)"};
    admin_ = std::make_unique<plain_client>(to_);
    admin_->set_key(own_ ? own_->admin_key() : read_key(options_.admin_key_file));
  }
  return *admin_;
}

} // namespace sluice::bench
