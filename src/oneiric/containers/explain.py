"""
Explaining: finding out who spoke about a slot or a setting, who won, and why the others lost.

Nothing is opened and no SDK is imported; the evaluator that decides is the one that is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from oneiric.containers.explanation import Candidate, Counterfactual, Explanation, Input
from oneiric.containers.index import Index
from oneiric.containers.sections import Sections
from oneiric.containers.selection import Selection
from oneiric.containers.slots import Slots
from oneiric.containers.stack import Stack
from oneiric.containers.wiring import Wiring
from oneiric.core.config import MISSING, Choice, Share, Status, Value, evaluate, faults_of, validated
from oneiric.core.errors import OneiricError, UnknownKey, UnknownSlot
from oneiric.core.log import HIDDEN, fingerprint, redact
from oneiric.core.origins import CodeOrigin
from oneiric.providers.slot import Binding, Slot


class Explained(Protocol):
    """What explaining asks of a container."""

    wiring: Wiring
    slots: Slots
    sections: Sections

    @property
    def state(self) -> str:
        """Where it is in its life; `started` while it serves."""

    @property
    def index(self) -> Index:
        """The records of the state in force."""

    def elsewhere(self) -> Mapping[str, Selection]:
        """What the layers would say under each other profile."""


class Explainer:
    """Explains slots and settings of one container."""

    def __init__(self, container: Explained) -> None:
        self._container = container
        self._stack = container.wiring.stack

    def explain(self, name: str) -> Explanation:
        """Explain a slot or a key. Raises UnknownSlot if it is neither, UnknownKey if only its slot is known."""
        slot = self._stack.lookup(name)
        if slot is None and self._stack.widen():
            slot = self._stack.lookup(name)
        if slot is not None:
            return self.slot(slot)
        name = self._container.slots.own_key(name)
        known: list[str] = []
        for values in self._values_near(name):
            for value in values:
                if value.field.key == name:
                    return self.value(value)
            known += [value.field.key for value in values]
        if known and name.count(".") >= min(key.count(".") for key in known):
            raise UnknownKey(name, known=known)
        raise UnknownSlot(name, known=[*self._container.slots.by_name, *known])

    def _values_near(self, name: str) -> Iterator[Sequence[Value]]:
        """Yield the settings that a key may belong to: those of its slots, the longest name first, and its section."""
        for owner in sorted(self._container.slots.by_name.values(), key=lambda s: len(s.name), reverse=True):
            if name.startswith(owner.name + "."):
                yield self._values(owner)
        section = name.partition(".")[0]
        if section in self._container.sections:
            model = self._container.sections[section]
            yield _typed(model, self._stack.selection.values(section, model))

    def slot(self, slot: Slot) -> Explanation:
        """Explain who fills a slot."""
        if slot.category is None and not slot.bindings:
            self._stack.widen()
        selection = self._stack.selection
        voices = slot.bindings[::-1]
        choice = selection.choose(slot, voices)
        candidates = list(_candidates(slot, self._stack, voices, choice))
        winner = next((candidate for candidate in candidates if candidate.status == "winner"), None)
        index = self._container.index
        record = index.read(self._container.wiring, slot)
        found = (index.records[edge.slot] for edge in record.edges if edge.slot)
        error = choice.error or record.fault
        needs = tuple(Input(record.slot.name, record.label, record.layer) for record in found)
        users = index.users(slot)
        return Explanation(
            kind="slot",
            name=slot.name,
            profile=selection.profile.name,
            order=selection.profile.order,
            winner=winner,
            candidates=tuple(candidates),
            error=error.problem if error else None,
            settings=() if error else tuple(self.value(value) for value in self._values(slot)),
            needs=needs,
            used_by=tuple(f"slot {r.slot.name}" if r.slot.kind == "object" else need.at for r, need in users),
            counterfactuals=tuple(self._otherwise(slot, selection, voices, choice)),
            at=_place(slot, self._container.wiring, choice, voices),
            scope=slot.scope,
            state=self._state(slot),
        )

    def _state(self, slot: Slot) -> str:
        if slot.cell.is_built:
            return "ready"
        return "not built yet" if self._container.state == "started" else "not started"

    def value(self, value: Value) -> Explanation:
        """Explain the value of a setting; `value.value` is what the model made of it."""
        profile = self._stack.profile
        alone = value.field._replace(default=MISSING)
        silent = [
            Share(layer.name, "ineligible", "layer-disabled", said.value, said.origin)
            for layer in self._stack.selection.silent
            for said in evaluate(alone, [(layer.name, layer.settings)]).shares
            if said.origin is not None
        ]
        shares = [*value.shares, *silent]
        candidates = tuple(
            _share(value, share) for share in shares if share.status != "absent" or share.origin is not None
        )
        return Explanation(
            kind="value",
            name=value.field.key,
            profile=profile.name,
            order=profile.order,
            winner=next((candidate for candidate in candidates if candidate.status == "winner"), None),
            candidates=candidates,
            error=value.error.problem if value.error else None,
        )

    def _values(self, slot: Slot) -> Sequence[Value]:
        """Return the decided settings of the slot's adapter; none where nobody fills it."""
        try:
            found = self._container.wiring.values_of(slot, self._stack.winner(slot))
        except OneiricError:
            return ()
        if found is None:
            return ()
        return _typed(*found)

    def _otherwise(
        self, slot: Slot, selection: Selection, voices: Sequence[Binding], choice: Choice
    ) -> Iterator[Counterfactual]:
        """Decide again without the winner, and in every profile where the answer differs."""
        if choice.voice is not None:
            rest = [voice for n, voice in enumerate(voices) if n != choice.voice]
            yield Counterfactual({"without": voices[choice.voice].layer}, _outcome(selection.choose(slot, rest), rest))
        here = _outcome(choice, voices)
        for name, other in self._container.elsewhere().items():
            theirs = [*self._stack.said(slot, other), *(voice for voice in voices if voice.layer == "code")]
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


