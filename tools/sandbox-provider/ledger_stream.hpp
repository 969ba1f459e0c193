// Sends the ledger file over a connection, a piece at a time, while calls go on.
#pragma once

#include "http/connection.hpp"

#include <cstdint>
#include <filesystem>

namespace sluice::sandbox {

/// The first `size` bytes as NDJSON. Ends by itself; a client that stops reading is cut off.
void stream_ledger(http::tcp_socket socket, const std::filesystem::path& file, std::uint64_t size);

} // namespace sluice::sandbox
