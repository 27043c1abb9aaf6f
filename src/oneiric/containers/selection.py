"""Who fills a slot and what its settings are, in one profile, from the layers and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from oneiric.containers.layers import LayerContainer
from oneiric.core.choice import Choice, Offer, Wants, choose
from oneiric.core.config import evaluate
from oneiric.core.models import fields_of
from oneiric.core.origins import CodeOrigin, Origin
from oneiric.core.profiles import Profile
from oneiric.core.secrets import SecretRules
from oneiric.core.sources import Said
from oneiric.core.texts import folded
from oneiric.core.values import Field, Value
from oneiric.core.words import Speaker, Words
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Binding, Raw, Slot

CODE_RANK = 10
NOTHING: Raw = MappingProxyType({})
SECRETS = "secrets"
Owned = Callable[[Mapping[str, Said]], Mapping[str, Said]]
Rules = Callable[["Selection"], SecretRules]


class _Heard:
    """What layers say about settings and secrets; states that differ in nothing but who fills other slots share it."""

    __slots__ = ("rules", "words")

    def __init__(self) -> None:
        self.words: Words | None = None
        self.rules: SecretRules | None = None


class Selection:
    """
    One state of the layers in one profile; a change makes another.

    Args:
        catalog: Which adapters there are.
        profile: Which layers speak, and in which order.
        layers: All layers in the order of their application, also those that are silent in this profile.
        owned: Brings settings that stand below an alias under the slot's own name.
        rules: Returns the rules by which secrets count in this state.
        protected: The slots in which a remote manifest has no say.
        before: Another state, which may say the same about settings.
    """

    def __init__(
        self,
        catalog: Catalog,
        profile: Profile,
        layers: Iterable[LayerContainer],
        owned: Owned = lambda said: said,
        *,
        rules: Rules = lambda selection: SecretRules(),
        protected: Collection[str] = (SECRETS,),
        before: Selection | None = None,
    ) -> None:
        self.catalog = catalog
        self.profile = profile
        ranked = [(layer.rank(profile), layer) for layer in layers]
        self.layers = sorted(((rank, layer) for rank, layer in ranked if rank is not None), key=lambda item: item[0])
        self.silent = [layer for rank, layer in ranked if rank is None]
        self._owned = owned
        self._make_rules = rules
        self._protected = protected
        self._ranked: dict[Hashable, Choice] = {}  # for slots of which no layer speaks: to look for an SDK takes time
        self._heard: _Heard = before._heard if before is not None and self._hears_as(before) else _Heard()
        self._values: dict[tuple[str, Any], list[Value]] = {}  # by model as well: two classes may have one name
        self._decided_by: tuple[SecretRules | None, int] = (None, 0)  # and how much of secrets was forgotten till then

    def shares(self, other: Selection | None) -> bool:
        """Tell whether another state is known to say the same about settings and secrets."""
        return other is not None and other._heard is self._heard

    def _hears_as(self, other: Selection) -> bool:
        """Tell whether another state is sure to say the same about settings and secrets, by a look at the layers."""
        if other.profile is not self.profile:
            return False
        mine, theirs = ([layer for _, layer in one.layers] for one in (self, other))
        differing = {*mine} ^ {*theirs}
        if any(_tells_of_settings(layer) for layer in differing):
            return False
        return [one for one in mine if one not in differing] == [one for one in theirs if one not in differing]

    def offers(self, slot: Slot[Any]) -> Mapping[str, Offer]:
        """Return the adapters of the slot's category, by name."""
        return {} if slot.category is None else self.catalog.rows(slot.category)

    def wants(self, slot: Slot[Any]) -> Wants:
        """Return what the slot asks of an adapter, and what it may not be."""
        denied: dict[str, Origin] = {}
        if slot.category is not None and not self.profile.background:
            refused = CodeOrigin(f"profile {self.profile.name}")
            denied = {row.name: refused for row in self.catalog.rows(slot.category).values() if row.background}
        for _, layer in self.layers:
            if layer.deny:
                denied |= layer.deny.get(slot.name, {})
        preferred = self.profile.default_store if slot.name == SECRETS else None
        return Wants(slot.wants, slot.any_of, denied, slot.name in self._protected, preferred)

    def choose(self, slot: Slot[Any], voices: Sequence[Binding]) -> Choice:
        """
        Decide who fills a slot.

        Args:
            slot: The slot.
            voices: What the layers say about it, high to low.
        """
        if voices and voices[0].brings:
            return Choice(0)
        key = (slot.category, slot.wants, slot.any_of, slot.name == SECRETS)
        is_usual = not (voices or any(slot.name in layer.deny for _, layer in self.layers))
        if is_usual and key in self._ranked:
            return self._ranked[key]
        choice = choose(slot.name, voices, self.offers(slot), self.wants(slot), hint=self._hint(slot, voices))
        if is_usual and choice.error is None:
            self._ranked[key] = choice
        return choice

    def _hint(self, slot: Slot[Any], voices: Sequence[Binding]) -> str:
        name = next((voice.chosen for voice in voices if voice.chosen), None)
        if name is None or name in self.offers(slot):
            return ""
        elsewhere = sorted(row.category for row in self.catalog.all_rows() if row.name == name)
        return f" (category {elsewhere[0]} has one of that name)" if elsewhere else ""

    @property
    def words(self) -> Words:
        """What each layer says about settings."""
        if self._heard.words is None:
            said = [(rank, Speaker(one.name, self._owned(one.settings), one.trust)) for rank, one in self.layers]
            said = [(rank, speaker) for rank, speaker in said if speaker.said]
            if (store := self.profile.rank(SECRETS)) is not None:
                said.append((store, Speaker(SECRETS, is_store=True)))
                said.sort(key=lambda item: item[0])
            self._heard.words = Words(speaker for _, speaker in said)
        return self._heard.words

    @property
    def rules(self) -> SecretRules:
        """By which rules secrets count."""
        if self._heard.rules is None:
            self._heard.rules = self._make_rules(self)
        return self._heard.rules

    def values(self, prefix: str, model: Any) -> list[Value]:
        """Return the decided value of every field of a settings model, by name."""
        rules = SecretRules() if prefix == SECRETS else self.rules  # the rules are made of that section
        losses = rules.losses()
        if prefix != SECRETS and (rules is not self._decided_by[0] or losses != self._decided_by[1]):
            self._values, self._decided_by = {}, (rules, losses)
        values = self._values  # another one, when this has taken its time
        found = values.get((prefix, model))
        if found is None:
            words = self.words.renamed(prefix, model)
            found = [evaluate(field, words, rules) for field in fields_of(model, prefix)]
            if not any(value.wanted or value.error is not None for value in found):
                values[prefix, model] = found  # else more may be known of its secrets when somebody asks again
        return found

    def value(self, field: Field, rules: SecretRules | None = None) -> Value:
        """Return the decided value of one setting; by other rules than those in force, where some are given."""
        return evaluate(field, self.words, self.rules if rules is None else rules)

    def renew(self) -> None:
        """Decide all values again: more is known of secrets now."""
        self._values = {}
        self._heard.rules = None

    def raw(self, prefix: str) -> Raw:
        """Return all that layers say below a prefix, as one mapping that can be compared with another."""
        if self.words.parents.isdisjoint((prefix, folded(prefix))):
            return NOTHING
        below = (prefix + ".", folded(prefix) + ".")
        found: dict[tuple[str, str], object] = {}
        for speaker in self.words.speakers:
            said = {(speaker.layer, key): said.value for key, said in speaker.said.items() if key.startswith(below)}
            found.update(said)
        return found


def _tells_of_settings(layer: LayerContainer) -> bool:
    """Tell whether a layer may say anything about settings, or about who fills the slot of the secret store."""
    keys = layer.bindings
    return bool(layer.settings or layer.deny) or any(not isinstance(k, str) or k.endswith(SECRETS) for k in keys)
