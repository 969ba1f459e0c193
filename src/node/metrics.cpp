// What /metrics shows, with prometheus-cpp's text form.
#include "node/node.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace sluice::node {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Puts families together sample by sample.
class exposition {
public:
  void gauge(const std::string& name, const std::string& help, double value,
             std::vector<ClientMetric::Label> labels = {}) {
    auto& m = add(name, help, MetricType::Gauge, std::move(labels));
    m.gauge.value = value;
  }

  void counter(const std::string& name, const std::string& help, double value,
               std::vector<ClientMetric::Label> labels = {}) {
    auto& m = add(name, help, MetricType::Counter, std::move(labels));
    m.counter.value = value;
  }

  ClientMetric& histogram(const std::string& name, const std::string& help, std::vector<ClientMetric::Label> labels) {
    return add(name, help, MetricType::Histogram, std::move(labels));
  }

  std::string text() const { return prometheus::TextSerializer{}.Serialize(families_); }

private:
  ClientMetric& add(const std::string& name, const std::string& help, MetricType type,
                    std::vector<ClientMetric::Label> labels) {
    for (auto& family : families_)
      if (family.name == name) {
        family.metric.emplace_back();
        family.metric.back().label = std::move(labels);
        return family.metric.back();
      }
    families_.push_back({name, help, type, {}});
    return add(name, help, type, std::move(labels));
  }

  std::vector<MetricFamily> families_;
};

std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void add_events(exposition& out, const http::read_models& models) {
  for (const auto& event : models.all()) {
    auto plan = event->plan();
    if (!plan)
      continue;
    std::vector<ClientMetric::Label> label{{"event", plan->definition().id}};
    domain::stock_counts total;
    for (const auto& block : plan->placed().blocks)
      event->with_block(block.number, [&](const http::block_view& b) {
        total.available += b.counts.available;
        total.held += b.counts.held;
        total.confirmed += b.counts.confirmed;
      });
    event->with_board([&](const http::serving_board& board) {
      const auto& f = board.figures();
      out.gauge("sluice_event_phase",
                "phase by number: 1 scheduled 3 open 4 queueing 5 paused 6 draining 7 sold out 8 closed",
                static_cast<double>(f.phase), label);
      out.gauge("sluice_line_waiting_users", "people waiting", f.waiting, label);
      out.gauge("sluice_line_active_users", "people let through and not done", f.active, label);
      out.counter("sluice_line_admitted_total", "people let through", static_cast<double>(f.admitted_total), label);
      out.counter("sluice_line_joined_total", "tickets given", f.last_ticket.value, label);
      out.counter("sluice_sold_total", "seats and places paid for, refunds subtracted", static_cast<double>(f.sold),
                  label);
      out.gauge("sluice_revenue_minor_units", "money captured, refunds subtracted", static_cast<double>(f.revenue),
                label);
      auto& h = out.histogram("sluice_line_wait_seconds", "how long people waited before they were let through", label)
                    .histogram;
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < board.waits().size(); ++i) {
        sum += board.waits()[i];
        auto bound =
            i < board.wait_bounds.size() ? board.wait_bounds[i] / 1000.0 : std::numeric_limits<double>::infinity();
        h.bucket.push_back({sum, bound});
      }
      h.sample_count = sum;
      h.sample_sum = static_cast<double>(board.wait_ms_total()) / 1000.0;
    });
    out.gauge("sluice_seats_available", "seats and places free", total.available, label);
    out.gauge("sluice_seats_held", "seats and places held", total.held, label);
    out.gauge("sluice_seats_confirmed", "seats and places confirmed", total.confirmed, label);
  }
}

void add_partitions(exposition& out, const std::vector<partition::status>& partitions) {
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    const auto& s = partitions[p];
    std::vector<ClientMetric::Label> label{{"partition", std::to_string(p)}};
    out.gauge("sluice_partition_leading", "1 if this node leads the partition", s.leading ? 1 : 0, label);
    out.gauge("sluice_partition_halted", "1 if it stands still, since the voters' states differ", s.halted ? 1 : 0,
              label);
    out.gauge("sluice_log_last_index", "last index of the log", static_cast<double>(s.consensus.last_index), label);
    out.gauge("sluice_log_applied_index", "last index applied", static_cast<double>(s.applied), label);
    out.gauge("sluice_log_backlog", "entries committed and not applied",
              static_cast<double>(s.consensus.commit_index - s.applied), label);
    out.gauge("sluice_commands_waiting", "commands not in the log yet", static_cast<double>(s.waiting_commands), label);
    out.counter("sluice_commands_total", "commands executed", static_cast<double>(s.commands_total), label);
    out.counter("sluice_commands_refused_total", "commands refused before the log",
                static_cast<double>(s.refused_total), label);
    out.gauge("sluice_entities_active", "entities in memory", static_cast<double>(s.active_entities), label);
    out.gauge("sluice_sagas_open", "charges awaiting the provider", static_cast<double>(s.open_effects), label);
    out.gauge("sluice_checkpoint_index", "index of the checkpoint in force", static_cast<double>(s.checkpoint_index),
              label);
  }
}

} // namespace

