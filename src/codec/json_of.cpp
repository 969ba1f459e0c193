#include "codec/json_of.hpp"

#include <google/protobuf/util/json_util.h>

namespace sluice::codec {

std::string json_of(const google::protobuf::Message& message) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}";
}

} // namespace sluice::codec
