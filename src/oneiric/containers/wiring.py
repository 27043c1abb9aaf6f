"""The wiring of one container: from a winning binding to a built object, and from there into an injected call."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from oneiric.containers import active, scopes
from oneiric.containers.building import Builder, Keeper
from oneiric.containers.fitting import check_fit
from oneiric.containers.needs import Need, read_needs
from oneiric.containers.stack import Stack
from oneiric.core.config import Value, validated
from oneiric.core.errors import NeedsAsyncOpen, OneiricError
from oneiric.providers.adapter import AdapterProvider, Closer, ObjectProvider, Opener
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Binding, Cell, Slot, own_provider

_ABSENT = Cell(None)  # type: ignore[arg-type]  # the answer to an optional need that no slot meets
_ABSENT.live = None


class Wiring:
    """Builds what the slots of one container stand for, and hands it to injected functions."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.stack = stack
        self.opener: Opener | None = None
        self._builder = Builder(self)
        self.sites: dict[weakref.ref[Any], tuple[Any, ...]] = {}

    def decide(self, cell: Cell) -> Binding:
        """Return the winning binding of a cell's slot, and note it in the cell. Raises Refused if nobody wins."""
        with self.stack.lock:
            if cell.binding is None:
                binding = self.stack.winner(cell.slot)
                if binding.value is not None:
                    check_fit(cell.slot, binding.value)
                cell.settings = self.stack.raw_settings(cell.slot, binding)
                cell.binding = binding
            return cell.binding

    def provider_of(self, slot: Slot, binding: Binding) -> Provider[Any]:
        """Return the engine's provider of a binding, made on first use."""
        if binding.provider is None:
            if binding.chosen is not None:
                row = self.stack.catalog.rows(slot.category or "")[binding.chosen]
                binding.provider = AdapterProvider(row.path)
            elif isinstance(binding.value, type) and slot.kind in {"adapter", "object"}:
                binding.provider = ObjectProvider(binding.value)
            else:
                binding.provider = own_provider(binding.value)
        return binding.provider

    def needs_of(self, provider: Provider[Any]) -> Mapping[str, Need]:
        """Return what a provider's class or function asks for, by parameter."""
        return read_needs(provider.target) if isinstance(provider, ObjectProvider) else {}

    def find(self, need: Need) -> Slot | None:
        """Return the slot that a need means; None if it is optional and cannot be met. Raises as `Registry.find`."""
        slot = self.stack.registry.find(need)
        if slot is not None and need.optional and not slot.bindings and self.stack.state(slot)[0] is None:
            return None
        return slot

    def values_of(self, slot: Slot, binding: Binding) -> tuple[Any, list[Value]] | None:
        """Return the settings class of an adapter and the decided value of each field; None where it has none."""
        provider = self.provider_of(slot, binding)
        model = provider.settings_class if isinstance(provider, ObjectProvider) else None
        if model is None:
            return None
        adapter = binding.chosen or model.__qualname__.split(".")[0]
        return model, self.stack.selection.values(f"{slot.name}.{adapter}", model)

    def settings_of(self, slot: Slot, binding: Binding) -> Any:
        """Return the validated settings of an adapter; None where its class has none. Raises InvalidValue."""
        found = self.values_of(slot, binding)
        return None if found is None else validated(*found)

    def keeper_of(self, slot: Slot, keeper: Keeper) -> Keeper:
        """Return where a slot's object lives: the application, or the scope that is open."""
        if slot.scope == "app":
            return self
        return keeper if keeper is not self else scopes.required(self, slot)

    def cell_of(self, slot: Slot) -> Cell:
        """Return the cell that holds the object of an app-scoped slot."""
        return slot.cell

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built for the life of the application."""
        if self.opener is None:
            raise NeedsAsyncOpen(cell.slot.name, fixes=("use an Application: a bare container closes nothing",))
        self.opener.keep(cell, closer)

    async def open(self, cell: Cell, built: Any) -> None:
        """Open what was built for the life of the application."""
        if self.opener is None:
            raise NeedsAsyncOpen(cell.slot.name, fixes=("use an Application: a bare container opens nothing",))
        await self.opener.open(cell, built)

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell; if what it was built from was replaced meanwhile, set the cell aside."""
        with self.stack.lock:
            cell.inputs = inputs
            cell.live = built
            slot = cell.slot
            if slot.cell is not cell:
                return
            if inputs:
                self.stack.dependants.add(slot)
            if any(source.slot.scope == "app" and source.slot.cell is not source for source in inputs):
                slot.stash = (*slot.stash, cell)
                slot.cell = Cell(slot)

    def build(self, slot: Slot) -> Any:
        """Return the object of a slot from synchronous code, building it if it is not there."""
        if slot.scope == "app":
            return self._builder.get(slot.cell, self)
        scope = scopes.required(self, slot)
        return self._builder.get(scope.cell_of(slot), scope)

    async def abuild(self, slot: Slot) -> Any:
        """Return the object of a slot from asynchronous code, building and opening it if it is not there."""
        if slot.scope == "app":
            return await self._builder.aget(slot.cell, self)
        scope = scopes.required(self, slot)
        return await self._builder.aget(scope.cell_of(slot), scope)

    async def abandon(self) -> None:
        """End the builds that are under way."""
        await self._builder.abandon()

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads; the site remembers those of the default application."""
        with self.stack.lock:
            found = self.sites.get(site.key)
            if found is None:
                slots = self.slots_of(site)
                is_scoped = any(slot is not None and slot.scope != "app" for slot in slots)
                found = site.unbound if is_scoped else tuple(_ABSENT if s is None else s.cell for s in slots)
                self.sites[weakref.ref(site, self._gone)] = found
            default = active.default()
            if default is not None and default.wiring is self:
                site.store(found)
        return found

    def slots_of(self, site: Any) -> list[Slot | None]:
        """Return the slots an injected function needs, None where an optional one is absent."""
        return [self.find(need) for need in site.needs.values()]

    def enter(self, site: Any, given: tuple[Any, ...]) -> scopes.SiteEntry:
        """Return the slow path of one injected call."""
        self.bind(site)
        return scopes.SiteEntry(self, site, given)

    def forget(self) -> None:
        """Drop the cells of all call sites: they look again."""
        for key in list(self.sites):
            if (site := key()) is not None:
                site.forget()
        self.sites.clear()

    def _gone(self, key: weakref.ref[Any]) -> None:
        self.sites.pop(key, None)

    def look(self, slot: Slot) -> tuple[str | None, str | None, OneiricError | None]:
        """Return label and layer of a slot's winner, or the fault that keeps it from one."""
        try:
            binding = self.stack.winner(slot)
        except OneiricError as error:
            return None, slot.bindings[-1].layer if slot.bindings else None, error
        return binding.label, binding.layer, None

    def asks(self, slot: Slot) -> Mapping[str, Need]:
        """Return what a slot's winner, or a registered function, needs."""
        binding = self.stack.winner(slot)
        provider = self.provider_of(slot, binding)
        target = getattr(provider, "target", None) or getattr(provider, "provides", None)
        # An object that somebody bound is made already: only a class or a function can ask for anything.
        return read_needs(target) if hasattr(target, "__qualname__") else {}

    def match(self, need: Need) -> tuple[Slot | None, OneiricError | None]:
        """Return the slot that a need means, or the fault that keeps it from one."""
        try:
            return self.find(need), None
        except OneiricError as error:
            return None, error

    def lacks(self, slot: Slot, need: Need) -> frozenset[str]:
        """Return the capabilities that a need asks for and the slot's adapter does not have."""
        if need.named is None or not need.named.capabilities:
            return frozenset()
        chosen = self.stack.winner(slot).chosen
        offer = self.stack.selection.offers(slot).get(chosen or "")
        return need.named.capabilities - offer.capabilities if offer is not None else frozenset()

    def every_slot(self) -> list[Slot]:
        """Return every slot and every registered function."""
        return list(self.stack.registry.every())
