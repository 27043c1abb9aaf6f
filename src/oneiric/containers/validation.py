"""Validation: every fault of an application in one report, before anything is built."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from oneiric.containers import active
from oneiric.containers.fitting import check_fit
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer
from oneiric.containers.sections import Sections
from oneiric.containers.slots import Slots
from oneiric.containers.wiring import Wiring
from oneiric.core.aliases import spellings
from oneiric.core.errors import OneiricError, UnknownKey, UnknownSlot
from oneiric.core.models import faults_of, warnings_of
from oneiric.core.texts import folded
from oneiric.core.values import Value
from oneiric.providers.slot import Slot

FRAMEWORK_SECTIONS = frozenset({"activity", "app", "push", "remote", "secrets", "swap", "web"})


class Checked(Protocol):
    """What validation asks of a container."""

    @property
    def wiring(self) -> Wiring:
        """Finds and builds."""

    @property
    def slots(self) -> Slots:
        """What is declared."""

    @property
    def sections(self) -> Sections:
        """The sections of the configuration."""

    @property
    def index(self) -> Index:
        """The records of the state in force."""


def validate(container: Checked) -> tuple[list[OneiricError], list[OneiricError]]:
    """Return faults and warnings, each with path, origin and fixes; sorted by code, then by text."""
    faults = state_faults(container, container.wiring.stack.layers)
    warnings = [*_unread_settings(container), *_setting_warnings(container), *_free_sites(container)]
    return _sorted(faults), _sorted(warnings)


def state_faults(
    container: Checked, layers: Iterable[LayerContainer], among: Collection[Slot[Any]] | None = None
) -> list[OneiricError]:
    """Return the faults of a state: of names in these layers, of the graph, and of settings; of some slots, or all."""
    index = container.index
    return [*_layer_faults(container, layers), *index.faults(among), *_setting_faults(container, among)]


def added(found: Iterable[OneiricError], known: Iterable[OneiricError]) -> list[OneiricError]:
    """Return the faults that are not among known ones, each once; on which way they were found makes no difference."""
    told = {_identity(fault) for fault in known}
    return list({key: fault for fault in found if (key := _identity(fault)) not in told}.values())


def _identity(fault: OneiricError) -> tuple[str, str, tuple[str, ...]]:
    is_of_need = bool(fault.path) and fault.path[-1].endswith(")")  # a parameter, below the slot that asks by it
    return fault.code, fault.message, fault.path[-2:] if is_of_need else fault.path[-1:]


def _sorted(found: list[OneiricError]) -> list[OneiricError]:
    unique = {str(error): error for error in found}
    return sorted(unique.values(), key=lambda error: (error.code, str(error)))


def _layer_faults(container: Checked, layers: Iterable[LayerContainer]) -> Iterator[OneiricError]:
    """Names that no slot has, and bindings that do not fit their slot, in every layer that speaks."""
    stack = container.wiring.stack
    for layer in layers:
        if layer.rank(stack.profile) is None:
            continue
        for key, said in () if layer in stack.checked else layer.bindings.items():
            path: tuple[str, ...] = (f"layer {layer.name}",)
            try:
                slot = stack.meant(layer, key) or stack.resolve(key)
                path = (*path, f"slot {slot.name}")
                if not isinstance(said.value, str):
                    check_fit(slot, said.value)
            except OneiricError as error:
                error.origin, error.path = said.origin, path
                yield error
        for name, origins in layer.deny.items():
            if name not in container.slots.by_name:
                origin = next(iter(origins.values()), layer.origin)
                yield UnknownSlot(name, known=container.slots.by_name, origin=origin, path=(f"layer {layer.name}",))


def _setting_faults(container: Checked, among: Collection[Slot[Any]] | None) -> Iterator[OneiricError]:
    """The settings of every adapter that is used, and of the sections."""
    wiring, index = container.wiring, container.index
    for slot in _in_use(index, among):
        binding = wiring.winner(slot)
        if binding.value is None:
            adapter = wiring.provider_of(slot, binding)
            try:
                check_fit(slot, adapter)
            except OneiricError as error:
                error.origin = binding.origin
                yield error
    for owner, model, values in settings_in_use(container, among):
        for fault in faults_of(model, values):
            if owner is not None:
                fault.path = fault.path or index.path_to(owner)
            yield fault


def settings_faults(model: Any, values: Sequence[Value]) -> Iterator[OneiricError]:
    """Yield the faults of the settings of one adapter."""
    yield from faults_of(model, values)


def settings_in_use(
    container: Checked, among: Collection[Slot[Any]] | None = None
) -> Iterator[tuple[Slot[Any] | None, Any, Sequence[Value]]]:
    """Yield every settings model that counts, with its decided values: of the adapters in use, and of the sections."""
    wiring, index = container.wiring, container.index
    told: set[str | None] = set()  # sections that a slot hands on
    for slot in _in_use(index, among):
        binding = wiring.winner(slot)
        found = wiring.values_of(slot, binding)
        if found is not None:
            told.add(wiring.stack.prefix(slot, binding))
            yield slot, *found
    selection = wiring.selection
    for name in container.sections:
        is_read = container.sections.is_loaded(name) or name in selection.words.parents
        if is_read and name not in told:  # others have their defaults, and fit
            model = container.sections[name]
            yield None, model, selection.values(name, model)


def _in_use(index: Index, among: Collection[Slot[Any]] | None) -> Iterator[Slot[Any]]:
    """Yield the slots of adapters and objects that are in use and have somebody who fills them; of some, or of all."""
    for slot in index.records if among is None else among:
        if slot in index.used and index.records[slot].fault is None and slot.kind in {"adapter", "object"}:
            yield slot


def _setting_warnings(container: Checked) -> Iterator[OneiricError]:
    for _, model, values in settings_in_use(container):
        yield from warnings_of(model, values)


def _unread_settings(container: Checked) -> Iterator[OneiricError]:
    """Settings that no slot, adapter or section reads, with the nearest name; a likely misspelling."""
    words = container.wiring.stack.selection.words
    known = _known_keys(container) if words.by_key else set()
    read = known | {folded(key) for key in known}
    known |= {f"select.{name}" for name in container.slots.by_name} if known else set()  # for a misspelt `select`
    for speaker in words.speakers:
        for key, said in speaker.said.items():
            if said.value != {} and not _is_read(key, read):
                yield UnknownKey(key, known=known, origin=said.origin)


def _known_keys(container: Checked) -> set[str]:
    """Return the keys of sections and of the adapters in use; `slot.adapter.*` for adapters that are not imported."""
    wiring = container.wiring
    read = (name for name in container.sections if name in wiring.stack.selection.words.parents)
    known = {f"{name}.{field}" for name in read for field in _fields(container.sections[name])}
    for name, slot in container.slots.by_name.items():
        in_use = slot in container.index.used and container.index.records[slot].fault is None
        binding = wiring.stack.winner(slot) if in_use else None
        found = wiring.values_of(slot, binding) if binding is not None else None
        if found is not None:
            known |= {value.field.key for value in found[1]}
        for adapter in wiring.stack.selection.offers(slot):
            if binding is None or adapter != binding.chosen:
                known.add(f"{name}.{adapter}.*")
    return known


def _fields(model: type) -> list[str]:
    return sorted({*getattr(model, "model_fields", {}), *(spellings(model) if hasattr(model, "model_fields") else ())})


def _is_read(key: str, known: set[str]) -> bool:
    parts = key.split(".")
    if parts[0] in FRAMEWORK_SECTIONS and not any(key.startswith(parts[0] + ".") for key in known):
        return True  # a section that is read elsewhere, and not by this program
    heads = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return any(head in known or f"{head}.*" in known for head in heads)


def _free_sites(container: Checked) -> Iterator[OneiricError]:
    """
    Injected functions that are not registered, and ask for a slot that this application lacks.

    A process may hold several applications: only functions of the packages that this one was declared in count.
    """
    packages = {_package(slot.at) for slot in container.slots.every() if slot.at}
    for site in active.sites():
        if site.is_registered or not _is_in(_package(site.name), packages):
            continue
        for need in site.needs.values():
            _, fault = container.wiring.match(need)
            if fault is not None:
                fault.path = (need.at,)
                yield fault


def _is_in(package: str, packages: Collection[str]) -> bool:
    """Tell whether a package is one of these, or below one."""
    return any(package == one or package.startswith(one + ".") for one in packages)


def _package(place: str) -> str:
    """Return the package that holds the module of `module:line` or `module:qualname`; a module that has none is one."""
    module = place.partition(":")[0]
    return module.rpartition(".")[0] or module
