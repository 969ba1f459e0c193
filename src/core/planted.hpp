// Faults planted on purpose, to prove that the simulator's checkers would see them. Honoured only in a build with
// -DSLUICE_PLANTED_BUGS; everywhere else `is_planted` is a constant and the compiler drops the branch.
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>

namespace sluice {

enum class planted : std::uint8_t {
  none,
  // the line
  cap_off_by_one,   // one more inside than the cap allows
  double_admission, // a batch admits one more than the rate allows
  skips_the_first,  // the second in line goes first
  refills_bucket,   // a restart gives the outflow a full batch again
  second_ticket,    // joining again gives another ticket
  late_claim,       // what is due does not expire before a command
  lost_pulse,       // a pulse for an event is not proposed
  // seats and holds
  no_lapse_first,     // a hold that is due is still there for the command that comes with the entry
  pinned_lapses,      // a hold being paid for lapses
  releases_one_part,  // one block refuses, only one of the others is released
  limit_forgets_paid, // seats already paid for do not count for the limit
  sale_never_closes,  // blocks do not hear that the sale closed
  area_oversells,     // one place more than there is
  extends_lapsed,     // a session extends what its blocks let go in the same entry (found by simulation)
  removes_at_once,    // an event ends before the rest of its entry (found by simulation)
  // idempotency
  forgets_key,   // the key of a hold is not remembered
  any_request,   // a key answers any request
  extends_again, // only the last request to extend is remembered
  // payment
  capture_first,      // money before seats
  guesses_outcome,    // an unknown capture counts as refused
  no_void,            // a payment given up is not voided
  confirms_unpaid,    // confirmed as soon as authorised
  keeps_sold,         // a cancelled reservation still counts as sold
  removes_in_payment, // an event can be removed while money moves
  // the partition
  lost_note,         // a note is sent, but not kept until it arrived
  repeated_note,     // a note that comes twice is executed twice
  forgets_effects,   // a checkpoint leaves out the open charges
  forgets_deadlines, // a checkpoint leaves out the deadlines
  drops_dirty,       // a checkpoint leaves out a session that went to sleep
  late_share,        // an entity hands in its share after it changed again
  unflushed,         // a checkpoint is in force before its pieces are flushed
  skips_fsync,       // an entry is executed before it is durable
  arrival_order,     // results of a superstep count in the order they arrive
  log_time_restarts, // a new leader's log time begins anew
  wakes_ended_group, // a removed event comes back from the last checkpoint
  // codecs
  codec_drops_fence, // a confirmed hold's fence is not saved
  codec_drops_stage, // whether a turn was claimed is not saved
  // between replicas
  sends_early,           // a message leaves before the write it depends on is durable
  forgets_rejoining,     // that the log was lost is not on disk
  fetches_no_feed,       // a fetched checkpoint comes without the facts before it
  keeps_old_entities,    // another's state is installed under the entities of the own
  keeps_old_pieces,      // or over the pieces of the own
  leads_at_once,         // a leader acts before an entry of its own term is executed
  followers_charge,      // not only the leader carries out effects
  drops_open_charges,    // a new leader does not begin again what is open
  notes_sent_once,       // nor sends the notes again
  offers_foreign_number, // a fetched checkpoint is offered under the number it had elsewhere (found by simulation)
  resends_everything,    // all open notes at once, however slow their receiver is (found by simulation)
  reads_locally,         // a question is answered without asking the others whether it still leads
  // slots that move
  sold_in_both,       // a slot that leaves is executed until it is taken
  moves_no_deadlines, // it comes without its deadlines
  moves_no_charges,   // or without its open charges
  keeps_no_pieces,    // what came is in no checkpoint
  shifts_twice,       // a delivery that waited is given the group's clock once more (found by simulation)
  overtakes_notes,    // it is announced before what it told others has arrived (found by simulation)
  shows_old_pieces,   // it comes back over what it left behind
  calls_off_late,     // a move is called off after where it goes was told
  count_,
};

struct planted_name {
  planted bug;
  std::string_view name;
};

// clang-format off
#define SLUICE_PLANTED(x) planted_name{planted::x, #x}
inline constexpr planted_name planted_names[] = {
    SLUICE_PLANTED(cap_off_by_one), SLUICE_PLANTED(double_admission), SLUICE_PLANTED(skips_the_first),
    SLUICE_PLANTED(refills_bucket), SLUICE_PLANTED(second_ticket), SLUICE_PLANTED(late_claim),
    SLUICE_PLANTED(lost_pulse), SLUICE_PLANTED(no_lapse_first), SLUICE_PLANTED(pinned_lapses),
    SLUICE_PLANTED(releases_one_part), SLUICE_PLANTED(limit_forgets_paid), SLUICE_PLANTED(sale_never_closes),
    SLUICE_PLANTED(area_oversells), SLUICE_PLANTED(extends_lapsed), SLUICE_PLANTED(removes_at_once),
    SLUICE_PLANTED(forgets_key), SLUICE_PLANTED(any_request), SLUICE_PLANTED(extends_again),
    SLUICE_PLANTED(capture_first), SLUICE_PLANTED(guesses_outcome), SLUICE_PLANTED(no_void),
    SLUICE_PLANTED(confirms_unpaid), SLUICE_PLANTED(keeps_sold), SLUICE_PLANTED(removes_in_payment),
    SLUICE_PLANTED(lost_note), SLUICE_PLANTED(repeated_note), SLUICE_PLANTED(forgets_effects),
    SLUICE_PLANTED(forgets_deadlines), SLUICE_PLANTED(drops_dirty), SLUICE_PLANTED(late_share),
    SLUICE_PLANTED(unflushed), SLUICE_PLANTED(skips_fsync), SLUICE_PLANTED(arrival_order),
    SLUICE_PLANTED(log_time_restarts), SLUICE_PLANTED(wakes_ended_group), SLUICE_PLANTED(codec_drops_fence),
    SLUICE_PLANTED(codec_drops_stage), SLUICE_PLANTED(sends_early), SLUICE_PLANTED(forgets_rejoining),
    SLUICE_PLANTED(fetches_no_feed), SLUICE_PLANTED(keeps_old_entities), SLUICE_PLANTED(keeps_old_pieces),
    SLUICE_PLANTED(leads_at_once), SLUICE_PLANTED(followers_charge), SLUICE_PLANTED(drops_open_charges),
    SLUICE_PLANTED(notes_sent_once), SLUICE_PLANTED(offers_foreign_number), SLUICE_PLANTED(resends_everything),
    SLUICE_PLANTED(reads_locally), SLUICE_PLANTED(sold_in_both), SLUICE_PLANTED(moves_no_deadlines),
    SLUICE_PLANTED(moves_no_charges), SLUICE_PLANTED(keeps_no_pieces), SLUICE_PLANTED(shifts_twice),
    SLUICE_PLANTED(overtakes_notes), SLUICE_PLANTED(shows_old_pieces), SLUICE_PLANTED(calls_off_late),
};
// clang-format on
#undef SLUICE_PLANTED
static_assert(std::size(planted_names) + 1 == static_cast<std::size_t>(planted::count_));

#ifdef SLUICE_PLANTED_BUGS
/// The one in force, for everything in the process: the simulator is alone in it.
inline planted planted_now = planted::none;

inline bool is_planted(planted bug) {
  return planted_now == bug;
}
#else
constexpr bool is_planted(planted) {
  return false;
}
#endif

} // namespace sluice
