"""A graph held against another profile: which slots somebody else would fill there, or another layer would decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from oneiric.containers.graph import Graph, Outcome
from oneiric.containers.selection import Selection
from oneiric.containers.stack import Stack
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import UnknownProfile
from oneiric.core.origins import FlagOrigin
from oneiric.providers.slot import Binding, Slot


class Compared(Protocol):
    """What comparing asks of a container."""

    wiring: Wiring

    def elsewhere(self) -> Mapping[str, Selection]:
        """What the layers would say under each other profile."""


def against(graph: Graph, container: Compared, profile: str) -> Graph:
    """
    Return a container's graph with a mark on each slot that is filled otherwise under another profile.

    Who needs whom is not asked again: a slot that another adapter fills may need other slots there.

    Raises:
        UnknownProfile: No profile has that name.
    """
    stack, others = container.wiring.stack, container.elsewhere()
    if profile not in others and profile != graph.profile:
        known = [*others, graph.profile]
        raise UnknownProfile(profile, known=known, origin=FlagOrigin(f"--diff {profile}"))
    differing = dict(_differing(stack, others[profile])) if profile in others else {}
    nodes = tuple(node._replace(elsewhere=differing.get(node.id)) for node in graph.nodes)
    is_same = bool(nodes) and all(node.elsewhere is None for node in nodes)
    notes = (*graph.notes, f"nothing shown here differs under profile {profile}") if is_same else graph.notes
    return graph._replace(nodes=nodes, against=profile, notes=notes)


def _differing(stack: Stack, other: Selection) -> Iterator[tuple[str, Outcome]]:
    """Decide every slot again, and yield those where the answer is another one, by the id of their node."""
    theirs = _voices(stack, other)
    for slot in stack.slots.by_name.values():
        here = _outcome(slot, stack.selection, slot.bindings[::-1])
        own = [voice for voice in slot.bindings[::-1] if voice.layer == "code"]
        there = _outcome(slot, other, [*theirs.get(slot, ()), *own])
        if there != here:
            yield f"slot {slot.name}", there


def _voices(stack: Stack, selection: Selection) -> dict[Slot[Any], list[Binding]]:
    """Return what the layers of a selection say, high to low, by slot."""
    found: dict[Slot[Any], list[Binding]] = {}
    for rank, layer in reversed(selection.layers):
        for key, said in layer.bindings.items():
            slot = stack.meant(layer, key)
            if slot is not None:
                found.setdefault(slot, []).append(Binding(layer.name, rank, said))
    return found


def _outcome(slot: Slot[Any], selection: Selection, voices: Sequence[Binding]) -> Outcome:
    choice = selection.choose(slot, voices)
    layer = voices[choice.voice].layer if choice.voice is not None else None
    if choice.error is not None:
        return Outcome(None, layer, choice.error.code)
    if choice.voice is not None:
        return Outcome(voices[choice.voice].label, layer)
    return Outcome(choice.offer.name if choice.offer else None, "code")
