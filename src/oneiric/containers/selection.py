"""Who fills a slot and what its settings are, in one profile, from the layers and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from oneiric.containers.layers import LayerContainer
from oneiric.core.config import Choice, Field, Offer, Speaker, Value, Wants, choose, evaluate, fields_of
from oneiric.core.origins import CodeOrigin, Origin
from oneiric.core.profiles import Profile
from oneiric.core.sources import Said
from oneiric.core.texts import folded
from oneiric.providers.catalog import Catalog, Row
from oneiric.providers.slot import Binding, Raw, Slot

CODE_RANK = 10
Owned = Callable[[Mapping[str, Said]], Mapping[str, Said]]


class Selection:
    """
    One state of the layers in one profile; a change makes another.

    Args:
        catalog: Which adapters there are.
        profile: Which layers speak, and in which order.
        layers: All layers in the order of their application, also those that are silent in this profile.
        owned: Brings settings that stand below an alias under the slot's own name.
    """

    def __init__(
        self, catalog: Catalog, profile: Profile, layers: Iterable[LayerContainer], owned: Owned = lambda said: said
    ) -> None:
        self.catalog = catalog
        self.profile = profile
        ranked = [(layer.rank(profile), layer) for layer in layers]
        self.layers = sorted(((rank, layer) for rank, layer in ranked if rank is not None), key=lambda item: item[0])
        self.silent = [layer for rank, layer in ranked if rank is None]
        self._owned = owned
        self._speakers: list[Speaker] | None = None
        self._offers: dict[str, dict[str, Offer]] = {}
        self._values: dict[str, list[Value]] = {}

    def offers(self, slot: Slot) -> Mapping[str, Offer]:
        """Return the adapters of the slot's category, by name."""
        category = slot.category
        if category is None:
            return {}
        if category not in self._offers:
            rows = self.catalog.rows(category).values()
            self._offers[category] = {row.name: offer_of(row) for row in rows}
        return self._offers[category]

    def wants(self, slot: Slot) -> Wants:
        """Return what the slot asks of an adapter, and what it may not be."""
        denied: dict[str, Origin] = {}
        if slot.category is not None and not self.profile.background:
            refused = CodeOrigin(f"profile {self.profile.name}")
            denied = {row.name: refused for row in self.catalog.rows(slot.category).values() if row.background}
        for _, layer in self.layers:
            if layer.deny:
                denied |= layer.deny.get(slot.name, {})
        return Wants(slot.wants, slot.any_of, denied)

    def choose(self, slot: Slot, voices: Sequence[Binding]) -> Choice:
        """
        Decide who fills a slot.

        Args:
            slot: The slot.
            voices: What the layers say about it, high to low.
        """
        if voices and voices[0].brings:
            return Choice(0)
        return choose(slot.name, voices, self.offers(slot), self.wants(slot), hint=self._hint(slot, voices))

    def _hint(self, slot: Slot, voices: Sequence[Binding]) -> str:
        name = next((voice.chosen for voice in voices if voice.chosen), None)
        if name is None or name in self.offers(slot):
            return ""
        elsewhere = sorted(row.category for row in self.catalog.all_rows() if row.name == name)
        return f" (category {elsewhere[0]} has one of that name)" if elsewhere else ""

    def speakers(self) -> list[Speaker]:
        """Return what each layer says about settings, low to high."""
        if self._speakers is None:
            self._speakers = [(layer.name, self._owned(layer.settings)) for _, layer in self.layers if layer.settings]
        return self._speakers

    def values(self, prefix: str, model: Any) -> list[Value]:
        """Return the decided value of every field of a settings model, by name."""
        if prefix not in self._values:
            speakers = self.speakers()
            self._values[prefix] = [evaluate(field, speakers) for field in fields_of(model, prefix)]
        return self._values[prefix]

    def value(self, field: Field) -> Value:
        """Return the decided value of one setting."""
        return evaluate(field, self.speakers())

    def raw(self, prefix: str) -> Raw:
        """Return all that layers say below a prefix, as one mapping that can be compared with another."""
        below = (prefix + ".", folded(prefix) + ".")
        found: dict[tuple[str, str], object] = {}
        for name, settings in self.speakers():
            found.update({(name, key): said.value for key, said in settings.items() if key.startswith(below)})
        return found


def offer_of(row: Row) -> Offer:
    """Return a catalog row as the evaluator needs it."""
    return Offer(row.name, row.priority, row.capabilities, row.origin, row.extra, row.installed)
