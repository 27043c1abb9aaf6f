"""What can go wrong with the file that keeps what happened."""

from __future__ import annotations

from oneiric.core.errors.problem import OneiricError, Refused


class StoreNewer(Refused):
    """A store that a later version of Oneiric has written; it is left as it is."""

    code = "store-newer"

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"the activity store {path} has schema {found}, and this version knows {known}",
            fixes=("run the version that wrote it", "activity.path names another file"),
        )


class StoreCorrupt(Refused):
    """A file that is no activity store, or a damaged one; it is left as it is."""

    code = "store-corrupt"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} is no activity store: {why}", fixes=("move the file away", "activity.path names another file")
        )


class StoreUnavailable(OneiricError):
    """An activity store that cannot be opened, read or written now."""

    code = "store-unavailable"
    retryable = True

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"the activity store {path} cannot be used: {why}",
            fixes=("activity.path names a file that can be written",),
        )
