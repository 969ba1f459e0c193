// Event definitions as Protobuf.
#pragma once

#include "domain/event_definition.hpp"
#include "sluice/event_definition.pb.h"

namespace sluice::codec {

void encode(const domain::event_definition& from, proto::EventDefinition& to);
domain::event_definition decode(const proto::EventDefinition& from);
void encode(const domain::admission_settings& from, proto::AdmissionSettings& to);
domain::admission_settings decode(const proto::AdmissionSettings& from);
void encode(const domain::admission_patch& from, proto::AdmissionPatch& to);
domain::admission_patch decode(const proto::AdmissionPatch& from);

} // namespace sluice::codec
