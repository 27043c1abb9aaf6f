"""
Explaining: finding out who spoke about a slot or a setting, who won, and why the others lost.

Nothing is opened and no SDK is imported; the evaluator that decides is the one that is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from oneiric.containers.decoration import in_order
from oneiric.containers.explain_values import Setting, explain_value, typed
from oneiric.containers.explanation import NOBODY, Candidate, Counterfactual, Explanation, Input, Wrapper
from oneiric.containers.index import Index
from oneiric.containers.sections import Sections
from oneiric.containers.selection import SECRETS, Selection
from oneiric.containers.slots import Slots
from oneiric.containers.stack import Stack
from oneiric.containers.validation import settings_in_use
from oneiric.containers.wiring import Wiring
from oneiric.core.choice import Choice, Wants
from oneiric.core.errors import OneiricError, UnknownKey, UnknownSlot
from oneiric.core.origins import CodeOrigin, split_key
from oneiric.core.values import MISSING, Status, Value
from oneiric.providers.slot import Binding, Slot


class Explained(Protocol):
    """What explaining asks of a container."""

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
    def state(self) -> str:
        """Where it is in its life; `started` while it serves."""

    @property
    def running(self) -> int | None:
        """The generation in force; None where nothing runs."""

    @property
    def index(self) -> Index:
        """The records of the state in force."""

    def parents(self) -> Sequence[str]:
        """The applications it inherits from, the nearest first."""

    def elsewhere(self) -> Mapping[str, Selection]:
        """What the layers would say under each other profile."""


class Settings(NamedTuple):
    """The settings of one adapter or section; `inert` says why they do not count."""

    model: Any
    values: Sequence[Value]
    inert: str = ""


class Explainer:
    """Explains slots and settings of one container."""

    def __init__(self, container: Explained) -> None:
        self._container = container
        self._wiring = container.wiring
        self._stack = container.wiring.stack
        self._others: Mapping[str, Selection] | None = None

    def explain(self, name: str) -> Explanation:
        """Explain a slot or a key. Raises UnknownSlot if it is neither, UnknownKey if only its slot is known."""
        slot = self._stack.lookup(name)
        if slot is None and self._stack.widen():
            slot = self._stack.lookup(name)
        if slot is not None:
            return self.slot(slot)
        return self._value(self.find(name))

    def _value(self, setting: Setting, *, others: bool = True) -> Explanation:
        elsewhere = self._elsewhere() if others else {}
        return replace(explain_value(setting, self._wiring.selection, elsewhere), generation=self._container.running)

    def _elsewhere(self) -> Mapping[str, Selection]:
        if self._others is None:
            self._others = self._container.elsewhere()
        return self._others

    def find(self, name: str) -> Setting:
        """
        Find a setting by its key; a key below a setting that is a map means that part of it.

        Raises:
            UnknownSlot: No slot and no section is named like its first parts.
            UnknownKey: Its slot or section is known, and reads no such setting.
        """
        name = self._container.slots.own_key(name)
        known: list[str] = []
        for found in self._settings_near(name):
            for value in found.values:
                key = value.field.key
                if name == key:
                    return Setting(found.model, found.values, value, inert=found.inert)
                if name.startswith(key + "."):
                    path = tuple(split_key(name[len(key) + 1 :]))
                    part = Setting(found.model, found.values, value, path, inert=found.inert)
                    if part.decided(self._wiring.selection.words, self._wiring.selection.rules).value is not MISSING:
                        return part
            known += [value.field.key for value in found.values]
        if known and name.count(".") >= min(key.count(".") for key in known):
            raise UnknownKey(name, known=known)
        raise UnknownSlot(name, known=[*self._container.slots.by_name, *known])

    def _settings_near(self, name: str) -> Iterator[Settings]:
        """Yield the settings that a key may belong to: those of its slots, the longest name first, and its section."""
        for owner in sorted(self._container.slots.by_name.values(), key=lambda s: len(s.name), reverse=True):
            if name.startswith(owner.name + "."):
                yield from self._of(owner, name[len(owner.name) + 1 :].partition(".")[0])
        section = name.partition(".")[0]
        if section in self._container.sections:
            model = self._container.sections[section]
            yield Settings(model, typed(model, self._wiring.selection.values(section, model)))

    def _of(self, slot: Slot[Any], adapter: str) -> Iterator[Settings]:
        """Yield the settings of the adapter in use, then those of the one that a key names, if that is another."""
        in_use = self._settings(slot)
        if in_use is not None:
            yield in_use
        wiring = self._container.wiring
        try:
            winner = self._wiring.winner(slot)
            filled = winner.label
        except OneiricError:
            winner, filled = None, NOBODY
        if winner is not None and winner.chosen == adapter:
            return
        found = wiring.values_for(slot, adapter)
        if found is not None:
            yield Settings(found[0], found[1], f"inert: slot {slot.name} is filled by {filled}")

    def settings(self) -> Iterator[Explanation]:
        """Explain every setting that counts: of the adapters in use, and of the sections."""
        for _, model, values in settings_in_use(self._container):
            made = typed(model, values)
            yield from (self._value(Setting(model, made, value), others=False) for value in made)

    def slot(self, slot: Slot[Any]) -> Explanation:
        """Explain who fills a slot."""
        if slot.category is None and not slot.bindings:
            self._stack.widen()
        selection = self._wiring.selection
        voices = self._container.wiring.voices(slot)
        choice = selection.choose(slot, voices)
        candidates = list(_candidates(slot, self._stack, selection, voices, choice))
        winner = next((candidate for candidate in candidates if candidate.status == "winner"), None)
        index = self._container.index
        record = index.read(self._container.wiring, slot)
        found = (index.records[edge.slot] for edge in record.edges if edge.slot)
        error = choice.error or record.fault
        settings = () if error else tuple(self._explained(slot))
        needs = tuple(Input(record.slot.name, record.label, record.layer) for record in found)
        needs += tuple(self._store(slot, settings))
        users = index.users(slot)
        return Explanation(
            kind="slot",
            name=slot.name,
            profile=selection.profile.name,
            order=selection.profile.order,
            generation=self._container.running,
            winner=winner,
            candidates=tuple(candidates),
            error=error.problem if error else None,
            settings=settings,
            decorations=tuple(_decorations(slot, selection)),
            parents=tuple(self._container.parents()),
            needs=needs,
            used_by=tuple(f"slot {r.slot.name}" if r.slot.kind == "object" else need.at for r, need in users),
            counterfactuals=tuple(self._otherwise(slot, selection, voices, choice)),
            at=_place(slot, self._container.wiring, choice, voices),
            scope=slot.scope,
            state=self._state(slot),
        )

    def _explained(self, slot: Slot[Any]) -> Iterator[Explanation]:
        """Explain the settings of a slot; what nobody speaks about cannot be otherwise elsewhere."""
        found = self._settings(slot)
        if found is not None:
            for value in found.values:
                yield self._value(Setting(found.model, found.values, value), others=value.is_said)

    def _store(self, slot: Slot[Any], settings: Sequence[Explanation]) -> Iterator[Input]:
        """Yield slot `secrets` where a setting comes from its store."""
        store = self._stack.slots.by_name.get(SECRETS)
        asked = any(one.winner is not None and one.winner.redacted and one.winner.secret for one in settings)
        if store is not None and store is not slot and asked:
            record = self._container.index.records[store]
            yield Input(store.name, record.label, record.layer)

    def _state(self, slot: Slot[Any]) -> str:
        if slot.cell.is_built:
            return "ready"
        return "not built yet" if self._container.state == "started" else "not started"

    def _settings(self, slot: Slot[Any]) -> Settings | None:
        """Return the decided settings of who fills a slot; None where nobody does, or it has none."""
        try:
            found = self._container.wiring.values_of(slot, self._wiring.winner(slot))
        except OneiricError:
            return None
        return None if found is None else Settings(found[0], typed(*found))

    def _otherwise(
        self, slot: Slot[Any], selection: Selection, voices: Sequence[Binding], choice: Choice
    ) -> Iterator[Counterfactual]:
        """Decide again without the winner, and in every profile where the answer differs."""
        if choice.voice is not None:
            rest = [voice for n, voice in enumerate(voices) if n != choice.voice]
            yield Counterfactual({"without": voices[choice.voice].layer}, _outcome(selection.choose(slot, rest), rest))
        here = _outcome(choice, voices)
        for name, other in self._elsewhere().items():
            theirs = self._stack.voices_in(slot, other)
            outcome = _outcome(other.choose(slot, theirs), theirs)
            if outcome != here:
                yield Counterfactual({"profile": name}, outcome)


def _outcome(choice: Choice, voices: Sequence[Binding]) -> dict[str, Any]:
    if choice.error is not None:
        return {"error": choice.error.code}
    if choice.voice is not None:
        voice = voices[choice.voice]
        return {"layer": voice.layer, "value": voice.label}
    return {"layer": "code", "value": choice.offer.name if choice.offer else None}


def _candidates(
    slot: Slot[Any], stack: Stack, selection: Selection, voices: Sequence[Binding], choice: Choice
) -> Iterator[Candidate]:
    """Yield every candidate, layers high to low, within a layer high to low, then by name."""
    wants = selection.wants(slot)
    masked = False
    said: dict[str, list[Candidate]] = {layer: [] for layer in selection.profile.order}
    for position, voice in enumerate(voices):
        said[voice.layer].append(_candidate(position, voice, choice, wants, masked))
        masked |= voice.unset and not wants.ignores(voice)
    said["code"] += _offered(slot, selection, choice)
    names = stack.slots.names_of(slot)
    for layer in selection.silent:
        for word in [*stack.about(slot, names, layer, layer.bindings)][::-1]:
            binding = Binding(layer.name, 0, word)
            yield Candidate(layer.name, "ineligible", "layer-disabled", binding.label, origin=binding.origin)
    for name in reversed(selection.profile.order):
        speaking = [one for _, one in selection.layers if one.name == name]
        empty = [word for one in speaking for word in stack.about(slot, names, one, one.ignored)]
        yield from said[name]
        yield from (Candidate(name, "absent", "empty-ignored", origin=one.origin) for one in empty)
        if not said[name] and not empty:
            yield Candidate(name, "absent", "absent")


def _candidate(position: int, voice: Binding, choice: Choice, wants: Wants, masked: bool) -> Candidate:
    status: Status
    reason: str | None = "lower-layer"
    if ignored := wants.ignores(voice):
        status, reason = "ineligible", ignored
    elif position == choice.voice and choice.error is None:
        status, reason = "winner", None
    elif position == choice.voice:
        status = "ineligible"
        code = choice.error.code if choice.error else ""
        reason = {
            "selection-not-installed": "not-installed",
            "selection-denied-by-profile": "denied-by-profile",
            "selection-missing-capability": "missing-capability",
        }.get(code)
    elif voice.unset:
        status, reason = ("masked", "masked-by-unset") if masked else ("unset", None)
    else:
        status, reason = ("masked", "masked-by-unset") if masked else ("shadowed", "lower-layer")
    return Candidate(voice.layer, status, reason, voice.label, origin=voice.origin)


def _offered(slot: Slot[Any], selection: Selection, choice: Choice) -> Iterator[Candidate]:
    """Yield the adapters of the catalog: the one the ranking took, and why it did not take the others."""
    wants = selection.wants(slot)
    offers = sorted(selection.offers(slot).values(), key=lambda offer: (-offer.priority, offer.name))
    for offer in offers:
        if choice.voice is None and choice.offer is offer and choice.error is None:
            detail = f"priority {offer.priority}"
            if offer.name == wants.preferred:
                detail = f"default of profile {selection.profile.name}"
            yield Candidate("code", "winner", None, offer.name, origin=offer.origin, detail=detail)
            continue
        reason = wants.refusal(offer)
        if reason == "not-installed":
            detail = f"pip install 'oneiric[{offer.extra}]'"
        elif reason == "missing-capability":
            detail = f"lacks {', '.join(sorted(wants.missing(offer)))}"
        elif reason is None and choice.voice is None and choice.offer is not None:
            reason, detail = "lower-priority", f"priority {offer.priority} < {choice.offer.priority}"
        else:
            reason, detail = reason or "lower-priority", f"priority {offer.priority}"
        yield Candidate("code", "ineligible", reason, offer.name, origin=offer.origin, detail=detail)


def _decorations(slot: Slot[Any], selection: Selection) -> Iterator[Wrapper]:
    """Yield what wraps the slot's object, the innermost first."""
    for one in in_order(slot.decorations, selection.profile):
        yield Wrapper(one.layer, one.label, one.origin)


def _place(slot: Slot[Any], wiring: Wiring, choice: Choice, voices: Sequence[Binding]) -> str | None:
    """Return the class or function that fills a slot, for the first line of the text."""
    if choice.error is not None:
        return None
    if choice.voice is not None and voices[choice.voice].chosen is None:
        origin = voices[choice.voice].origin
        return str(origin) if isinstance(origin, CodeOrigin) else voices[choice.voice].label
    name = choice.offer.name if choice.offer else ""
    return wiring.stack.catalog.rows(slot.category or "")[name].path
