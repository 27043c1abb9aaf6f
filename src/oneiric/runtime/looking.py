"""The application as it was in an earlier generation, or as a configuration would make it: explained, not touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from oneiric.containers.beside import Beside
from oneiric.containers.explain import Explained, Explainer
from oneiric.containers.explanation import Candidate, Explanation
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer
from oneiric.containers.sections import Sections
from oneiric.containers.selection import Selection
from oneiric.containers.slots import Slots
from oneiric.containers.stack import Stack
from oneiric.containers.validation import added
from oneiric.core.errors import OneiricError
from oneiric.core.profiles import Profile
from oneiric.runtime.configuration import Configuration, Inputs, changed_layers
from oneiric.runtime.generations import Generations, SlotChange
from oneiric.runtime.swap import Change, Swaps

AS_IT_WAS = "as it was"


class Running(Explained, Protocol):
    """What looking asks of an application that runs."""

    name: str
    stack: Stack
    generation: int | None
    generations: Generations
    swaps: Swaps

    @property
    def profile(self) -> Profile:
        """The profile in force."""

    @property
    def overridden(self) -> tuple[LayerContainer, ...]:
        """The layers that are applied, lowest first."""

    @property
    def applied(self) -> tuple[LayerContainer, ...]:
        """Those that code has applied."""

    @property
    def inputs(self) -> Inputs:
        """Where the configuration comes from."""

    def configure(self) -> Configuration:
        """Return the configuration in force."""

    def read(self, inputs: Inputs | None = None) -> Configuration:
        """Read another one and apply nothing."""

    def explain(self, name: str) -> Explanation:
        """Explain a slot or a key as it is now."""

    def faults(self) -> tuple[list[OneiricError], list[OneiricError]]:
        """Return every fault and every warning of the state in force."""


class Look:
    """
    What explaining asks of an application, answered for another state of its layers.

    Args:
        application: The application that runs.
        wiring: The other state.
        generation: Its number; None where it is none yet.
    """

    def __init__(self, application: Running, wiring: Beside, generation: int | None = None) -> None:
        self._application, self.wiring, self.running = application, wiring, generation
        self.slots: Slots = application.slots
        self.sections: Sections = application.sections
        self.state = AS_IT_WAS
        self.index = Index(wiring)

    def parents(self) -> Sequence[str]:
        """Nothing: only a child application has parents, and it keeps no generations."""
        return ()

    def elsewhere(self) -> Mapping[str, Selection]:
        """Other profiles are not asked: what was is not what could be."""
        return {}


def explain_at(application: Running, name: str, generation: int) -> Explanation:
    """
    Explain a slot or a key as it was in a generation; secrets and settings of code are those of now.

    Raises:
        UnknownGeneration: There is none of that number, or it is not kept.
        UnknownSlot, UnknownKey: There is no such slot, or no such setting.
    """
    selection = application.generations.selection(generation)
    if generation == application.generation:
        return application.explain(name)
    then, now = application.generations.at(generation).layers, application.stack.layers
    differing = [layer for layer in (*then, *now) if (layer in then) != (layer in now)]
    found = Explainer(Look(application, Beside(application.wiring, selection, differing), generation)).explain(name)
    return replace(found, state=AS_IT_WAS) if found.kind == "slot" else found


class Planned(NamedTuple):
    """
    What a configuration would make of a running application.

    Attributes:
        slots: The slots that would be filled otherwise.
        settings: What each setting is and would be, by key, as explain shows it; secrets are hidden.
        rebuilt: The slots whose objects would be built anew, in that order.
        faults: Why it could not be.
    """

    slots: tuple[SlotChange, ...]
    settings: Mapping[str, tuple[Candidate | None, Candidate | None]]
    rebuilt: tuple[str, ...]
    faults: tuple[OneiricError, ...]


def plan(application: Running, inputs: Inputs) -> Planned:
    """
    Say what a reload with another configuration would change; nothing is built and nothing changes.

    Raises:
        Refused: The configuration cannot be; see `read_configuration`.
    """
    now = [layer for layer in application.overridden if layer not in application.applied]
    go, come = changed_layers(now, application.read(inputs).succeed(application.configure()))
    beside, slots = application.swaps.plan(Change(go, come, "plan"))
    pair = Explainer(application), Explainer(Look(application, beside))
    settings = dict(_settings(pair, [change.slot for change in slots], _section_keys(application, (*go, *come))))
    rebuilt = tuple(slot.name for slot in beside.rebuilt)
    faults = added(beside.faults(application.sections, application.index), application.faults()[0])
    return Planned(slots, settings, rebuilt, tuple(faults))


def _section_keys(application: Running, layers: Sequence[LayerContainer]) -> Sequence[str]:
    """Return the keys of sections that changed layers speak of."""
    keys = {key for layer in layers for key in layer.settings}
    return sorted(key for key in keys if key.partition(".")[0] in application.sections)


def _settings(
    pair: tuple[Explainer, Explainer], slots: Sequence[str], keys: Sequence[str]
) -> Iterator[tuple[str, tuple[Candidate | None, Candidate | None]]]:
    """Yield the settings that would be otherwise: of these slots, and of sections."""
    for name in (*slots, *keys):
        here, there = (_winners(explainer, name) for explainer in pair)
        for key in sorted({*here, *there}):
            before, after = here.get(key), there.get(key)
            if before != after and not (_is_default(before) and _is_default(after)):
                yield key, (before, after)


def _winners(explainer: Explainer, name: str) -> dict[str, Candidate | None]:
    """Return what counts, by the key of each setting."""
    try:
        found = explainer.explain(name)
    except OneiricError:
        return {}  # in this state nothing reads it
    told: Sequence[Explanation] = found.settings if found.kind == "slot" else (found,)
    return {one.name: one.winner for one in told}


def _is_default(candidate: Candidate | None) -> bool:
    return candidate is None or candidate.layer == "code"


def shown(candidate: Candidate | None) -> dict[str, Any] | None:
    """Return value, layer and origin of a setting ready for JSON; a secret only by what tells whether two are equal."""
    if candidate is None:
        return None
    told = candidate.fields()
    return {part: told[part] for part in ("value", "redacted", "fp", "layer", "origin")}
