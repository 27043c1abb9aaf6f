"""Changing layers while other threads read: a count of wrong reads."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

from benches.rows import Row
from benches.samples import hermetic
from benches.timing import CannotMeasure, Effort
from oneiric import Application, LayerContainer

WATCH_S = 1.0
READERS = 2
SWITCH_S = 1e-5  # threads take turns this often, so that a state in between would be met


class Version:
    """What the middle layer binds; a later one has a higher number."""

    def __init__(self, number: int) -> None:
        self.number = number


class Reader(threading.Thread):
    """Reads two slots until told to stop, and counts what cannot be."""

    def __init__(self, app: Application, top: Version, stop: threading.Event) -> None:
        super().__init__()
        self.reads = 0
        self.wrong = 0
        self.failure: BaseException | None = None
        self._covered, self._open, self._top, self._halt = app.slot("covered"), app.slot("bare"), top, stop

    def run(self) -> None:
        """Read; a covered slot never shows a lower layer, and a bare one never goes back to an older version."""
        last = 0
        try:
            while not self._halt.is_set():
                found = self._open()
                self.wrong += (self._covered() is not self._top) + (found.number < last)
                last = found.number
                self.reads += 2
        except Exception as error:  # border: the thread ends here, and the row reports what ended it
            self.failure = error


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the row of a middle layer that is swapped under reading threads."""
    app = hermetic("busy")
    for name in ("covered", "bare"):
        app.slot(name, Version)
    top = Version(-1)
    app.override(LayerContainer("explicit", {"covered": top}))
    middle = app.override(_middle(0))
    stop = threading.Event()
    readers = [Reader(app, top, stop) for _ in range(READERS)]
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    swaps = 0
    try:
        for reader in readers:
            reader.start()
        end_s = time.monotonic() + effort.seconds(WATCH_S)
        while time.monotonic() < end_s:
            swaps += 1
            following = app.override(_middle(swaps))
            middle.undo()
            middle = following
    finally:
        stop.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(before_s)
    wrong = sum(reader.wrong for reader in readers)
    failures = [reader.failure for reader in readers if reader.failure is not None]
    if failures:
        raise CannotMeasure(f"a reader failed: {failures[0]!r}")
    reads = sum(reader.reads for reader in readers)
    yield Row(
        "wrong reads while a middle layer is swapped",
        float(wrong),
        0.0,
        f"count: {reads} reads by {READERS} threads, {swaps} swaps",
    )


def _middle(number: int) -> LayerContainer:
    return LayerContainer("manifest", {"covered": Version(number), "bare": Version(number)})
