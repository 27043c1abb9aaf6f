"""What has to be installed for an application in one profile: the extras of the adapters it reaches, as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from oneiric.containers.container import Container
from oneiric.containers.graph import FUNCTIONS
from oneiric.containers.secret_uses import secret_uses
from oneiric.containers.selection import SECRETS
from oneiric.containers.validation import settings_in_use
from oneiric.core.errors import OneiricError, SelectionNotInstalled
from oneiric.providers.catalog import Catalog, Row, distribution_of
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Binding, Slot

DISTRIBUTION = "oneiric"
# What the store and the environment of this machine lack says nothing of the machine that the bundle is for.
OF_THIS_MACHINE = frozenset({"missing-required", "secret-field-not-found", "secret-not-found", "secret-unavailable"})


class Use(NamedTuple):
    """A slot whose adapter needs something installed: the extra, or where there is none, the distribution itself."""

    slot: str
    adapter: str
    extra: str | None


class Requirement(NamedTuple):
    """
    One distribution to install.

    Attributes:
        distribution: Its name.
        version: The version that is installed here.
        extras: Sorted.
        uses: Who needs it, by slot; of Oneiric itself only who needs an extra.
    """

    distribution: str
    version: str
    extras: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()

    @property
    def line(self) -> str:
        """The requirement as pip reads it: `oneiric[gcp-secrets,redis]==1.0`."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.distribution}{extras}=={self.version}"


class Bundle(NamedTuple):
    """
    What to install.

    Attributes:
        requirements: Oneiric first, then other distributions by name. What the application's own code imports is not
            among them: that stands where its distribution declares it.
        faults: Why there is no bundle to trust.
        warnings: Faults of this machine only, which lacks a secret or a value.
    """

    requirements: tuple[Requirement, ...]
    faults: tuple[OneiricError, ...] = ()
    warnings: tuple[OneiricError, ...] = ()


def functions(container: Container) -> list[str]:
    """Return the names of the registered functions, which a bundle can be made for; sorted."""
    return sorted({slot.name for slot in container.index.records if slot.kind in FUNCTIONS})


def bundle(container: Container, only: str | None = None) -> Bundle:
    """
    Return what has to be installed for an application; nothing is opened, and no SDK is imported.

    Needed is what registered functions and eager slots reach, every adapter that a layer chooses, since the application
    does not start without it, and the secret store where a setting in use may come from it.

    Args:
        container: The application, in the profile that is asked about. An adapter that a layer chooses need not be
            installed here.
        only: A registered function: what it reaches, and nothing else.
    """
    with _installed_as_chosen(container):
        found, _ = container.faults()
        faults = tuple(fault for fault in found if fault.code not in OF_THIS_MACHINE)
        warnings = tuple(fault for fault in found if fault.code in OF_THIS_MACHINE)
        slots = _needed(container, only)
        needed = [(slot, row) for slot in slots if (row := _row(container, slot)) is not None]
    return Bundle(tuple(_requirements(needed)), faults, warnings)


@contextmanager
def _installed_as_chosen(container: Container) -> Iterator[None]:
    """Let the adapters that layers choose count as installed, as they are where the bundle is."""
    stack = container.stack
    with stack.lock:
        faults = [(record.slot.category, record.fault) for record in container.index.records.values()]
        absent = {(category, one.adapter) for category, one in faults if isinstance(one, SelectionNotInstalled)}
        here = stack.catalog
        rows = [replace(row, sdk=None) if (row.category, row.name) in absent else row for row in here.all_rows()]
        stack.catalog = Catalog(here.categories().values(), rows, third_party=False)
        stack.forget()
        try:
            yield
        finally:
            stack.catalog = here
            stack.is_read = True
            stack.forget()


def _needed(container: Container, only: str | None) -> list[Slot[Any]]:
    """Return the slots whose adapters are needed, by name."""
    index = container.index
    if only is None:
        slots = _reached(container, index.used)
    else:
        slots = _reached(container, (s for s in index.records if s.kind in FUNCTIONS and s.name == only))
    slots |= _reached(container, _store(container, slots))
    if only is None:
        slots |= {slot for slot in index.records if slot.bindings or slot.at}
    return sorted((slot for slot in slots if slot.kind not in FUNCTIONS), key=lambda slot: slot.name)


def _reached(container: Container, roots: Iterable[Slot[Any]]) -> set[Slot[Any]]:
    """Return slots with all that they need."""
    work = list(roots)
    seen = set(work)
    while work:
        for edge in container.index.read(container.wiring, work.pop()).edges:
            if edge.slot is not None and edge.slot not in seen:
                seen.add(edge.slot)
                work.append(edge.slot)
    return seen


def _store(container: Container, slots: set[Slot[Any]]) -> list[Slot[Any]]:
    """Return slot `secrets`, if a setting of these slots or of a section may come from its store."""
    store = container.slots.by_name.get(SECRETS)
    if store is None:
        return []
    record = container.index.records[store]
    if container.profile.own_store and record.layer != "explicit":
        return []  # such a profile reads no other store than the one that is bound there
    models = (values for owner, _, values in settings_in_use(container) if owner is None or owner in slots)
    uses = secret_uses((value for values in models for value in values), container.secrets)
    return [store] if any(True for _ in uses) else []


def _row(container: Container, slot: Slot[Any]) -> Row | None:
    """Return the row of the adapter that fills a slot; None where nobody does, or something of the application's."""
    binding = container.index.records[slot].winner
    rows = container.catalog.rows(slot.category or "")
    if binding is None:
        return None
    if binding.chosen is not None:
        return rows[binding.chosen]
    path = _path(binding)
    return next((row for row in rows.values() if row.path == path), None)


def _path(binding: Binding) -> str:
    """Return the path of the class that a layer brings, or of the object's class."""
    made = getattr(binding.value, "target", None) if isinstance(binding.value, Provider) else binding.value
    kind = made if isinstance(made, type) else type(made)
    return f"{kind.__module__}:{kind.__qualname__}"


def _requirements(needed: Iterable[tuple[Slot[Any], Row]]) -> Iterator[Requirement]:
    """Yield one requirement for each distribution that has to be there."""
    from importlib.metadata import version  # slow to import, and only a bundle asks

    uses: dict[str, list[Use]] = {DISTRIBUTION: []}
    for slot, row in needed:
        other = distribution_of(row)
        is_theirs = other is not None and row.extra is not None and _provides(other, row.extra)
        if other is not None:
            uses.setdefault(other, []).append(Use(slot.name, row.name, row.extra if is_theirs else None))
        if row.extra is not None and not is_theirs:
            uses[DISTRIBUTION].append(Use(slot.name, row.name, row.extra))
    for name in [DISTRIBUTION, *sorted(uses.keys() - {DISTRIBUTION})]:
        extras = sorted({use.extra for use in uses[name] if use.extra is not None})
        yield Requirement(name, version(name), tuple(extras), tuple(uses[name]))


def _provides(distribution: str, extra: str) -> bool:
    """
    Tell whether a distribution has an extra.

    Source: the core metadata specification, `Provides-Extra`; names are compared as PEP 685 says.
    """
    from importlib.metadata import metadata

    known = metadata(distribution).get_all("Provides-Extra") or []
    return _normal(extra) in map(_normal, known)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
