"""The index after a change, which is made from the one before: the same as one that is made from nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from oneiric import INJECTED, AdapterSettings, Application, Container, Inject, Inputs, LayerContainer, Named, Ref
from oneiric.adapters.storage import Storage
from oneiric.containers.beside import Beside
from oneiric.containers.index import Index
from oneiric.containers.layers import Override
from oneiric.containers.validation import added, state_faults
from oneiric.core.errors import InvalidApplication, OneiricError

Operation = tuple[str, Any]
RING = "dependency-cycle"


class Part:
    """What a slot of the village holds."""


class Plain(Part):
    """Needs nothing, and has settings that may be wrong."""

    class Settings(AdapterSettings):
        """A number."""

        size: int = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


class Right(Part):
    """Needs a neighbour."""

    def __init__(self, other: Annotated[Part, Named("part1")] = INJECTED) -> None:
        self.other = other


class Left(Part):
    """Needs the neighbour on the other side, so that two of them make a ring."""

    def __init__(self, other: Annotated[Part, Named("part0")] = INJECTED) -> None:
        self.other = other


class Choosy(Part):
    """Needs a store that can do what few can."""

    def __init__(self, held: Annotated[Storage, Named("storage", capabilities={"shared"})] = INJECTED) -> None:
        self.held = held


class Modest(Part):
    """Takes what there is or nothing, and looks for another one later."""

    def __init__(
        self,
        other: Annotated[Part, Named("part2")] | None = INJECTED,
        later: Annotated[Ref[Part], Named("part1")] = INJECTED,
    ) -> None:
        self.other, self.later = other, later


class Gathering(Part):
    """Holds all of a kind, itself perhaps among them."""

    def __init__(self, every: Inject[list[Part]] = INJECTED) -> None:
        self.every = every


class Short(Part):
    """Needs what lives no longer than a request."""

    def __init__(self, visit: Annotated[Part, Named("visit")] = INJECTED) -> None:
        self.visit = visit


def around(inner: Part, other: Annotated[Part, Named("part3")] = INJECTED) -> Part:
    """Wrap a part, with another one in hand."""
    return inner


KINDS = {one.__name__: one for one in (Plain, Right, Left, Choosy, Modest, Gathering, Short)}
SLOTS = ("part0", "part1", "part2", "part3", "visit")
LAYERS = st.sampled_from(["profile", "manifest", "env", "explicit"])
ADAPTERS = st.sampled_from(["local", "memory", "lokal", {"$unset": True}])
SIZES = st.sampled_from(["2", "large"])
operations = st.one_of(
    st.tuples(st.just("fill"), st.tuples(st.sampled_from(SLOTS), st.sampled_from(sorted(KINDS)))),
    st.tuples(st.just("choose"), st.tuples(LAYERS, ADAPTERS)),
    st.tuples(st.just("deny"), st.sampled_from(["local", "memory"])),
    st.tuples(st.just("set"), st.tuples(st.sampled_from(SLOTS), SIZES)),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("decorate"), st.sampled_from(SLOTS)),
    st.tuples(st.just("declare"), st.integers(0, 2)),
    st.tuples(st.just("ask"), st.tuples(st.sampled_from(["storage", "cache", "part3"]), st.booleans())),
    st.tuples(st.just("look"), st.none()),
)


def village(container: Container) -> None:
    """Declare some slots, and a handler that needs one of them."""
    for name in SLOTS[:-1]:
        container.slot(name, Part)
    container.provide("visit", scope="request")(Part)

    @container.task("work")
    def work(part: Annotated[Part, Named("part0")] = INJECTED) -> None:
        """Need the first part."""


def layer_of(operation: Operation) -> LayerContainer | None:
    """Return the layer that an operation applies; None where it is another change."""
    match operation:
        case ("fill", (slot, kind)):
            return LayerContainer("explicit", {slot: KINDS[kind]})
        case ("choose", (name, adapter)):
            return LayerContainer(name, {"storage": adapter})
        case ("deny", adapter):
            return LayerContainer("manifest", deny={"storage": [adapter]})
        case ("set", (slot, size)):
            return LayerContainer("env", settings={f"{slot}.Plain.size": size})
    return None


def carry_out(container: Container, operation: Operation, open_ones: list[Callable[[], object]]) -> None:
    """Make one change; what can be taken back is noted."""
    layer = layer_of(operation)
    match operation:
        case _ if layer is not None:
            open_ones.append(Override(container, container.stack.put(layer), None).undo)
        case ("undo", number) if open_ones:
            open_ones.pop(number % len(open_ones))()
        case ("decorate", slot):
            open_ones.append(container.decorate(slot, around).undo)
        case ("ask", (slot, eager)):
            container.slot(slot, eager=eager, capabilities=() if eager else {"shared"})
        case ("declare", number):
            name = f"late{number}"
            if name not in container.slots.by_name:
                container.slot(name, Part)


def test_an_index_of_before_does_not_live_on_in_what_is_at_fault() -> None:
    """A fault that stays is found anew after each change; nothing of it holds the states before."""
    made: weakref.WeakSet[Index] = weakref.WeakSet()
    container = Container("village")
    village(container)

    @container.task("search")
    def search(part: Annotated[Part, Named("nowhere")] = INJECTED) -> None:
        """Need what there is not."""

    for kind in (Plain, Right) * 10:
        container.override({"part0": kind})
        made.add(container.index)
        assert any(fault.code == "unknown-slot" for fault in container.index.faults())
    gc.collect()

    assert len(made) == 1


def told(index: Index) -> list[tuple[object, ...]]:
    """Return all that an index tells, in words and in its own order."""
    found: list[tuple[object, ...]] = []
    for slot, record in index.records.items():
        edges = [(edge.need, edge.slot, said(edge.fault)) for edge in record.edges]
        users = [(user.node, need.at) for user, need in index.users(slot)]
        found.append((slot, record.winner, said(record.fault), edges, users, slot in index.used))
    return found


def said(fault: OneiricError | None) -> str | None:
    """Return the message of a fault."""
    return None if fault is None else fault.message


@given(st.lists(operations, max_size=12))
def test_an_index_after_a_change_is_as_one_made_from_nothing(changes: list[Operation]) -> None:
    """Records, users, what is used, and every fault, after each of some changes; looked at each time, or not."""
    container = Container("village")
    village(container)
    open_ones: list[Callable[[], object]] = []

    for change in changes:
        carry_out(container, change, open_ones)
        if change[0] == "look":
            assert container.index
    whole = Index(container.wiring)

    assert told(container.index) == told(whole)
    assert sorted(map(str, container.index.faults())) == sorted(map(str, whole.faults()))


@given(st.lists(operations, max_size=8), st.lists(operations.filter(layer_of), min_size=1, max_size=3))
def test_a_change_has_the_new_faults_of_the_whole_next_state(before: list[Operation], after: list[Operation]) -> None:
    """What is looked at is what the change touches, and nothing is missed by that."""
    app = Application("village", inputs=Inputs(environ={}))
    village(app)
    for change in before:
        carry_out(app, change, [])
    layers = [layer for change in after if (layer := layer_of(change)) is not None]
    stack = app.stack
    next_state = stack.selection_in(stack.profile, stack.layers_after([], layers))
    known = app.faults()[0]

    beside = Beside(app.wiring, next_state, layers)
    found = list(beside.faults(app.sections, app.index))
    for layer in layers:
        stack.put(layer)
    whole = state_faults(app, stack.layers)

    assert new(found, known) == new(whole, known)
    if not any(fault.code == RING for fault in known):
        assert any(fault.code == RING for fault in found) == any(fault.code == RING for fault in whole)


@given(st.lists(operations, max_size=6), st.lists(operations.filter(layer_of), min_size=1, max_size=4))
def test_the_index_that_a_swap_was_planned_with_is_as_one_made_from_nothing(
    before: list[Operation], after: list[Operation]
) -> None:
    """It is taken over when the swap is made; a swap that is refused leaves that of before."""
    app = Application("village", inputs=Inputs(environ={"ONEIRIC_SWAP__DRAIN_GRACE_S": "0"}))
    village(app)
    app.override(LayerContainer("profile", dict.fromkeys(SLOTS[:-1], Part)))
    for change in before:
        carry_out(app, change, [])

    async def swaps() -> None:
        async with app:
            for slot in app.slots.every():
                with suppress(OneiricError):
                    await app.wiring.abuild(slot)
            for change in after:
                layer = layer_of(change)
                assert layer is not None
                with suppress(OneiricError):  # it may be refused at once, or when it is planned
                    await app.swap(layer)
                assert told(app.index) == told(Index(app.wiring))

    with suppress(InvalidApplication):
        asyncio.run(swaps())


def new(faults: list[OneiricError], known: list[OneiricError]) -> set[str]:
    """Return the messages of faults that were not there, but for rings: which of several is told is left open."""
    return {fault.message for fault in added(faults, known) if fault.code != RING}