namespace {

void add_peers(exposition& out, cluster& peers) {
  auto lines = peers.lines().count();
  auto* transfer = peers.desk().transfer();
  auto transfers = transfer ? transfer->count() : actors::snapshot_transfer::figures{};
  auto desk = peers.desk().count();
  auto count = [](std::uint64_t n) { return static_cast<double>(n); };
  out.counter("sluice_peer_sent_bytes_total", "sent to other nodes", count(lines.bytes_sent));
  out.counter("sluice_peer_received_bytes_total", "received from other nodes", count(lines.bytes_received));
  out.counter("sluice_peer_sent_envelopes_total", "envelopes sent to other nodes", count(lines.envelopes_sent));
  out.counter("sluice_peer_received_envelopes_total", "envelopes received", count(lines.envelopes_received));
  out.counter("sluice_peer_refused_total", "items not taken, since no line was open or too much was waiting",
              count(lines.refused));
  out.counter("sluice_peer_lines_lost_total", "lines to other nodes that broke", count(lines.lines_lost));
  out.gauge("sluice_peer_queued_bytes", "waiting for other nodes", count(lines.queued));
  out.counter("sluice_peer_nonsense_total", "items of other nodes that made no sense", count(desk.nonsense));
  out.counter("sluice_peer_packed_bytes_total", "of entries sent to catch up, before they were compressed",
              count(desk.packed));
  out.counter("sluice_peer_packed_to_bytes_total", "of the same, after", count(desk.packed_to));
  out.counter("sluice_snapshots_pulled_total", "checkpoints fetched from other nodes", count(transfers.pulled));
  out.counter("sluice_snapshots_failed_total", "checkpoints that could not be fetched", count(transfers.failed));
  out.counter("sluice_snapshot_parts_given_total", "parts of checkpoints given to other nodes",
              count(transfers.parts_given));
  out.counter("sluice_snapshot_bytes_taken_total", "of checkpoints fetched, compressed", count(transfers.bytes_taken));
  out.gauge("sluice_snapshots_pulling", "checkpoints being fetched", count(transfers.pulling));
}

} // namespace

std::string metrics_text(const http::edge& edge, const http::read_models& models,
                         const std::vector<partition::status>& partitions, storage::log_writer& log,
                         const storage::log_store& store, const actors::desk_figures& desk,
                         const http::provider_client& provider, std::uint64_t in_flight, cluster& peers) {
  exposition out;
  add_events(out, models);
  add_partitions(out, partitions);
  add_peers(out, peers);
  auto written = log.count();
  out.gauge("sluice_log_writer_backlog", "batches waiting for the next sync", static_cast<double>(written.backlog));
  out.counter("sluice_fsync_total", "syncs of the log", static_cast<double>(written.syncs));
  out.counter("sluice_fsync_seconds_total", "time spent in them", static_cast<double>(written.sync_us_total) / 1e6);
  out.gauge("sluice_fsync_seconds_max", "longest one since the last scrape",
            static_cast<double>(written.sync_us_max) / 1e6);
  out.counter("sluice_log_bytes_total", "bytes written to the log", static_cast<double>(store.count().log_bytes));
  out.counter("sluice_checkpoint_bytes_total", "bytes written to checkpoints",
              static_cast<double>(store.count().piece_bytes));
  for (std::size_t i = 1; i < edge.figures.answers.size(); ++i)
    out.counter("sluice_http_answers_total", "answers by class of status", static_cast<double>(edge.figures.answers[i]),
                {{"status", std::to_string(i) + "xx"}});
  out.gauge("sluice_http_connections", "open connections", static_cast<double>(edge.figures.connections));
  out.gauge("sluice_http_streams", "open event streams", static_cast<double>(edge.figures.streams));
  out.counter("sluice_http_connections_total", "connections accepted",
              static_cast<double>(edge.figures.connections_total));
  out.counter("sluice_http_connections_refused_total", "connections turned away",
              static_cast<double>(edge.figures.connections_refused));
  out.counter("sluice_http_accept_errors_total", "failed accepts, most likely for want of descriptors",
              static_cast<double>(edge.figures.accept_errors));
  out.gauge("sluice_http_requests_in_flight", "requests waiting for a partition", static_cast<double>(in_flight));
  out.gauge("sluice_payments_under_way", "charges under way", static_cast<double>(desk.under_way));
  out.gauge("sluice_payments_waiting", "charges waiting to be sent", static_cast<double>(desk.waiting));
  out.counter("sluice_payment_calls_total", "calls to the provider", static_cast<double>(desk.calls),
              {{"kind", "charge"}});
  out.counter("sluice_payment_calls_total", "calls to the provider", static_cast<double>(desk.inquiries),
              {{"kind", "inquiry"}});
  out.counter("sluice_payment_outcomes_total", "charges settled", static_cast<double>(desk.done),
              {{"outcome", "done"}});
  out.counter("sluice_payment_outcomes_total", "charges settled", static_cast<double>(desk.refused),
              {{"outcome", "refused"}});
  out.counter("sluice_payment_outcomes_total", "charges settled", static_cast<double>(desk.unknown),
              {{"outcome", "unknown"}});
  out.counter("sluice_payment_timeouts_total", "calls without an answer in time",
              static_cast<double>(provider.count().timeouts));
  out.gauge("process_resident_memory_bytes", "resident memory", static_cast<double>(resident_bytes()));
  return out.text();
}

} // namespace sluice::node
