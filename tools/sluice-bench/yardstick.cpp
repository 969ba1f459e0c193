#include "sluice-bench/yardstick.hpp"

#include "sluice-bench/plain_client.hpp"
#include "sluice-bench/stages.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 1> requests_made{"get"};

/// The same GET over and over.
class get_load final : public workload {
public:
  explicit get_load(const target& to) : request_{"GET / HTTP/1.1\r\nHost: " + to.host + "\r\n\r\n"} {}

  std::span<const std::string_view> kinds() const override { return requests_made; }

  step begin(lane_number, time_point) override { return step::send(0, request_); }

  step answered(lane_number, const answer& a, time_point) override {
    return a.status == 200 ? step::finished() : step::failed();
  }

private:
  std::string request_;
};

std::string needed(const std::string& program) {
  auto found = installed_program(program);
  if (found.empty())
    throw std::runtime_error{program + " is not installed (Debian: apt-get install " + program + ")"};
  return found;
}

} // namespace

nginx_server::nginx_server() {
  auto program = needed("nginx");
  auto port = free_port();
  auto at = "127.0.0.1:" + std::to_string(port);
  auto folder = folder_.path().string();
  // One process that is master and worker at once: nothing is left behind if it has to be killed.
  std::ofstream{folder_.path() / "nginx.conf"}
      << "daemon off;\nmaster_process off;\nworker_processes 1;\npid " << folder << "/nginx.pid;\nerror_log " << folder
      << "/error.log;\nevents { worker_connections 16384; }\nhttp {\n  access_log off;\n  keepalive_requests "
         "1000000000;\n"
      << "  client_body_temp_path " << folder << "/b;\n  proxy_temp_path " << folder << "/p;\n  fastcgi_temp_path "
      << folder << "/f;\n  uwsgi_temp_path " << folder << "/u;\n  scgi_temp_path " << folder
      << "/s;\n  server {\n    listen " << at << " backlog=4096;\n    location / { return 200 \"ok\"; }\n  }\n}\n";
  nginx_ = child_process{{program, "-p", folder, "-c", folder + "/nginx.conf"}, {{}, folder_.path() / "nginx.err"}};
  to_ = target_from(at);
  if (!wait_until_up(to_, "/", 10s))
    throw std::runtime_error{"nginx did not come up"};
}

double wrk_rate(const target& to, unsigned connections, unsigned seconds) {
  auto text = output_of({needed("wrk"), "-t1", "-c" + std::to_string(connections), "-d" + std::to_string(seconds) + "s",
                         "http://" + to.host + "/"},
                        std::chrono::seconds{seconds + 20});
  const std::string label = "Requests/sec:";
  auto at = text.find(label);
  if (at == std::string::npos)
    throw std::runtime_error{"wrk said nothing of use: " + text};
  return std::strtod(text.c_str() + at + label.size(), nullptr);
}

stage_report own_rate(const target& to, unsigned connections, double seconds) {
  stage_settings s;
  s.to = to;
  s.connections = connections;
  s.warm_up = 300ms;
  s.length = options::in_nanoseconds(seconds);
  get_load work{to};
  stage_report r;
  r.name = "nginx";
  r.connections = connections;
  r.figures = run_stage(s, work);
  return r;
}

yardstick_figures yardstick(report& r, unsigned connections, unsigned seconds, bool own_client) {
  nginx_server nginx;
  yardstick_figures f;
  auto cpu = look_at(nginx.pid()).cpu_seconds;
  if (own_client) {
    auto s = own_rate(nginx.to(), connections, seconds);
    f.per_second = s.requests_per_second();
    r.add(std::move(s));
  } else {
    f.per_second = wrk_rate(nginx.to(), connections, seconds);
  }
  cpu = look_at(nginx.pid()).cpu_seconds - cpu;
  f.cpu_microseconds = 1e6 * cpu / (f.per_second * seconds);
  r.say("nginx, 1 worker, " + std::string{own_client ? "own client" : "wrk -t1"} + " -c" + std::to_string(connections) +
        ": " + grouped(f.per_second) + "/s, " + grouped(f.cpu_microseconds) + " us CPU a request");
  return f;
}

} // namespace sluice::bench
