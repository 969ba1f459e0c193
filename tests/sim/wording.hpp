// Facts, messages and replies as a line of a trace.
#pragma once

#include "cluster/raft/types.hpp"
#include "domain/facts.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"

#include <string>

namespace sluice::simulation {

std::string words_for(const domain::fact& f);
std::string words_for(const domain::message& m);
std::string words_for(const domain::reply& r);
std::string words_for(const raft::message& m);

} // namespace sluice::simulation
