// Backups of the live cluster, kept by the node that is asked.
#include "http/routes.hpp"

#include <boost/asio/post.hpp>

namespace sluice::http::routes {

void make_backup(bridge& b, const call_ptr& c) {
  const auto& make = b.services().node.make_backup;
  if (!make)
    return b.fail(c, errc::node_not_ready, "this node makes no backups");
  make([&b, c](std::string manifest, std::string error) {
    asio::post(b.context(), [&b, c, manifest = std::move(manifest), error = std::move(error)]() mutable {
      if (!error.empty())
        return b.fail(c, errc::node_not_ready, error);
      auto made = codec::parse_json(manifest);
      const auto* id = made ? made->find("id") : nullptr;
      note(b, c, "backup made", id != nullptr ? id->text : std::string{}, "on " + b.services().node.name,
           [&b, c, manifest] { b.answer_json(c, 201, manifest); });
    });
  });
}

void list_backups(bridge& b, const call_ptr& c) {
  const auto& list = b.services().node.list_backups;
  if (!list)
    return b.fail(c, errc::node_not_ready, "this node makes no backups");
  list([&b, c](std::string text) {
    asio::post(b.context(), [&b, c, text = std::move(text)]() mutable { b.answer_json(c, 200, std::move(text)); });
  });
}

} // namespace sluice::http::routes
