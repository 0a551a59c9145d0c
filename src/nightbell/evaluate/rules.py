"""The numbers of evaluation. Their exact use stands in `docs/reference/conditions.md`."""

from typing import Final

CHAIN_GAP_MS_MAX: Final = 930_000
"""A longer gap breaks the chain: three readings of five minutes missed, and half a minute of jitter."""

SLOPE_NEW: Final = 6_000
"""Weight of the newest step in the slope, in ten-thousandths. Source: damped trend 0.6, our own fit."""

SLOPE_OLD: Final = 2_800
"""Weight of the slope before, in ten-thousandths: (1 - 0.6) x 0.7."""

SLOPE_SCALE: Final = 10_000

FORECAST_STEPS_MILLI: Final = 1_773
"""Damped steps in 20 min, in thousandths: 0.7 + 0.7**2 + 0.7**3 + 0.7**4."""

FORECAST_CHAIN_MIN: Final = 4
"""Counted readings in a row before a forecast is known: 15 min of unbroken history."""

SOON_BEGINS_MGDL: Final = 2
"""A soon condition begins this far before the urgent limit. Source: 90 % found at 0.46 false a day."""

SOON_ENDS_MGDL: Final = 5
"""And ends beyond this far from it, twice."""

SOON_QUIET_MS: Final = 30 * 60_000
"""No second soon condition within this time of the last, or of an urgent level. Source: the scorer's rule."""

RATE_WINDOW_MS: Final = 960_000
"""How far back the rate looks: four readings of five minutes and a minute of jitter."""

RATE_SPAN_MS_MIN: Final = 480_000
"""The shortest time over which a rate is known; with at least three readings, so that two never decide."""

RATE_READINGS_MIN: Final = 3

FAST_MATTERS_MGDL: Final = 70
"""Falling (rising) fast is quiet farther from the low (high) limit: over 20 min away at 3 mg/dL/min."""

FAST_ENDS_MGDL: Final = 80
"""And ends farther than this from it."""

RING_LENGTH: Final = 4
"""Counted readings kept of the chain, for the rate."""

DOOR_GAP_MS_MIN: Final = 60_000
"""A shorter pause between the last tick and the door's opening is a restart, not an outage."""

CLOCK_BACK_MS_MIN: Final = 60_000
"""A tick this much before the last one: our clock was set back. Smaller steps heal by themselves."""

WARM_UP_MS_MAX: Final = 180 * 60_000
"""A sensor's warm-up, however often it is said anew without a reading: G6 takes 120 min, and one more try."""