def _candidates(slot: Slot, stack: Stack, voices: Sequence[Binding], choice: Choice) -> Iterator[Candidate]:
    """Yield every candidate, layers high to low, within a layer high to low, then by name."""
    selection = stack.selection
    masked = False
    said: dict[str, list[Candidate]] = {layer: [] for layer in selection.profile.order}
    for position, voice in enumerate(voices):
        said[voice.layer].append(_candidate(position, voice, choice, masked))
        masked |= voice.unset
    said["code"] += _offered(slot, selection, choice)
    for layer in selection.silent:
        for word in [*stack.about(slot, layer.bindings)][::-1]:
            binding = Binding(layer.name, 0, word)
            yield Candidate(layer.name, "ineligible", "layer-disabled", binding.label, origin=binding.origin)
    for name in reversed(selection.profile.order):
        empty = [word for _, one in selection.layers if one.name == name for word in stack.about(slot, one.ignored)]
        yield from said[name]
        yield from (Candidate(name, "absent", "empty-ignored", origin=one.origin) for one in empty)
        if not said[name] and not empty:
            yield Candidate(name, "absent", "absent")


def _candidate(position: int, voice: Binding, choice: Choice, masked: bool) -> Candidate:
    status: Status
    reason: str | None = "lower-layer"
    if voice.layer == "secrets":
        status, reason = "ineligible", "secrets-cannot-select"
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


def _offered(slot: Slot, selection: Selection, choice: Choice) -> Iterator[Candidate]:
    """Yield the adapters of the catalog: the one the ranking took, and why it did not take the others."""
    wants = selection.wants(slot)
    offers = sorted(selection.offers(slot).values(), key=lambda offer: (-offer.priority, offer.name))
    for offer in offers:
        if choice.voice is None and choice.offer is offer and choice.error is None:
            detail = f"priority {offer.priority}"
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


def _typed(model: Any, values: Sequence[Value]) -> list[Value]:
    """Return the values as the settings model makes them of what was said; a fault stands with its value."""
    faults = {str(getattr(fault, "key", "")): fault for fault in faults_of(model, values)}
    made = None if faults else validated(model, values)
    return [
        Value(
            v.field,
            v.value if made is None else getattr(made, v.field.name),
            v.shares,
            v.error or faults.get(v.field.key),
        )
        for v in values
    ]


def _share(value: Value, share: Share) -> Candidate:
    hidden = value.field.secret and share.value is not None and share.status != "absent"
    plain = value.value if share.status == "winner" else share.value
    shown = None if hidden else redact("", plain.model_dump(mode="json") if hasattr(plain, "model_dump") else plain)
    if not hidden and shown == HIDDEN:
        hidden, shown = True, None
    fp = fingerprint(share.value) if hidden else None
    return Candidate(share.layer, share.status, share.reason, shown, hidden, fp, share.origin)


def _place(slot: Slot, wiring: Wiring, choice: Choice, voices: Sequence[Binding]) -> str | None:
    """Return the class or function that fills a slot, for the first line of the text."""
    if choice.error is not None:
        return None
    if choice.voice is not None and voices[choice.voice].chosen is None:
        origin = voices[choice.voice].origin
        return str(origin) if isinstance(origin, CodeOrigin) else voices[choice.voice].label
    name = choice.offer.name if choice.offer else ""
    return wiring.stack.catalog.rows(slot.category or "")[name].path
