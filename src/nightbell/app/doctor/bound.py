"""Runs one of our modules, bound to the life of whoever started it.

Whoever starts a made-up house may be killed. Nobody would then end what runs in it, so the system does: it
sends SIGTERM to a process whose parent ends (`PR_SET_PDEATHSIG`, prctl(2)).
"""

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
"""Of linux/prctl.h."""


def main() -> None:
    """`python -m nightbell.app.doctor.bound PARENT MODULE ARGUMENTS...`."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(1)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
