// Certificates for the wire between nodes: one authority per cluster, one certificate per node, good for both ends of a
// connection. The subject is the node's name: nodes check it against their list, whatever the address.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::ctl {

struct made_certificates {
  bool new_authority = false;
  std::vector<std::filesystem::path> files; // in the order written
};

/// Writes NAME.crt and NAME.key for every name into `folder`, signed by the authority there (ca.crt, ca.key), which is
/// made if there is none. Keys can be read by their owner only. Throws a failure and writes nothing if a name is unfit
/// or given twice, a file of that name exists, or the authority is incomplete, damaged or expired.
made_certificates make_cluster_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names);

} // namespace sluice::ctl
