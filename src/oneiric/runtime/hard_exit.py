"""The last resort of a stop: whatever hangs, the process is gone when its budget is used up."""

from __future__ import annotations

import os
import threading

from oneiric.core.log import log

EXIT_HARD = 70  # EX_SOFTWARE of BSD's sysexits.h


class HardExit:
    """
    Ends the process with exit code 70 unless its stop is done in time.

    A time limit of the event loop does not do: it cannot end what holds the loop, or what ignores its cancellation.

    Attributes:
        step: What the stop is doing, for the log line of the end.
    """

    def __init__(self) -> None:
        self.step = "start"
        self._timer: threading.Timer | None = None

    def begin(self, budget_s: float) -> None:
        """Let the time run, in seconds and more than 0; a second call changes nothing."""
        if self._timer is None:
            self._timer = threading.Timer(budget_s, self._exit, (budget_s,))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """The stop is done: nothing happens any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _exit(self, budget_s: float) -> None:
        log().error("the stop hangs, the process ends hard", step=self.step, budget_s=budget_s)
        os._exit(EXIT_HARD)
