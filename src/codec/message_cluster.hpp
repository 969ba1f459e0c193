// The commands about nodes on their way into a log and back; a part of message.cpp.
#pragma once

#include "domain/messages.hpp"

#include <optional>

namespace sluice::proto {
class ActivateFeature;
class AddJoinToken;
class AnnounceNode;
class ChangeNode;
class FoundCluster;
class JoinCluster;
class Message;
class NoteDeed;
class SetReplication;
} // namespace sluice::proto

namespace sluice::codec {

void put(const domain::found_cluster& m, proto::Message& out);
void put(const domain::add_join_token& m, proto::Message& out);
void put(const domain::join_cluster& m, proto::Message& out);
void put(const domain::announce_node& m, proto::Message& out);
void put(const domain::change_node& m, proto::Message& out);
void put(const domain::set_replication& m, proto::Message& out);
void put(const domain::activate_feature& m, proto::Message& out);
void put(const domain::note_deed& m, proto::Message& out);

/// Empty when an enum is unknown or a time is none.
std::optional<domain::message> take(const proto::FoundCluster& p);
std::optional<domain::message> take(const proto::AddJoinToken& p);
std::optional<domain::message> take(const proto::JoinCluster& p);
std::optional<domain::message> take(const proto::AnnounceNode& p);
std::optional<domain::message> take(const proto::ChangeNode& p);
std::optional<domain::message> take(const proto::SetReplication& p);
std::optional<domain::message> take(const proto::ActivateFeature& p);
std::optional<domain::message> take(const proto::NoteDeed& p);

} // namespace sluice::codec
