"""Every fault by its name, in the order in which they run."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

from tests.faults.calls import calls
from tests.faults.clocks import clock
from tests.faults.damage import damaged
from tests.faults.disks import full_disk, small_disk
from tests.faults.floods import flood, poison
from tests.faults.outcome import Outcome, Size
from tests.faults.power import power_cut
from tests.faults.processes import half_dead, kill_nine, reconnects, soak, stopped
from tests.faults.supervised import no_seconds

Fault = Callable[[Size, Path, int], Coroutine[None, None, Outcome]]

FAULTS: Final[dict[str, Fault]] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        kill_nine, power_cut, calls, full_disk, small_disk, damaged, flood, poison, half_dead, no_seconds,
        stopped, clock, reconnects, soak,
    )
}  # fmt: skip
