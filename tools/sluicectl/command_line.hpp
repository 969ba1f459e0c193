// The command line: what may be said, and what is done about it.
#pragma once

#include "failure.hpp"

namespace sluice::ctl {

/// Runs one command. Prints mistakes itself.
exit_code run_command_line(int argc, const char* const* argv);

} // namespace sluice::ctl
