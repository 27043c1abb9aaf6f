"""
The catalog: which adapters there are, as a sorted table of strings. Reading it imports no adapter and no SDK.

A new adapter is one row here. Other distributions add rows through the entry-point group `oneiric.adapters`: each entry
names an iterable of `Row` and `Category` objects, such as `acme = "acme_adapters.catalog:ROWS"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from oneiric.core.errors import AppNotImportable, InvalidName, OneiricError, install_line
from oneiric.core.importing import is_installed, load
from oneiric.core.origins import CodeOrigin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "oneiric.adapters"
DEFAULT_MEMBER = 100  # exactly one member of a category
EMBEDDED_MEMBER = 50  # further members that need neither a server nor an extra
LOWEST, HIGHEST = -1000, 1000
HERE = CodeOrigin("oneiric.providers.catalog")

Verified = Literal["server", "emulator", "wire", "none"]


@dataclass(frozen=True, slots=True)
class Category:
    """
    A kind of adapter: its name, which is the name of its slot, and its Protocol.

    Attributes:
        name: `cache`.
        protocol: `module:Class` of the Protocol all members fulfil.
    """

    name: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Row:
    """
    One adapter of one category.

    Attributes:
        category: The category it belongs to.
        name: Its name inside the category.
        path: `module:Class`.
        extra: The extra of this distribution that installs its SDK; None where it needs none.
        sdk: The module whose presence tells that the extra is installed.
        priority: Who is taken when nobody chooses, -1000 to 1000; higher wins.
        capabilities: What it can do beyond the Protocol's common part.
        verified: What its tests ran against: the real server, an emulator, our bytes on the wire, or nothing.
        background: It needs processor time between calls, so a profile without background work refuses it.
        origin: Where the row stands.
    """

    category: str
    name: str
    path: str
    extra: str | None = None
    sdk: str | None = None
    priority: int = 0
    capabilities: frozenset[str] = frozenset()
    verified: Verified = "none"
    background: bool = False
    origin: CodeOrigin = HERE

    def __post_init__(self) -> None:
        if type(self.priority) is not int or not LOWEST <= self.priority <= HIGHEST:
            raise InvalidName(
                f"{self.category}/{self.name}", f"its priority is no whole number from {LOWEST} to {HIGHEST}"
            )

    @property
    def installed(self) -> bool:
        """Whether its extra is there, found out without importing the SDK."""
        return self.sdk is None or is_installed(self.sdk)

    @property
    def install(self) -> str | None:
        """The line that installs its extra; None where it needs none."""
        return install_line(self.extra) if self.extra else None


CATEGORIES = (
    Category("cache", "oneiric.adapters.cache.common:Cache"),
    Category("database", "oneiric.adapters.database.common:Database"),
    Category("http", "oneiric.adapters.http.common:Http"),
    Category("messaging", "oneiric.adapters.messaging.common:Messaging"),
    Category("queue", "oneiric.adapters.queue.common:Queue"),
    Category("secrets", "oneiric.adapters.secrets.common:Secrets"),
    Category("storage", "oneiric.adapters.storage.common:Storage"),
)

_ADAPTERS = "oneiric.adapters"
ROWS = (
    Row(
        "cache",
        "memory",
        f"{_ADAPTERS}.cache.memory:MemoryCache",
        priority=DEFAULT_MEMBER,
        capabilities=frozenset({"ttl"}),
        verified="server",
    ),
    Row(
        "database",
        "sqlite",
        f"{_ADAPTERS}.database.sqlite:SqliteDatabase",
        priority=DEFAULT_MEMBER,
        verified="server",
    ),
    Row("http", "httpx", f"{_ADAPTERS}.http.httpx:HttpxHttp", priority=DEFAULT_MEMBER, verified="server"),
    Row(
        "messaging",
        "console",
        f"{_ADAPTERS}.messaging.console:ConsoleMessaging",
        priority=DEFAULT_MEMBER,
        capabilities=frozenset({"attachments", "html"}),
        verified="server",
    ),
    Row(
        "queue",
        "memory",
        f"{_ADAPTERS}.queue.memory:MemoryQueue",
        priority=DEFAULT_MEMBER,
        capabilities=frozenset({"consume", "dedupe", "delay", "groups"}),
        verified="server",
    ),
    Row("secrets", "aws", f"{_ADAPTERS}.secrets.aws:AwsSecrets", extra="aws", sdk="boto3", verified="emulator"),
    Row("secrets", "env", f"{_ADAPTERS}.secrets.env:EnvSecrets", priority=DEFAULT_MEMBER, verified="server"),
    Row(
        "secrets",
        "file",
        f"{_ADAPTERS}.secrets.file:FileSecrets",
        priority=EMBEDDED_MEMBER,
        capabilities=frozenset({"write"}),
        verified="server",
    ),
    Row(
        "secrets",
        "gcp",
        f"{_ADAPTERS}.secrets.gcp:GcpSecrets",
        extra="gcp-secrets",
        sdk="google.cloud.secretmanager",
        capabilities=frozenset({"write"}),
        verified="wire",
    ),
    Row(
        "secrets",
        "keyring",
        f"{_ADAPTERS}.secrets.keyring:KeyringSecrets",
        extra="keyring",
        sdk="keyring",
        capabilities=frozenset({"write"}),
        verified="emulator",
    ),
    Row(
        "secrets",
        "vault",
        f"{_ADAPTERS}.secrets.vault:VaultSecrets",
        capabilities=frozenset({"write"}),
        verified="server",
    ),
    Row("storage", "local", f"{_ADAPTERS}.storage.local:LocalStorage", priority=DEFAULT_MEMBER, verified="server"),
    Row("storage", "memory", f"{_ADAPTERS}.storage.memory:MemoryStorage", priority=EMBEDDED_MEMBER, verified="server"),
)


class Catalog:
    """
    Categories and rows, looked up by name.

    Args:
        categories: The kinds of adapter.
        rows: The adapters.
        third_party: Also read the entry points of other distributions, on the first question that needs them.
    """

    def __init__(
        self, categories: Iterable[Category] = CATEGORIES, rows: Iterable[Row] = ROWS, *, third_party: bool = True
    ) -> None:
        self._categories = {category.name: category for category in categories}
        self._rows: dict[str, dict[str, Row]] = {}
        self._third_party = third_party
        self._fault: OneiricError | None = None
        for row in rows:
            self._rows.setdefault(row.category, {})[row.name] = row

    @property
    def built_in(self) -> Mapping[str, Category]:
        """The categories known without asking other distributions."""
        return self._categories

    def categories(self) -> Mapping[str, Category]:
        """Return every category by name."""
        self._read_third_party()
        return self._categories

    def rows(self, category: str) -> Mapping[str, Row]:
        """Return the adapters of a category by name; empty if there is no such category."""
        self._read_third_party()
        return self._rows.get(category, {})

    def all_rows(self) -> list[Row]:
        """Return every adapter, sorted by category and name."""
        self._read_third_party()
        return sorted(
            (row for rows in self._rows.values() for row in rows.values()), key=lambda r: (r.category, r.name)
        )

    def _read_third_party(self) -> None:
        """
        Take in what other distributions add. As long as one of them is at fault, every question ends in its error.

        Raises:
            AppNotImportable: What an entry point names cannot be loaded, or holds something else.
            InvalidName: A name breaks its grammar, is taken, or is that of a category that nobody has.
        """
        if self._fault is not None:
            raise self._fault.with_traceback(None)  # one and the same: a report counts it once, whoever asks
        if not self._third_party:
            return
        try:
            self._widen()
        except OneiricError as error:
            self._fault = error
            raise
        self._third_party = False

    def _widen(self) -> None:
        """Add everything, or nothing if anything of it is at fault."""
        categories, rows = dict(self._categories), {name: dict(known) for name, known in self._rows.items()}
        for by, category in _added():
            if isinstance(category, Category):
                _check_name(category.name, category.name, categories, by)
                categories[category.name] = category
        for by, row in _added():
            if isinstance(row, Row):
                shown = f"{row.category}/{row.name}"
                if row.category not in categories:
                    raise _refused(shown, f'there is no category "{row.category}"', by)
                _check_name(row.name, shown, rows.setdefault(row.category, {}), by)
                rows[row.category][row.name] = row
        self._categories, self._rows = categories, rows


def _check_name(name: str, shown: str, taken: Mapping[str, object], by: str) -> None:
    """Refuse a name that is taken, or that no variable and no table could say."""
    if name in taken:
        raise _refused(shown, "it is there already", by)
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise _refused(shown, "a name is of lower-case letters, digits, _ and -, a letter first", by)


def _refused(name: str, why: str, by: str) -> InvalidName:
    return InvalidName(name, f"{why} ({by} adds it)", fixes=_remedies(by))


def _remedies(by: str) -> tuple[str, ...]:
    return (f"update {by}", f"pip uninstall {by.partition(' ')[0]}")


def distribution_of(row: Row) -> str | None:
    """Return the name of the distribution that adds a row by an entry point; None for a row of Oneiric or of code."""
    same = (row.category, row.name, row.path)
    for by, item in _added():
        if isinstance(item, Row) and (item.category, item.name, item.path) == same:
            return by.partition(" ")[0]
    return None


@cache
def _added() -> tuple[tuple[str, Row | Category], ...]:
    """Load what other distributions add, each with the distribution; what cannot be loaded is never passed over."""
    from importlib.metadata import entry_points  # slow to import, and an application may never ask for it

    entries = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    return tuple((_distribution(entry), item) for entry in entries for item in _load(entry))


def _load(entry: EntryPoint) -> list[Row | Category]:
    by = _distribution(entry)
    try:
        found = load(entry.value)
    except AppNotImportable as error:
        why = f"{error.why} ({by} names it in {GROUP})"
        raise AppNotImportable(entry.value, why, fixes=_remedies(by)) from error
    items = list(found) if isinstance(found, Iterable) else [found]
    if not all(isinstance(item, (Row, Category)) for item in items):
        why = f"{by} names it in {GROUP}, and it holds something else than Row and Category objects"
        raise AppNotImportable(entry.value, why, fixes=_remedies(by))
    at = CodeOrigin(entry.value.partition(":")[0])
    return [replace(item, origin=at) if isinstance(item, Row) and item.origin is HERE else item for item in items]


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.name
