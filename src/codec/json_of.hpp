// Protobuf as JSON, for people; ids show as base64.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace sluice::codec {

std::string json_of(const google::protobuf::Message& message);

} // namespace sluice::codec
