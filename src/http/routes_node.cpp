// The node itself: health, metrics, the specification, keys for verifiers, and the page.
#include "http/pages.hpp"
#include "http/routes.hpp"

namespace sluice::http::routes {

namespace {

void answer_file(bridge& b, const call_ptr& c, std::string_view name) {
  for (const auto& file : embedded_files()) {
    if (file.name != name)
      continue;
    response r;
    r.content_type = file.content_type;
    r.cacheable = true;
    r.field("Cache-Control", "no-cache").field("ETag", file.etag);
    r.field("X-Content-Type-Options", "nosniff").field("Referrer-Policy", "no-referrer");
    r.field("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                       "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                       "frame-ancestors 'none'");
    if (c->req.if_none_match == file.etag)
      r.status = 304;
    else
      r.body = file.bytes;
    return b.answer(c, std::move(r));
  }
  b.fail(c, errc::not_found, "there is nothing at this path");
}

} // namespace

void healthz(bridge& b, const call_ptr& c) {
  b.answer_json(c, 200, R"({"status":"alive"})");
}

void readyz(bridge& b, const call_ptr& c) {
  auto reasons = b.services().node.not_ready();
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("ready", reasons.empty()).key("reasons").begin_array();
  for (const auto& reason : reasons)
    w.string(reason);
  w.end_array().end_object();
  response r;
  r.status = reasons.empty() ? 200 : 503;
  r.body = std::move(text);
  if (!reasons.empty())
    r.field("Retry-After", "1");
  b.answer(c, std::move(r));
}

void metrics(bridge& b, const call_ptr& c) {
  response r;
  r.content_type = "text/plain; version=0.0.4";
  r.body = b.services().node.metrics();
  b.answer(c, std::move(r));
}

void openapi(bridge& b, const call_ptr& c) {
  answer_file(b, c, "openapi.json");
}

void docs(bridge& b, const call_ptr& c) {
  answer_file(b, c, "docs.html");
}

void jwks(bridge& b, const call_ptr& c) {
  auto secrets = b.services().secrets();
  if (!secrets)
    return b.fail(c, errc::node_not_ready, "the node is starting");
  response r;
  r.body = secrets->keys->jwks();
  r.cacheable = true;
  r.field("Cache-Control", "public, max-age=300");
  b.answer(c, std::move(r));
}

void page(bridge& b, const call_ptr& c) {
  answer_file(b, c, c->parameters.empty() ? std::string_view{"index.html"} : std::string_view{c->parameters.front()});
}

} // namespace sluice::http::routes
