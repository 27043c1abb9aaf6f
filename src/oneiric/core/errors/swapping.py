"""What can go wrong when a running application is changed."""

from __future__ import annotations

from collections.abc import Sequence

from oneiric.core.errors.problem import OneiricError, Refused


class SwapFailed(OneiricError):
    """A change of a running application that was not made: what served before serves on."""

    code = "swap-failed"

    def __init__(self, step: str, causes: Sequence[BaseException], *, slots: Sequence[str] = ()) -> None:
        self.step, self.causes, self.slots = step, tuple(causes), tuple(slots)
        what = f" of {', '.join(slots)}" if slots else ""
        why = "; ".join(one.message if isinstance(one, OneiricError) else type(one).__name__ for one in causes)
        super().__init__(
            f"the swap{what} failed at step {step}: {why}",
            path=tuple(f"slot {slot}" for slot in slots[:1]),
            fixes=("nothing was changed: mend the cause and swap again",),
        )


class Unhealthy(OneiricError):
    """An adapter that opened and says that it is not well."""

    code = "unhealthy"

    def __init__(self, slot: str, detail: str) -> None:
        self.slot = slot
        super().__init__(
            f"slot {slot} is not healthy: {detail}", path=(f"slot {slot}",), fixes=("see what its backend says",)
        )


class UnknownGeneration(Refused):
    """A generation that never was, or is too long ago."""

    code = "unknown-generation"

    def __init__(self, number: int, known: Sequence[int]) -> None:
        self.number = number
        kept = f"{known[0]} to {known[-1]}" if known else "none"
        super().__init__(f"there is no generation {number}; kept are {kept}", fixes=("oneiric generations",))


class NotRunning(Refused):
    """A change or a question that needs a running application."""

    code = "not-running"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"application {name} does not run, and {what} needs it to", fixes=("start it first",))


class SeveralRunning(Refused):
    """A command for a running application of which several processes run."""

    code = "several-running"

    def __init__(self, name: str, processes: Sequence[int]) -> None:
        self.processes = tuple(processes)
        super().__init__(
            f"application {name} runs in {len(processes)} processes: {', '.join(map(str, processes))}",
            fixes=tuple(f"--pid {process}" for process in processes[:3]),
        )


class BadCommand(Refused):
    """What came through the control socket is no command."""

    code = "bad-command"

    def __init__(self, why: str) -> None:
        super().__init__(f"the control socket takes no such command: {why}", fixes=("use the command line, oneiric",))


class ControlUnavailable(OneiricError):
    """The control socket of a process cannot be opened, or does not answer."""

    code = "control-unavailable"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"the control socket {where} cannot be used: {why}",
            fixes=("XDG_RUNTIME_DIR names a folder of your own with a short path",),
        )
