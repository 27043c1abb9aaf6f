"""The wiring of one container: from a winning binding to a built object, and from there into an injected call."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from oneiric.containers import active, scopes
from oneiric.containers.answer import Answer
from oneiric.containers.building import Builder, Keeper
from oneiric.containers.decoration import Decoration, in_order
from oneiric.containers.fitting import check_fit
from oneiric.containers.leases import Lease
from oneiric.containers.needs import Need, Way, read_needs
from oneiric.containers.quick import QuickEntry, QuickWay
from oneiric.containers.quick_call import QuickCall
from oneiric.containers.recipes import parts_of
from oneiric.containers.selection import Selection
from oneiric.containers.stack import Stack
from oneiric.core.choice import Wants
from oneiric.core.errors import MissingDependency, NeedsAsyncOpen, NoCandidate, OneiricError, UnknownSlot
from oneiric.core.markers import Factory, Ref
from oneiric.core.models import validated
from oneiric.core.secrets import Wanted
from oneiric.core.values import Value
from oneiric.providers.adapter import AdapterProvider, Closer, ObjectProvider, Opener
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Binding, Cell, Raw, Slot, own_provider

Entry = scopes.SiteEntry | QuickEntry | QuickCall  # one call that has something to build
_ABSENT = Cell(None)  # type: ignore[arg-type]  # the answer to an optional need that no slot meets
_ABSENT.live = None
ROUNDS = 3  # an optional secret that is missing lets a lower layer answer, which may name another one


async def _no_store(wanted: Iterable[Wanted]) -> None:
    """Fetch nothing: the container sets what does."""


class Wiring:
    """Builds what the slots of one container stand for, and hands it to injected functions."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.stack = stack
        self.opener: Opener | None = None
        self.fetch: Callable[[Iterable[Wanted]], Awaitable[None]] = _no_store
        self.fetch_now: Callable[[Iterable[Wanted]], None] = lambda wanted: None
        self.due: Callable[[], Iterable[Wanted]] = tuple
        self._builder = Builder(self)
        self.sites: dict[int, tuple[Any, ...]] = {}
        self._bound: dict[int, weakref.ref[Any]] = {}  # no application keeps a call site alive
        self._ways: dict[int, QuickWay | None] = {}
        self._views: weakref.WeakSet[Any] = weakref.WeakSet()  # what single contexts see of it
        self.ledger: list[Any] | None = None  # what code opened and has to end, while somebody keeps account of it

    @property
    def root(self) -> Wiring:
        """The wiring that scopes belong to."""
        return self

    @property
    def lease(self) -> Lease:
        """What holds the objects of the state in force."""
        return self.stack.lease

    @property
    def selection(self) -> Selection:
        """What the layers say."""
        return self.stack.selection

    def raw_settings(self, slot: Slot[Any], binding: Binding) -> Raw:
        """Return what layers say about the settings of a binding, as a mapping that can be compared."""
        return self.stack.raw_settings(slot, binding, self.selection)

    def builder_of(self, slot: Slot[Any]) -> Builder:
        """Return who builds the object of a slot."""
        return self._builder

    def decide(self, cell: Cell) -> Binding:
        """Return the winning binding of a cell's slot, and note it in the cell. Raises Refused if nobody wins."""
        with self.stack.lock:
            if cell.binding is None:
                binding = self.winner(cell.slot)
                if binding.value is not None:
                    check_fit(cell.slot, binding.value)
                cell.settings = self.raw_settings(cell.slot, binding)
                cell.decorations = cell.slot.decorations
                cell.binding = binding
            return cell.binding

    def voices(self, slot: Slot[Any]) -> Sequence[Binding]:
        """Return what layers say about a slot, high to low."""
        return slot.bindings[::-1]

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot. Raises as `Stack.winner`."""
        return self.stack.winner(slot)

    def provider_of(self, slot: Slot[Any], binding: Binding) -> Provider[Any]:
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

    def decorations_of(self, slot: Slot[Any], decorations: Sequence[Decoration]) -> Sequence[Decoration]:
        """Return those of the decorations that count in this profile, the innermost first."""
        return in_order(decorations, self.stack.profile)

    def needs_of(self, provider: Provider[Any]) -> Mapping[str, Need]:
        """Return what a provider's class or function asks for, by parameter."""
        return read_needs(provider.target) if isinstance(provider, ObjectProvider) else {}

    def answer(self, need: Need) -> Answer:
        """Return the slots that a need means. Raises as `Slots.find`."""
        if need.is_many:
            need.check()
            self.stack.widen()
            return Answer(need, tuple(self.stack.slots.by_name[name] for name in self.stack.slots.sorted_of(need.type)))
        slot = self.find(need)
        return Answer(need, () if slot is None else (slot,))

    def find(self, need: Need) -> Slot[Any] | None:
        """Return the one slot that a need means; None if it is optional and cannot be met. Raises as `Slots.find`."""
        slots, named = self.stack.slots, need.named
        if named is not None and not need.optional and named.name not in slots.aliases and named.name in slots.by_name:
            return slots.by_name[named.name]  # as most often
        try:
            slot = slots.find(need)
        except (UnknownSlot, MissingDependency):
            if not self.stack.widen():
                raise
            return self.find(need)
        if slot is None and self.stack.widen():
            return self.find(need)
        if slot is not None and need.optional:
            try:
                self.winner(slot)
            except NoCandidate:
                return None
            except OneiricError:
                return slot  # somebody chose what cannot be: the build says so
        return slot

    def values_of(self, slot: Slot[Any], binding: Binding) -> tuple[Any, list[Value]] | None:
        """Return the settings class of an adapter and the decided value of each field; None where it has none."""
        provider = self.provider_of(slot, binding)
        model = provider.settings_class if isinstance(provider, ObjectProvider) else None
        if model is None:
            return None
        return model, self.selection.values(self.stack.prefix(slot, binding) or slot.name, model)

    def values_for(self, slot: Slot[Any], adapter: str) -> tuple[Any, list[Value]] | None:
        """Return the same of an adapter of the slot's category that does not fill it; None where there is none."""
        row = self.stack.catalog.rows(slot.category or "").get(adapter)
        model = AdapterProvider(row.path).settings_class if row is not None else None
        return None if model is None else (model, self.selection.values(f"{slot.name}.{adapter}", model))

    async def fetch_secrets(self, slot: Slot[Any], binding: Binding) -> None:
        """Fetch the secrets that the settings of an adapter need; what one leads to may need another."""
        for turn in range(ROUNDS):
            if not (wanted := self._wanted(slot, binding, is_first=not turn)):
                return
            await self.fetch(wanted)

    def fetch_secrets_now(self, slot: Slot[Any], binding: Binding) -> None:
        """Do the same without waiting. Raises NeedsAsyncOpen if the store has to be waited for."""
        for turn in range(ROUNDS):
            if not (wanted := self._wanted(slot, binding, is_first=not turn)):
                return
            self.fetch_now(wanted)

    def _wanted(self, slot: Slot[Any], binding: Binding, *, is_first: bool) -> list[Wanted]:
        found = self.values_of(slot, binding)
        values = found[1] if found is not None else []
        wanted = [wanted for value in values for wanted in value.wanted]
        if is_first and (due := self.due()):  # what has outlived its time is read again, once, where it is used
            used = {share.secret for value in values if value.is_said for share in value.shares}
            wanted += [key for key in due if key[0] in used]
        return wanted

    def settings_of(self, slot: Slot[Any], binding: Binding) -> Any:
        """Return the validated settings of an adapter; None where its class has none. Raises InvalidValue."""
        found = self.values_of(slot, binding)
        return None if found is None else validated(*found)

    def keeper_of(self, slot: Slot[Any]) -> Keeper:
        """Return where a slot's object lives: the application, or the scope that is open."""
        if slot.scope == "app":
            return self
        return scopes.required(self, slot)

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot."""
        return slot.cell

    def own_cell(self, slot: Slot[Any]) -> Cell | None:
        """Return the cell of an app-scoped slot whose object belongs here; None where it has none, or another's."""
        return slot.cell

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built for the life of the application."""
        if self.opener is None:
            raise NeedsAsyncOpen(cell.slot.name, fixes=("use an Application: a bare container closes nothing",))
        self.opener.keep(cell, closer)

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open what was built for the life of the application."""
        if self.opener is None:
            raise NeedsAsyncOpen(cell.slot.name, fixes=("use an Application: a bare container opens nothing",))
        await self.opener.open(cell, built, settings)

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell; if what it was built from was replaced meanwhile, set the cell aside."""
        with self.stack.lock:
            cell.inputs = inputs
            cell.live = built
            slot = cell.slot
            if slot.cell is not cell:
                if slot.scope == "app" and cell not in slot.stash:
                    self.stack.discard([cell])  # the change that made it superfluous came while it was built
                return
            if inputs:
                self.stack.dependants.add(slot)
            if any(source.slot.scope == "app" and source.slot.cell is not source for source in inputs):
                slot.stash = (*slot.stash, cell)
                slot.cell = Cell(slot)
                self.stack.forget(())

    def build(self, slot: Slot[Any], way: Way | None = None) -> Any:
        """Return the object of a slot from synchronous code, building it if it is not there; `way` tells who asks."""
        home, cell = self._place(slot, way)
        return self._builder.get(cell, home, way)

    async def abuild(self, slot: Slot[Any], way: Way | None = None) -> Any:
        """Return the object of a slot from asynchronous code, building and opening it if it is not there."""
        home, cell = self._place(slot, way)
        return await self._builder.aget(cell, home, way)

    def _place(self, slot: Slot[Any], way: Way | None) -> tuple[Keeper, Cell]:
        """Return where a slot's object lives, and its cell there."""
        try:
            home = self.keeper_of(slot)
            return home, home.cell_of(slot)
        except OneiricError as error:
            error.path = Way(way, f"slot {slot.name}").nodes()
            raise

    async def abandon(self) -> None:
        """End the builds that are under way."""
        await self._builder.abandon()

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads; the site remembers those of the default application."""
        with self.stack.lock:
            found = self.sites.get(site.key)
            if found is None:
                found = tuple(map(self._cell_for, site.needs.values(), site.unbound))
                self._bound[site.key] = weakref.ref(site, partial(self._gone, site.key))
                self.sites[site.key] = found
                self.stack.is_read = True
            active.remember(site, self, found)
        return found

    def _cell_for(self, need: Need, unbound: Any) -> Any:
        """Return the cell that answers a need; `unbound` where each call has to look, and may find a fault."""
        if need.is_many:
            return unbound
        try:
            slot = self.find(need)
        except OneiricError:
            return unbound  # only a call that is not given the argument fails
        if slot is None:
            return _ABSENT
        if need.is_lazy:
            cell = Cell(slot)
            cell.live = self.handle(need, slot)
            return cell
        return self.cell_of(slot) if slot.scope == "app" else unbound

    def handle(self, need: Need, slot: Slot[Any]) -> Any:
        """Return a handle on a slot, which looks its object up, or makes a new one, when it is used."""
        if need.shape == "factory":
            return Factory(slot.name, partial(self._builder.make_new, slot))
        return Ref(slot.name, partial(self.look_up, slot), self.held)

    def held(self) -> Lease:
        """Return what holds the objects of the state in force."""
        return self.root.lease

    def look_up(self, slot: Slot[Any]) -> Any:
        """Return the object of a slot as the calling context sees it."""
        return slot()

    def enter(self, site: Any, given: tuple[Any, ...]) -> Entry:
        """Return the slow path of one injected call; where all is plain, that through recipes."""
        try:
            way = self._ways[site.key]
        except KeyError:
            way = self._look_for_way(site)
        entry: Entry = self._slowly(site, given) if way is None else way.enter(given)
        return entry

    def _look_for_way(self, site: Any) -> QuickWay | None:
        self._quick_way(site)  # it imports what is not imported yet, which may want the lock in another thread
        with self.stack.lock:  # so that it is kept before a change, which drops it, or made after that
            self.bind(site)  # so that it is told when something changes
            way = self._ways[site.key] = self._quick_way(site)
            self.stack.is_read = True
            if way is not None and site.kind == "coroutine":
                active.remember_way(site, self, way.enter)
        return way

    def _quick_way(self, site: Any) -> QuickWay | None:
        """Return how a call site is entered quickly; None where that cannot be."""
        is_async = site.kind == "coroutine"
        if not is_async and site.kind != "function":
            return None
        parts = parts_of(site.needs, self, is_async=is_async)
        if parts is None:
            return None
        build, entry = (self.abuild, QuickEntry) if is_async else (self.build, QuickCall)
        return QuickWay(self, parts, site.name, slow=partial(self._slowly, site), build=build, entry=entry)

    def _slowly(self, site: Any, given: tuple[Any, ...]) -> scopes.SiteEntry:
        self.bind(site)
        return scopes.SiteEntry(self, site, given)

    def reset(self) -> None:
        """Forget every object: the next use builds new ones."""
        self.stack.reset()

    def forget(self) -> None:
        """Drop the cells of all call sites: they look again."""
        self._ways.clear()
        for view in self.views:
            view.forget()
        if not self.sites:
            return  # the usual case while slots are declared, by thousands perhaps
        for bound in list(self._bound.values()):
            if (site := bound()) is not None:
                site.forget()
        self.sites.clear()
        self._bound.clear()

    @property
    def views(self) -> list[Any]:
        """What children and single contexts see of it; those that lie over others come after them."""
        if not self._views:
            return []
        with self.stack.lock:
            return sorted(self._views, key=lambda view: view.number)

    def show(self, view: Any) -> None:
        """Tell a view of every change from now on, as long as somebody keeps it."""
        with self.stack.lock:
            self._views.add(view)

    def hide(self, view: Any) -> None:
        """Tell a view of no change any more."""
        with self.stack.lock:
            self._views.discard(view)

    def _gone(self, key: int, site: weakref.ref[Any]) -> None:
        self._bound.pop(key, None)
        self.sites.pop(key, None)
        self._ways.pop(key, None)

    def look(self, slot: Slot[Any]) -> tuple[Binding | None, OneiricError | None]:
        """Return the binding that fills a slot, or the fault that keeps it from one."""
        try:
            return self.winner(slot), None
        except OneiricError as error:
            return None, error.with_traceback(None)  # kept as long as the index, which its frames would keep too

    def asks(self, slot: Slot[Any]) -> Mapping[str, Need]:
        """Return what a slot's winner, or a registered function, needs."""
        binding = self.winner(slot)
        provider = self.provider_of(slot, binding)
        if slot.kind in {"adapter", "object"}:
            needs = self.needs_of(provider)
            if slot.decorations:
                around = self.decorations_of(slot, slot.decorations)
                return {**needs, **{need.at: need for one in around for need in one.needs.values()}}
            return needs
        target: Any = getattr(provider, "provides", None)
        return read_needs(target) if hasattr(target, "__qualname__") else {}

    def match(self, need: Need) -> tuple[tuple[Slot[Any], ...], OneiricError | None]:
        """Return the slots that a need means, or the fault that keeps it from them."""
        try:
            return self.answer(need).slots, None
        except OneiricError as error:
            return (), error.with_traceback(None)

    def lacks(self, slot: Slot[Any], need: Need) -> frozenset[str]:
        """Return the capabilities that a need asks for and the slot's adapter does not have."""
        asked = need.named
        if asked is None or not (asked.capabilities or asked.any_of):
            return frozenset()
        offer = self.selection.offers(slot).get(self.winner(slot).chosen or "")
        wants = Wants(asked.capabilities, frozenset({asked.any_of} if asked.any_of else ()))
        return wants.missing(offer) if offer is not None else frozenset()

    def every_slot(self) -> list[Slot[Any]]:
        """Return every slot and every registered function."""
        return list(self.stack.slots.every())
