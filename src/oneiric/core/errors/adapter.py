"""A call to an adapter failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneiric.core.errors.problem import OneiricError, install_line

ADAPTER_MESSAGE_CHARS = 300


class AdapterError(OneiricError):
    """
    A call to an adapter failed.

    Args:
        reason: Why, in a few words; never a payload, a credential or a URL with user info.
        category: The adapter's category, `cache`.
        name: The adapter's name, `redis`.
        operation: The method that failed, `get`.
        slot: The slot, where it is known.
    """

    code = "adapter-error"

    def __init__(
        self,
        reason: str = "",
        *,
        category: str = "",
        name: str = "",
        operation: str = "",
        slot: str | None = None,
        fixes: Sequence[str] = (),
    ) -> None:
        self.reason, self.category, self.name, self.operation, self.slot = reason, category, name, operation, slot
        who = "/".join(part for part in (category, name) if part)
        head = " ".join(part for part in (who, operation) if part)
        text = f"{head + ': ' if head else ''}{self.code}" + (f" ({reason})" if reason else "")
        super().__init__((text + (f" [slot {slot}]" if slot else ""))[:ADAPTER_MESSAGE_CHARS], fixes=fixes)

    def __str__(self) -> str:
        return self.message


class NotFound(AdapterError):
    """The thing asked for does not exist."""

    code = "not-found"


class Conflict(AdapterError):
    """It exists already, its version differs, or a unique key is taken."""

    code = "conflict"


class Denied(AdapterError):
    """The backend refused: who we are, or what we may do."""

    code = "denied"


class InvalidInput(AdapterError):
    """An argument breaks the stated grammar or range."""

    code = "invalid-input"


class Unsupported(AdapterError):
    """The adapter lacks the capability that this call needs."""

    code = "unsupported"


class NotOpen(AdapterError):
    """A call before `open` or after `close`."""

    code = "not-open"


class BadReply(AdapterError):
    """The peer broke its own protocol."""

    code = "bad-reply"


class NotInstalled(AdapterError):
    """The SDK of the adapter is absent."""

    code = "not-installed"

    def __init__(self, sdk: str, extra: str, **where: Any) -> None:
        self.sdk, self.extra = sdk, extra
        super().__init__(f"{sdk} is missing: {install_line(extra)}", fixes=(install_line(extra),), **where)


class Unavailable(AdapterError):
    """The backend cannot be reached."""

    code = "unavailable"
    retryable = True


class TimedOut(AdapterError):
    """The backend did not answer in time."""

    code = "timed-out"
    retryable = True


class RateLimited(AdapterError):
    """The backend asks for a pause of `retry_after_s` seconds; None where it did not say how long."""

    code = "rate-limited"
    retryable = True

    def __init__(self, reason: str = "", *, retry_after_s: float | None = None, **where: Any) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason, **where)


class TransactionAborted(AdapterError):
    """The database ended the transaction: a deadlock or a serialisation failure."""

    code = "transaction-aborted"
    retryable = True
