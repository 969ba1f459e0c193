// The event file: what an operator writes as YAML, and what the admin API takes and gives as JSON. One shape for both.
#pragma once

#include "codec/document.hpp"
#include "domain/event_definition.hpp"

#include <string>
#include <vector>

namespace sluice::codec {

/// Reads a whole definition, checks included. `errors` holds every mistake found, with line where the document has lines;
/// the definition is usable only if there are none.
domain::event_definition read_event_file(const document& file, std::vector<document_error>& errors);

/// Reads `{usersPerMinute, maxActiveUsers, …}`.
domain::admission_patch read_admission_patch(const document& body, std::vector<document_error>& errors);

/// The canonical form: every row and seat written out. Reading it back gives an equal definition.
std::string write_event_file(const domain::event_definition& definition);

} // namespace sluice::codec
