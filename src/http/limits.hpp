// Every limit of the HTTP edge, in one place and set explicitly.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::http {

struct server_limits {
  std::size_t target_bytes_max = 8 * 1024;         // beyond: 414
  std::size_t header_line_bytes_max = 8 * 1024;    // beyond: 431
  std::size_t header_bytes_max = 32 * 1024;        // request line and all fields; beyond: 431
  std::size_t header_fields_max = 100;             // beyond: 431
  std::size_t body_bytes_max = 64 * 1024;          // of most routes; beyond: 413 before the body is read
  std::size_t file_bytes_max = 48 * 1024 * 1024;   // of routes that take an event file, with a key that may use them
  std::size_t files_max = 4;                       // bodies larger than most at a time; beyond: 503
  std::size_t connections_max = 0;                 // 0: what the file descriptor limit allows, less a reserve
  std::size_t connections_per_address_max = 4096;  // loopback is exempt
  std::size_t in_flight_max = 20'000;              // requests waiting for a partition; beyond: 503
  std::size_t streams_max = 50'000;                // SSE connections; beyond: 503
  std::chrono::milliseconds header_timeout{5'000}; // from the first byte of a request to its last header byte
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds write_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};  // between requests
  std::chrono::milliseconds answer_timeout{5'000}; // for a partition to answer
  std::chrono::milliseconds wait_max{30'000};      // of long polls and Prefer: wait
};

} // namespace sluice::http
