"""The value of a setting as plain data: the setting itself, who had a share in the value, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from oneiric.core.errors import OneiricError
from oneiric.core.origins import Origin
from oneiric.core.secrets import Opened, Wanted

Status = Literal["winner", "merged", "shadowed", "masked", "unset", "ineligible", "absent", "unknown"]
MISSING: Any = object()  # "no value", where None is one
PENDING: Any = object()  # a secret whose value was not fetched


class Field(NamedTuple):
    """
    One setting: its dotted key, the declared type, and the default of the code.

    Attributes:
        default: MISSING where the code has none.
        secret: Its value is shown to nobody.
        required: It must have a value, and None is none.
        sealed: Where typed secrets stand in it, as paths; `((),)` where it is one itself. The secrets layer answers
            for these.
        guarded: What a remote manifest may not set of it, as paths; `((),)` for all of it.
        spelled: Its key as variables spell it, where that differs.
        public: It is declared `Public`: no name, neither its own nor one inside it, makes its value a secret.
    """

    key: str
    annotation: Any  # a type expression
    default: Any = MISSING
    secret: bool = False
    origin: Origin | None = None
    required: bool = False
    sealed: tuple[tuple[str, ...], ...] = ()
    guarded: tuple[tuple[str, ...], ...] = ()
    spelled: str = ""
    public: bool = False

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]


class Share(NamedTuple):
    """What one layer contributed to a value, or why not; `redacted` where it came from the store, as `secret`."""

    layer: str
    status: Status
    reason: str | None
    value: Any
    origin: Origin | None
    redacted: bool = False
    detail: str | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return f"<share of {self.layer}: {self.status}>"


class Decision(NamedTuple):
    """A value with everybody who had a share in it."""

    value: Any
    shares: tuple[Share, ...]
    error: OneiricError | None = None
    warnings: tuple[OneiricError, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    origins: Mapping[tuple[str, ...], Origin | None] = MappingProxyType({})  # of its leaves, by path

    def __repr__(self) -> str:
        return f"<decision by {len(self.shares)} layers>"


class Value:
    """
    The value of one setting, and who had a share in it. The shares are found when somebody asks for them.

    Attributes:
        value: The value; MISSING where there is none, PENDING where a secret was not fetched. What came from the store
            stands in it as `Opened`.
        error: Why there is none.
        wanted: The secrets that have to be fetched before it can be had.
    """

    __slots__ = ("_decide", "_decision", "error", "field", "is_said", "value", "wanted")

    def __init__(
        self,
        field: Field,
        value: Any,
        decide: Callable[[], Decision],
        *,
        error: OneiricError | None = None,
        wanted: tuple[Wanted, ...] = (),
        is_said: bool = True,
    ) -> None:
        self.field, self.value, self.error, self.wanted = field, value, error, wanted
        self.is_said = is_said  # somebody else than the code has a share in it, or a warning
        self._decide = decide
        self._decision: Decision | None = None

    @property
    def decision(self) -> Decision:
        """The same with all shares."""
        if self._decision is None:
            self._decision = self._decide()
        return self._decision

    @property
    def shares(self) -> tuple[Share, ...]:
        """Who spoke and what became of it, high to low."""
        return self.decision.shares

    @property
    def winner(self) -> Share | None:
        """The layer whose word counts; presumed where its status is `unknown`."""
        winner = next((share for share in self.shares if share.status == "winner"), None)
        if winner is not None or self.value is not PENDING:
            return winner
        return next((share for share in self.shares if share.status == "unknown"), None)

    def typed(self, value: Any, error: OneiricError | None = None) -> Value:
        """Return the same as a settings model made it."""
        made = Value(self.field, value, self._decide, error=error, wanted=self.wanted, is_said=self.is_said)
        made._decision = self._decision
        return made

    def __repr__(self) -> str:
        return f"<value of {self.field.key}>"


def sealed(value: Any) -> Any:
    """Return a decided value as code may have it: what came from the store is a `SecretStr` or `SecretBytes` there."""
    if isinstance(value, Opened):
        from pydantic import SecretBytes, SecretStr  # a map with secrets in it is rare, and pydantic is slow to import

        plain = value.value
        return SecretBytes(plain) if isinstance(plain, bytes) else SecretStr(str(plain))
    if isinstance(value, dict):
        return {name: sealed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [sealed(part) for part in value]
    return value


def opened(value: Any) -> Any:
    """Return a decided value as a settings model takes it: what came from the store is a plain value there."""
    if isinstance(value, Opened):
        return value.value
    if isinstance(value, dict):
        return {name: opened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [opened(part) for part in value]
    return value


def holds(value: Any, wanted: Callable[[Any], bool]) -> bool:
    """Tell whether a value, or a part of it, is one that is looked for."""
    if isinstance(value, Mapping):
        return any(holds(part, wanted) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(holds(part, wanted) for part in value)
    return wanted(value)
