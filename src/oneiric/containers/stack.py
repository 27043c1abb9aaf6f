"""The stack of layers of one container: what is applied, what it binds, and which state of each slot follows."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from oneiric.containers import cells
from oneiric.containers.decoration import Decoration
from oneiric.containers.fitting import check_fit
from oneiric.containers.layers import LayerContainer
from oneiric.containers.leases import Lease
from oneiric.containers.selection import CODE_RANK, NOTHING, SECRETS, Rules, Selection
from oneiric.containers.slots import Slots
from oneiric.core.choice import Choice, Offer
from oneiric.core.errors import AmbiguousType, OneiricError, UnknownSlot
from oneiric.core.profiles import LAYERS, Profile
from oneiric.core.secrets import SecretRules
from oneiric.core.sources import Said
from oneiric.providers.adapter import SettingsProvider
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Binding, Cell, Raw, Slot, described


class Stack:
    """
    Layers in rank order, put in and taken out in any order of time.

    Every change is made under one lock and seen as a whole: call sites look again, and slots show the cell of their new
    state.

    Attributes:
        layers: What is applied, lowest first; a layer that is silent in this profile is kept at the bottom.
        applied: What each of them has bound, by the key it used; a layer may be applied to several containers.
        checked: The layers of which all that they bind was found to fit.
        lock: Held while the stack changes, and while a call site reads several cells.
        lease: What holds the objects of the state in force.
        dependants: The slots whose built object was made from other slots.
        is_read: Something was derived from the state since it last changed. Slots are declared by thousands, and each
            would drop what nobody made.
        changes: How often a state ended.
        forgotten: Called after every change of what was read, when slots show their new cells, so that what was derived
            from the old state is dropped.
        discard: Called with built cells that no state leads back to.
        rules: Returns the rules by which secrets count in a state.
    """

    def __init__(self, slots: Slots, catalog: Catalog, profile: Profile) -> None:
        self.slots = slots
        self.catalog = catalog
        self.profile = profile
        self.layers: tuple[LayerContainer, ...] = ()
        self.applied: dict[LayerContainer, dict[Any, Binding]] = {}
        self.checked: set[LayerContainer] = set()
        self.lock = threading.RLock()
        self.dependants: set[Slot[Any]] = set()
        self.is_read = False
        self.changes = 0
        self.forgotten: Callable[[], None] = lambda: None
        self._moved: dict[Slot[Any], None] | None = None
        self._meant: weakref.WeakKeyDictionary[LayerContainer, dict[Any, Slot[Any]]] = weakref.WeakKeyDictionary()
        self.discard: Callable[[Sequence[Cell]], None] = lambda cells: None
        self.rules: Rules = lambda selection: SecretRules()
        self._ranked: dict[tuple[str, str], Binding] = {}
        self._selection: Selection | None = None
        self._before: Selection | None = None  # that of the state before, where slots are declared as they were
        self.lease = Lease()
        self._is_wide = False
        self._held_back: list[Slot[Any]] | None = None  # slots of a change that is not seen before it is whole

    @property
    def selection(self) -> Selection:
        """What the layers say now, in the profile in force."""
        with self.lock:  # else one that was made from the layers of before could be kept after a change
            if self._selection is None:
                self.is_read = True
                self._selection = self.selection_in(self.profile, self.layers, self._before)
                self._before = None
            return self._selection

    def is_in_force(self, selection: Selection) -> bool:
        """Tell whether a state says of settings and secrets what the layers say now."""
        last = self._selection or self._before
        return selection is last or selection.shares(last)

    def selection_in(
        self, profile: Profile, layers: Iterable[LayerContainer], before: Selection | None = None
    ) -> Selection:
        """Return what layers say in a profile, which need not be the one in force; see `Selection` for `before`."""
        slots = self.slots
        before = None if SECRETS in slots.aliases.values() else before
        return Selection(
            self.catalog, profile, layers, slots.owned, rules=self.rules, protected=slots.protected, before=before
        )

    def put(self, layer: LayerContainer) -> LayerContainer:
        """Apply a layer, above those of its own name; returns what was applied: its twin if it is applied already."""
        with self.lock:
            if layer in self.applied:
                layer = layer.again()
            self.applied[layer] = {}
            stack = [*self.layers, layer]
            self.layers = tuple(sorted(stack, key=lambda item: self._place(item.name)))
            self.move([*self.bind(layer), *self._marked(layer)])
        return layer

    def drop(self, layer: LayerContainer) -> None:
        """Take a layer away, wherever it is; one that is not applied is ignored."""
        with self.lock:
            if layer not in self.applied:
                return
            self.layers = tuple(other for other in self.layers if other is not layer)
            slots = self.spoken(layer)
            gone = set(self.applied.pop(layer).values())
            self.checked.discard(layer)
            for slot in slots:
                slot.bindings = tuple(binding for binding in slot.bindings if binding not in gone)
            self.move(slots)

    def use_profile(self, profile: Profile) -> None:
        """Rank the layers by another profile."""
        with self.lock:
            if profile is self.profile:
                return
            layers, self.profile = self.layers, profile
            for layer in reversed(layers):
                self.drop(layer)
            for layer in layers:
                self.put(layer)
            self.forget()

    def decorate(self, slot: Slot[Any], decoration: Decoration) -> None:
        """Let one more function wrap the object of a slot."""
        with self.lock:
            slot.decorations = (*slot.decorations, decoration)
            self.move([slot])

    def undecorate(self, slot: Slot[Any], decoration: Decoration) -> None:
        """Take a decoration away; one that is not there is ignored."""
        with self.lock:
            if decoration in slot.decorations:
                slot.decorations = tuple(one for one in slot.decorations if one is not decoration)
                self.move([slot])

    def layers_after(self, drop: Iterable[LayerContainer], put: Iterable[LayerContainer]) -> tuple[LayerContainer, ...]:
        """Return the layers as they would be after some went and others came, in rank order."""
        gone = set(drop)
        stack = [*(layer for layer in self.layers if layer not in gone), *put]
        return tuple(sorted(stack, key=lambda item: self._place(item.name)))

    def spoken(self, layer: LayerContainer) -> list[Slot[Any]]:
        """Return the slots a layer speaks about: by a binding, a setting or a denial; it need not be applied."""
        found = [*(self.meant(layer, key) for key in layer.bindings), *self._marked(layer)]
        return [slot for slot in dict.fromkeys(found) if slot is not None]

    def layer_of(self, binding: Binding) -> LayerContainer | None:
        """Return the applied layer that a binding belongs to."""
        return next((layer for layer, applied in self.applied.items() if binding in applied.values()), None)

    def bind(self, layer: LayerContainer, keys: Iterable[Any] | None = None) -> list[Slot[Any]]:
        """
        Bind what a layer says to the slots that have none of it yet; a name without a slot waits for its slot.

        Args:
            layer: The layer.
            keys: What to bind, of all that the layer says; everything by default.
        """
        rank = layer.rank(self.profile)
        if rank is None:
            return []
        bound: list[Slot[Any]] = []
        applied = self.applied[layer]
        slots = self.slots.by_name
        for key in layer.bindings if keys is None else keys:
            slot = slots.get(key) or self.meant(layer, key)
            if slot is None or key in applied:
                continue
            if not isinstance(key, (str, Slot)):
                self._meant.setdefault(layer, {})[key] = slot
            binding = applied[key] = Binding(layer.name, rank, layer.bindings[key])
            slot.bindings = _insert(slot.bindings, binding) if slot.bindings else (binding,)
            bound.append(slot)
        return bound

    def placed(self, slot: Slot[Any], *aliases: str) -> None:
        """
        Note that a slot was declared, or got a further name: layers applied before may speak about it.

        The caller holds the lock, since it declares in the same breath.
        """
        for layer in self.layers:
            if len(self.applied[layer]) < len(layer.bindings):
                types = layer.bindings if slot.type is None else (slot.type,)
                keys = [slot.name, f"{slot.child}.{slot.name}", *aliases]
                keys += [key for key in types if not isinstance(key, str) and self.lookup(key) is slot]
                self.bind(layer, [key for key in keys if key in layer.bindings])
        self.forget()

    def move(self, slots: Sequence[Slot[Any]]) -> None:
        """Make a change visible: all call sites look again, and what nobody can read any more is discarded."""
        if self._held_back is not None:
            self._held_back += slots
            return
        was_read = self._end_state(slots)
        gone = [cell for cell in cells.move(slots, self.dependants, self.state, self.is_said) if cell.is_built]
        if was_read:
            self.forgotten()
        if gone:
            self.discard(gone)

    @contextmanager
    def as_one(self) -> Iterator[list[Slot[Any]]]:
        """Let several layers go and come as one change, which `renew` makes visible; yields the slots it moves."""
        moved = self._held_back = []
        try:
            yield moved
        finally:
            self._held_back = None

    def renew(self, moved: Sequence[Slot[Any]], selection: Selection | None) -> None:
        """
        Begin another state, in which some slots are otherwise; `forgotten` is to be called when they show it.

        Args:
            moved: The slots.
            selection: What the layers say now, where that was found out already.
        """
        self.lease = Lease((self.lease.generation or 0) + 1)  # before call sites look again
        self._end_state(moved)
        if selection is not None and selection.shares(self._before):
            self._selection, self._before, self.is_read = selection, None, True

    def reset(self) -> None:
        """Forget every object: the next use builds new ones."""
        with self.lock:
            for slot in self.slots.every():
                slot.cell, slot.stash = Cell(slot), ()
            self.dependants.clear()
            self.is_read = True
            self.forget()

    def forget(self, moved: Iterable[Slot[Any]] | None = None) -> None:
        """Drop what was derived from an older state, in which some slots were otherwise; by default all of them."""
        if self._end_state(moved):
            self.forgotten()

    def _end_state(self, moved: Iterable[Slot[Any]] | None) -> bool:
        """End a state; returns whether something was derived from it, so that call sites and views must look again."""
        self.changes += 1
        self._before = None if moved is None else self._selection or self._before
        if moved is None:
            self._moved = None
        elif self._moved is not None:
            self._moved.update(dict.fromkeys(moved))
        was_read, self.is_read = self.is_read, False
        if was_read:
            self._selection = None
        return was_read

    @property
    def is_moved(self) -> bool:
        """Whether a slot is otherwise than when `moved` was asked last."""
        return self._moved is None or bool(self._moved)

    def moved(self) -> Iterable[Slot[Any]] | None:
        """Return the slots that are otherwise than when this was asked last; None where all of them may be."""
        found, self._moved = self._moved, {}
        return found

    def winner(self, slot: Slot[Any]) -> Binding:
        """
        Return the binding that fills a slot; the same object for the same state.

        Raises:
            Refused: Nobody fills it, or who was chosen cannot; the class tells which.
        """
        if slot.bindings and slot.bindings[-1].brings:
            return slot.bindings[-1]  # nothing to look up, and most slots of a large application end here
        voices = slot.bindings[::-1]
        choice = self.selection.choose(slot, voices)
        if choice.error is not None and slot.category is None and self.widen():
            return self.winner(slot)
        return self._taken(slot, voices, choice)

    def winner_in(self, slot: Slot[Any], selection: Selection) -> Binding:
        """Return the binding that fills a slot in another state of the layers. Raises Refused if nobody does."""
        voices = self.voices_in(slot, selection)
        return self._taken(slot, voices, selection.choose(slot, voices))

    def _taken(self, slot: Slot[Any], voices: Sequence[Binding], choice: Choice) -> Binding:
        if choice.error is not None:
            raise choice.error
        return voices[choice.voice] if choice.voice is not None else self._ranked_binding(slot, choice.offer)

    def _ranked_binding(self, slot: Slot[Any], offer: Offer | None) -> Binding:
        """Return the binding of an adapter that the ranking took; the same object for the same adapter."""
        assert offer is not None
        key = (slot.name, offer.name)
        if key not in self._ranked:
            self._ranked[key] = Binding("code", CODE_RANK, Said(offer.name, offer.origin))
        return self._ranked[key]

    def state(self, slot: Slot[Any]) -> tuple[Binding | None, Raw | None]:
        """Return the winning binding of a slot, and what layers say about its settings; nothing where nobody wins."""
        try:
            binding = self.winner(slot)
        except OneiricError:
            return None, None
        return binding, self.raw_settings(slot, binding, self.selection)

    def is_said(self, cell: Cell) -> bool:
        """Tell whether the layers still say all that a cell stands for, so that it is there when others leave."""
        binding = cell.binding
        if cell.decorations and not set(cell.decorations) <= set(cell.slot.decorations):
            return False
        if binding is None or not (binding.layer == "code" or binding in cell.slot.bindings):
            return False
        if not cell.settings:
            return True
        speakers = self.selection.words.speakers
        return all(
            any(one.layer == layer and key in one.said and one.said[key].value == value for one in speakers)
            for (layer, key), value in cell.settings.items()
        )

    def raw_settings(self, slot: Slot[Any], binding: Binding, selection: Selection) -> Raw:
        """Return what layers say about the settings of an adapter, as a mapping that can be compared."""
        if slot.name not in selection.words.parents and not isinstance(binding.said.value, SettingsProvider):
            return NOTHING  # as of most slots
        prefix = self.prefix(slot, binding)
        return NOTHING if prefix is None else selection.raw(prefix)

    def prefix(self, slot: Slot[Any], binding: Binding) -> str | None:
        """Return below which key the settings of a binding stand; None where it has none."""
        if isinstance(binding.value, SettingsProvider):
            return binding.value.section
        return None if binding.adapter is None else f"{slot.name}.{binding.adapter}"

    def voices_in(self, slot: Slot[Any], selection: Selection) -> list[Binding]:
        """Return what is said about a slot in another state of the layers, the code default included; high to low."""
        return [*self.said(slot, selection), *(one for one in slot.bindings if one.layer == "code")]

    def said(self, slot: Slot[Any], selection: Selection) -> list[Binding]:
        """Return what the layers of a profile, which need not be the one in force, say about a slot; high to low."""
        names = self.slots.names_of(slot)
        found = [
            Binding(layer.name, rank, word)
            for rank, layer in selection.layers
            if layer.bindings
            for word in self.about(slot, names, layer, layer.bindings)
        ]
        return found[::-1]

    def about(
        self, slot: Slot[Any], names: Collection[str], layer: LayerContainer, words: Mapping[Any, Said]
    ) -> Iterator[Said]:
        """Yield what words of a layer say about a slot, by whichever of its names or by its type."""
        for key, word in words.items():
            if key in names if isinstance(key, str) else self.meant(layer, key) is slot:
                yield word

    def meant(self, layer: LayerContainer, key: Any) -> Slot[Any] | None:
        """Return the slot that a layer's key means: of a type that was bound once, the one it was bound to."""
        known = None if isinstance(key, str) else self._meant.get(layer, {}).get(key)
        return known or self.lookup(key)

    def lookup(self, key: Any) -> Slot[Any] | None:
        """Return the slot of a slot, a name or a type; None if there is none, or several fit."""
        if isinstance(key, str):
            return self.slots.by_name.get(key) or self.slots.get(key)
        if isinstance(key, Slot):
            return key
        return self.slots.of_type(key)

    def resolve(self, key: Any) -> Slot[Any]:
        """
        Return the slot of a slot, a name or a type.

        Raises:
            AmbiguousType: Several slots have the type, and none is named as a category.
            UnknownSlot: There is none; categories of other distributions were looked at as well.
        """
        slot = self.lookup(key)
        if slot is None and self.widen():
            slot = self.lookup(key)
        several = () if isinstance(key, str) else sorted(self.slots.typed(key))
        if slot is None and several:
            raise AmbiguousType(described(key), several, fixes=(f"name one of them: {', '.join(several)}",))
        if slot is None:
            raise UnknownSlot(
                key if isinstance(key, str) else getattr(key, "__name__", str(key)), known=self.slots.by_name
            )
        return slot

    def check(self, layer: LayerContainer) -> None:
        """Make sure that what a layer binds exists and fits. Raises UnknownSlot, AmbiguousType or WrongType."""
        slots = self.slots.by_name
        for key, said in layer.bindings.items():
            slot = slots.get(key) or self.resolve(key)
            if not isinstance(said.value, str):
                check_fit(slot, said.value)

    def widen(self) -> bool:
        """
        Declare the categories of other distributions, which are asked for when something is not found; once.

        Returns:
            Whether they were looked at now, so that it is worth to look again.
        """
        with self.lock:
            if self._is_wide:
                return False
            for category in self.catalog.categories().values():
                for slot in self.slots.declare_category(category.name, category.protocol):
                    self.placed(slot)
            self._is_wide = True
            return True

    @property
    def has_unbound(self) -> bool:
        """Whether a layer that speaks names a slot that is not declared."""
        return any(
            len(self.applied[layer]) < len(layer.bindings)
            for layer in self.layers
            if layer.rank(self.profile) is not None
        )

    def _place(self, name: str) -> int:
        rank = self.profile.rank(name)
        return rank if rank is not None else LAYERS.index(name) - len(LAYERS)

    def _marked(self, layer: LayerContainer) -> list[Slot[Any]]:
        """Return the slots for which a layer has settings, where the longest declared name wins, or denies adapters."""
        slots = self.slots
        found: list[Slot[Any] | None] = []
        for key in layer.settings:
            parts = slots.own_key(key).split(".")
            names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
            named = next((slots.by_name[name] for name in names if name in slots.by_name), None)
            found.append(named or slots.by_section.get(parts[0]))
        found += map(slots.by_name.get, layer.deny)
        return [slot for slot in found if slot is not None]


def _insert(bindings: tuple[Binding, ...], binding: Binding) -> tuple[Binding, ...]:
    """Return the bindings with one more, by rank; among equals the later stands above the earlier."""
    if bindings[-1].rank <= binding.rank:
        return (*bindings, binding)
    position = next(n for n, other in enumerate(bindings) if other.rank > binding.rank)
    return (*bindings[:position], binding, *bindings[position:])
