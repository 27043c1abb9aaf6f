"""What can go wrong while an application starts, serves and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from oneiric.core.errors.problem import OneiricError, Refused


class InvalidEvent(Refused):
    """An event that is no CloudEvent 1.0."""

    code = "invalid-event"

    def __init__(self, attribute: str, why: str) -> None:
        self.attribute = attribute
        super().__init__(f"event attribute {attribute}: {why}", fixes=("send a CloudEvent 1.0",))


class BodyTooLarge(Refused):
    """A request body over the limit."""

    code = "body-too-large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is over {limit_bytes} bytes", fixes=("store the data and send its key",))


class PushAuthConfig(Refused):
    """Push routes that take nothing, because how their callers prove who they are is not configured."""

    code = "push-auth-config"

    def __init__(self) -> None:
        super().__init__(
            "the push routes are closed: their authentication is not configured",
            fixes=('on one machine: push.auth = "none" with web.host = "127.0.0.1"',),
        )


class NoActiveApplication(OneiricError):
    """An injected call could not tell which application it belongs to."""

    code = "no-active-application"

    def __init__(self, site: str, needs: str, *, searched: str) -> None:
        super().__init__(
            f"{site} needs {needs}; searched: {searched}",
            fixes=("with using(app): ...", "app.make_default()"),
        )


class NeedsAsyncOpen(OneiricError):
    """A synchronous touch of an adapter that has to be opened by the event loop first."""

    code = "needs-async-open"

    def __init__(self, slot: str, **where: Any) -> None:
        where.setdefault("fixes", ("start the application first (async with app)", "make the caller async"))
        super().__init__(f"slot {slot} is not open, and a synchronous call cannot open it", **where)


class WrongLoop(OneiricError):
    """An adapter belongs to the event loop that opened it, and was used from another one."""

    code = "wrong-loop"

    def __init__(self, slot: str, opened_in: str, used_in: str) -> None:
        super().__init__(
            f"slot {slot} was opened in {opened_in} and is used in {used_in}",
            fixes=("use one event loop for one started application",),
        )


class ScopeClosed(OneiricError):
    """An object of a request or task scope was asked for after the scope ended, or where none is open."""

    code = "scope-closed"

    def __init__(self, slot: str, scope: str, *, was_open: bool = True) -> None:
        self.slot = slot
        why = "that has ended" if was_open else "and none is open here"
        super().__init__(
            f"slot {slot} belongs to a {scope} scope {why}",
            fixes=("ask for it inside the scope", f'async with app.scope("{scope}"): ...'),
        )


class BuildFailed(OneiricError):
    """What builds a slot's object raised; its exception is chained. Nothing is stored: the next use tries again."""

    code = "build-failed"

    def __init__(self, slot: str, what: str, error: BaseException, *, path: Sequence[str] = ()) -> None:
        self.slot = slot
        super().__init__(
            f"slot {slot}: {what} raised {type(error).__name__}", path=path, fixes=("see the chained exception",)
        )


class OpenTimeout(OneiricError):
    """An adapter took longer to open than its settings allow."""

    code = "open-timeout"

    def __init__(self, slot: str, budget_s: float) -> None:
        self.slot, self.budget_s = slot, budget_s
        super().__init__(
            f"slot {slot} did not open within {budget_s:g} s",
            fixes=("see whether its backend answers", "raise open_timeout_s in its settings"),
        )


NO_OTHERS: Mapping[str, BaseException] = MappingProxyType({})


def _said(error: BaseException) -> str:
    return error.message if isinstance(error, OneiricError) else type(error).__name__


class StartFailed(OneiricError):
    """
    A start that was rolled back; the first cause is chained.

    Attributes:
        causes: Everything that failed to open, by what it is: `slot cache`.
        closing: Whatever failed while closing what was open.
    """

    code = "start-failed"

    def __init__(
        self,
        slot: str,
        cause: BaseException,
        closing: Sequence[Exception] = (),
        *,
        others: Mapping[str, BaseException] = NO_OTHERS,
    ) -> None:
        self.slot, self.cause, self.closing = slot, cause, tuple(closing)
        self.causes: Mapping[str, BaseException] = {slot: cause, **others}
        said = _said(cause)
        failed = "1 adapter" if len(closing) == 1 else f"{len(closing)} adapters"
        more = "".join(f"; {name}: {_said(error)}" for name, error in others.items())
        more += f"; {failed} failed to close" if closing else ""
        look = (f"oneiric explain {slot.removeprefix('slot ')} shows its settings",) if slot.startswith("slot ") else ()
        fixes = (cause.fixes if isinstance(cause, OneiricError) else ()) or (
            *look,
            "see the chained exception (--debug)",
        )
        super().__init__(f"the start failed at {slot}: {said}{more}", path=(slot,), fixes=fixes)

    def __str__(self) -> str:
        return "\n".join([self.problem.text(), *map(str, getattr(self.cause, "faults", ()))])


class HandlerFailed(OneiricError):
    """An event handler raised; the delivery may be tried again."""

    code = "event-failed"
    retryable = True

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"handlers failed: {', '.join(names)}", fixes=("see the log",))
