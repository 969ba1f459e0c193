#include "core/packed_bytes.hpp"

#include <memory>

#include <zstd.h>

namespace sluice {

namespace {

constexpr char as_it_is = 0;
constexpr char zstd = 1;
// The fastest: between nodes of one network the disk and the link keep up with no more.
constexpr int zstd_level = 1;

struct free_context {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }

  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

} // namespace

std::string pack(std::string_view bytes) {
  // A context is a megabyte that is best kept; few threads ever make one.
  thread_local std::unique_ptr<ZSTD_CCtx, free_context> context{ZSTD_createCCtx()};
  std::string packed(1 + ZSTD_compressBound(bytes.size()), '\0');
  auto size =
      ZSTD_compressCCtx(context.get(), packed.data() + 1, packed.size() - 1, bytes.data(), bytes.size(), zstd_level);
  if (ZSTD_isError(size) || size >= bytes.size()) {
    packed.assign(1, as_it_is);
    packed += bytes;
    return packed;
  }
  packed[0] = zstd;
  packed.resize(1 + size);
  packed.shrink_to_fit();
  return packed;
}

std::optional<std::string> unpack(std::string_view packed, std::size_t bytes_max) {
  if (packed.empty())
    return std::nullopt;
  auto rest = packed.substr(1);
  if (packed[0] == as_it_is)
    return rest.size() <= bytes_max ? std::make_optional<std::string>(rest) : std::nullopt;
  if (packed[0] != zstd)
    return std::nullopt;
  // Also the two values for "unknown" and "no zstd at all" are above the bound.
  auto size = ZSTD_getFrameContentSize(rest.data(), rest.size());
  if (size > bytes_max)
    return std::nullopt;
  thread_local std::unique_ptr<ZSTD_DCtx, free_context> context{ZSTD_createDCtx()};
  std::string bytes(size, '\0');
  auto made = ZSTD_decompressDCtx(context.get(), bytes.data(), bytes.size(), rest.data(), rest.size());
  if (ZSTD_isError(made) || made != size)
    return std::nullopt;
  return bytes;
}

} // namespace sluice
