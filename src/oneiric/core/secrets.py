"""Secrets as the evaluator sees them: references to them, what is known of each, and by which rules they count."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from oneiric.core.errors import InvalidSecretReference
from oneiric.core.log import HIDDEN, refuse_pickle
from oneiric.core.origins import Origin, SecretOrigin

SCHEME = "secret://"
LATEST = "latest"
BOOTSTRAP = ("secrets.", "remote.")  # keys that are read before the store is open
PROTECTED = (*BOOTSTRAP, "logging.", "profile.")  # keys that a remote manifest may not set
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")

State = Literal["found", "known", "missing", "failed", "unknown"]
Wanted = tuple[str, str]  # the name and the version of a secret


class SecretReader(Protocol):
    """The part of a secret store that reading needs; every adapter of category `secrets` has it."""

    async def get(self, name: str, *, version: str = LATEST) -> Any:
        """Return an object with `value`, a `SecretBytes`, and `version`."""

    async def version(self, name: str) -> str | None:
        """Return the latest version without fetching the value; None if there is no such secret."""


class Opened:
    """A value that came from the store: it hides itself in every text, and goes into a settings model as it is."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:  # text, or what a JSON field of the secret holds
        self.value = value

    def get_secret_value(self) -> Any:
        """Return the value."""
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opened) and self.value == other.value

    def __hash__(self) -> int:
        return hash(HIDDEN)

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickle(self)


class Reference(NamedTuple):
    """
    What `secret://name#field?version=N&optional` says.

    Attributes:
        name: The secret.
        field: A field of the JSON object that it holds; None takes the whole text.
        version: A version of the store, or `latest`.
        optional: A missing secret lets the next layer answer.
    """

    name: str
    field: str | None = None
    version: str = LATEST
    optional: bool = False

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}" + (f"#{self.field}" if self.field else "")


def is_reference(value: object) -> bool:
    """Tell whether a value is a text that refers to a secret, well or badly; what came from the store never is one."""
    text = _unwrapped(value)
    return isinstance(text, str) and text.startswith(SCHEME) and not isinstance(value, Opened)


def _unwrapped(value: object) -> object:
    """Return the text of a `SecretStr`, which code has to write where the field is one; anything else as it is."""
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def parse_reference(key: str, text: object, origin: Origin | None = None) -> Reference:
    """
    Read a reference, a text or a `SecretStr` with one.

    Raises:
        InvalidSecretReference: It names no secret, or says something else than a field, `version` and `optional`. The
            text is not shown: somebody may have written a value there.
    """

    def refused(why: str) -> InvalidSecretReference:
        return InvalidSecretReference(key, why, origin=origin)

    head, asks, options = str(_unwrapped(text)).removeprefix(SCHEME).partition("?")
    name, hash_, field = head.partition("#")
    if not name:
        raise refused("it names no secret")
    if not _NAME.fullmatch(name):
        raise refused("a secret's name is of A-Z a-z 0-9 _ . - and begins with a letter, a digit or _")
    if hash_ and not field:
        raise refused("nothing stands behind #")
    if asks and not options:
        raise refused("nothing stands behind ?")
    said: dict[str, str] = {}
    for option in options.split("&") if options else ():
        word, equals, value = option.partition("=")
        if word in said:
            raise refused("an option is given twice")
        if word == "version" and not _NAME.fullmatch(value):
            raise refused("version=N names a version, and stands behind the field")
        if word not in {"version", "optional"} or (word == "optional" and equals):
            raise refused("its options are version=N and optional")
        said[word] = value
    return Reference(name, field or None, said.get("version", LATEST), "optional" in said)


class Finding(NamedTuple):
    """
    What is known of one secret.

    Attributes:
        state: `found` with its value; `known` to exist, its value was not fetched; `missing`; `failed`, the store did
            not answer; `unknown`, nobody asked.
        value: The value as bytes, where it was found.
        version: The version, where it is known.
        why: Why the store did not answer, as the code of its error: `denied`, `unavailable`, `timed-out`.
        age_s: Seconds since the value was fetched.
        is_stale: A later fetch failed, and the old value serves on.
    """

    state: State
    value: bytes | None = None
    version: str | None = None
    why: str = ""
    age_s: float | None = None
    is_stale: bool = False

    @property
    def exists(self) -> bool:
        """Whether the store has it, as far as is known."""
        return self.state in {"found", "known"}

    def __repr__(self) -> str:
        return f"<finding {self.state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickle(self)


UNKNOWN = Finding("unknown")
_NONE: Mapping[str, str] = MappingProxyType({})


class SecretRules(NamedTuple):
    """
    By which rules secrets count in one profile.

    Attributes:
        look: Returns what is known of a secret by name and version.
        store: The store as origins call it.
        resource: Returns how the store calls a secret.
        bindings: Keys that the secrets layer answers besides those typed secret, with the names of their secrets.
        outage_falls: A store that cannot answer lets the next layer do so.
        plaintext: A manifest may hold a secret in plain text.
        scope: Globs of the names that a remote manifest may refer to.
        losses: Returns how often something that was known has been forgotten.
    """

    look: Callable[[str, str], Finding] = lambda name, version: UNKNOWN
    store: str = "secrets"
    resource: Callable[[str], str] = str
    bindings: Mapping[str, str] = _NONE
    outage_falls: bool = True
    plaintext: bool = True
    scope: tuple[str, ...] = ()
    losses: Callable[[], int] = int

    def origin(self, name: str, version: str | None = None) -> SecretOrigin:
        """Return where a secret comes from."""
        return SecretOrigin(self.store, self.resource(name), version)

    def in_scope(self, name: str) -> bool:
        """Tell whether a remote manifest may refer to a secret."""
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.scope)

    def supposing(self, name: str, finding: Finding) -> SecretRules:
        """Return the rules as they would be if another thing were known of one secret."""
        look = self.look
        return self._replace(look=lambda asked, version: finding if asked == name else look(asked, version))


def conventional_name(key: str) -> str:
    """Return the name of the secret that belongs to a key: dots become dashes, `cache-redis-password`."""
    return key.replace(".", "-")


def is_bootstrap(key: str) -> bool:
    """Tell whether a setting is read before the secret store is open, and so cannot come from it."""
    return key.startswith(BOOTSTRAP)


def is_protected(key: str) -> bool:
    """Tell whether a remote manifest may not set a key, whatever its field says."""
    return key == "profile" or key.startswith(PROTECTED)
