// The steps of a booking, and how each is undone. The session carries them out; see session.cpp.
#pragma once

#include <array>
#include <cstdint>

namespace sluice::domain {

enum class saga_step : std::uint8_t { hold_seats, pin_hold, authorise_payment, confirm_seats, capture_payment, issue };

enum class compensation : std::uint8_t {
  none,
  release_seats,
  unpin_hold,
  void_authorisation,
  return_seats,
  pivot, // no way back: past it, steps are retried until they succeed
};

struct saga_rule {
  saga_step step;
  compensation undo;
};

/// Steps before the pivot are undone in reverse order; steps after it are retried until they succeed.
/// Nobody is charged without seats, and no seat stays sold without payment.
constexpr std::array<saga_rule, 6> booking_saga{{
    {saga_step::hold_seats, compensation::release_seats},
    {saga_step::pin_hold, compensation::unpin_hold}, // from here the hold can not lapse
    {saga_step::authorise_payment, compensation::void_authorisation},
    {saga_step::confirm_seats, compensation::return_seats},
    {saga_step::capture_payment, compensation::pivot}, // unknown outcome: inquire, never guess
    {saga_step::issue, compensation::none},
}};

} // namespace sluice::domain
