"""Layers put in and taken out, in any order, under readers."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric import INJECTED, Application, Container, Inject, Inputs, LayerContainer, Named, inject
from oneiric.core.errors import AmbiguousType, NoCandidate
from oneiric.core.profiles import SERVERLESS, TEST, Profile
from oneiric.providers.catalog import Catalog, Category, Row
from tests.containers.shapes import Clock, Engine, FixedClock, OtherClock

NAMES = ("profile", "secrets", "manifest", "env", "explicit")


def clocks() -> Container:
    """Return a container with one slot of its own and nothing bound to it."""
    container = Container("t")
    container.slot("clock", Clock)
    return container


@pytest.mark.parametrize(
    "arrival",
    [pytest.param(order, id="-".join(order)) for order in itertools.permutations(["profile", "manifest", "env"])],
)
def test_rank_decides_and_not_the_order_of_arrival(arrival: tuple[str, ...]) -> None:
    """Whatever order layers come in, the highest of the profile's order fills the slot."""
    container = clocks()
    own = {name: FixedClock() for name in arrival}

    for name in arrival:
        container.override(LayerContainer(name, {"clock": own[name]}))

    assert container.adapters.clock() is own["env"]
    assert [layer.name for layer in container.overridden] == ["profile", "manifest", "env"]


def test_a_middle_layer_leaves_and_the_others_stay() -> None:
    """Dropping a layer takes away what it bound, and nothing else."""
    container = clocks()
    low, middle, high = (LayerContainer(n, {"clock": FixedClock()}) for n in ("profile", "manifest", "env"))
    for layer in (low, middle, high):
        container.override(layer)

    container.drop(middle)

    assert container.adapters.clock() is high.bindings["clock"].value
    container.drop(high)
    assert container.adapters.clock() is low.bindings["clock"].value
    assert container.overridden == (low,)


@pytest.mark.parametrize("covered", [pytest.param({}, id="empty"), pytest.param({"engine": Engine()}, id="partial")])
def test_a_layer_that_covers_few_slots_is_dropped_alone(covered: dict[str, object]) -> None:
    """An empty or partial layer comes and goes without touching the layers around it."""
    container = clocks()
    container.slot("engine", Engine)
    own = FixedClock()
    container.override({"clock": own})
    layer = LayerContainer("env", covered)
    container.override(layer)

    container.drop(layer)

    assert container.adapters.clock() is own
    assert layer not in container.overridden


def test_a_dropped_layer_may_be_dropped_again() -> None:
    """Dropping what is not applied changes nothing."""
    container = clocks()
    layer = LayerContainer("env", {"clock": FixedClock()})
    container.override(layer)
    container.drop(layer)

    container.drop(layer)

    assert container.overridden == ()


def test_another_profile_ranks_the_same_layers_anew() -> None:
    """`secrets` cannot select, `env` is silent under test: the order is the profile's."""
    container = clocks()
    manifest, env = FixedClock(1), FixedClock(2)
    container.override(LayerContainer("manifest", {"clock": manifest}))
    container.override(LayerContainer("env", {"clock": env}))

    container.stack.use_profile(TEST)
    under_test = container.adapters.clock()
    container.stack.use_profile(SERVERLESS)

    assert under_test is manifest
    assert container.adapters.clock() is env


def test_a_layer_may_speak_before_its_slot_is_declared() -> None:
    """A layer given at construction binds slots that are declared later."""
    own = FixedClock()
    container = Container("t", layers=[LayerContainer("profile", {"clock": own})])

    container.slot("clock", Clock)

    assert container.adapters.clock() is own


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=30))
def test_any_history_ends_where_its_layers_end(history: list[tuple[str, bool]]) -> None:
    """After any sequence of puts and drops the winner is the highest layer that is left, the later one among equals."""
    container = clocks()
    model: list[LayerContainer] = []
    for name, put in history:
        same = [layer for layer in model if layer.name == name]
        if put:
            layer = LayerContainer(name, {"clock": FixedClock()})
            container.override(layer)
            model.append(layer)
        elif same:
            container.drop(same[0])
            model.remove(same[0])

    able = [layer for layer in model if layer.name != "secrets"]
    best = max(able, key=lambda layer: (NAMES.index(layer.name), model.index(layer)), default=None)

    if best is None:
        with pytest.raises(NoCandidate):
            container.adapters.clock()
    else:
        assert container.adapters.clock() is best.bindings["clock"].value


@pytest.mark.slow
def test_a_middle_layer_swapped_ten_thousand_times_is_never_seen_half() -> None:
    """Two threads read while the layer in the middle is replaced: every read gives the object of the top layer."""
    container = clocks()
    base, top = FixedClock(), FixedClock()
    container.override(LayerContainer("profile", {"clock": base}))
    container.override(LayerContainer("env", {"clock": top}))
    stop, wrong, reads = threading.Event(), [], [0, 0]

    def read(position: int) -> None:
        while not stop.is_set():
            if (found := container.adapters.clock()) is not top:
                wrong.append(found)
            reads[position] += 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=read, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10_000):
            layer = LayerContainer("manifest", {"clock": FixedClock()})
            container.override(layer)
            container.drop(layer)
    finally:
        stop.set()
        sys.setswitchinterval(before)
        for thread in threads:
            thread.join()

    assert wrong == []
    assert min(reads) > 0


@pytest.mark.slow
def test_the_top_layer_swapped_under_readers_gives_one_of_the_two() -> None:
    """While the winner itself is replaced, a reader gets the old object or the new one, never an error."""
    container = clocks()
    base, top = FixedClock(), FixedClock()
    container.override(LayerContainer("profile", {"clock": base}))
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                found = container.adapters.clock()
            except Exception as error:  # border: whatever a reader meets is a finding of this test
                found = error
            if found is not base and found is not top:
                wrong.append(found)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2_000):
            with container.override(LayerContainer("env", {"clock": top})):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert wrong == []


def test_one_layer_may_be_applied_to_two_containers() -> None:
    """Each of them gets all that it says, and keeps it when the other drops it."""
    clock = FixedClock()
    layer = LayerContainer("explicit", {"clock": clock})
    first, second = clocks(), clocks()
    first.override(layer)
    second.override(layer)

    first.drop(layer)

    assert second.adapters.clock() is clock
    with pytest.raises(NoCandidate):
        first.adapters.clock()


def test_one_layer_applied_twice_is_in_force_until_both_have_ended() -> None:
    """Each handle takes away only its own."""
    clock = FixedClock()
    layer = LayerContainer("explicit", {"clock": clock})
    container = clocks()

    with container.override(layer):
        with container.override(layer):
            pass
        inside = container.adapters.clock()

    assert inside is clock
    assert container.overridden == ()


def test_the_state_is_derived_under_the_lock() -> None:
    """Else a thread that began before a change could keep the state of before it."""
    container = clocks()
    is_free: list[bool] = []

    class Probe(LayerContainer):
        """Asks from another thread whether the lock is free while its rank is read."""

        def rank(self, profile: Profile) -> int | None:
            with ThreadPoolExecutor(1) as pool:
                is_free.append(pool.submit(container.stack.lock.acquire, blocking=False).result())
            return super().rank(profile)

    container.override(Probe("explicit", settings={"clock.fixed.seconds": 1}))
    is_free.clear()

    _ = container.stack.selection

    assert is_free == [False]


def test_a_type_that_several_slots_have_is_ambiguous_in_an_override() -> None:
    """The error lists the slots, and nothing is applied."""
    container = clocks()
    container.slot("other", Clock)

    with pytest.raises(AmbiguousType, match="clock, other"):
        container.override({Clock: FixedClock()})

    assert container.overridden == ()


class OfOthers(Catalog):
    """A catalog with a category that is known only when other distributions are asked."""

    @property
    def built_in(self) -> Mapping[str, Category]:
        """Return all but that one."""
        return {name: category for name, category in super().built_in.items() if name != "ticker"}


@inject
def by_type(clock: Inject[Clock] = INJECTED) -> Clock:
    """Ask by type."""
    return clock


@inject
def by_name(clock: Annotated[Clock, Named("ticker")] = INJECTED) -> Clock:
    """Ask by name."""
    return clock


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda c: c.call(by_type), id="by type"),
        pytest.param(lambda c: c.call(by_name), id="by name"),
        pytest.param(lambda c: c.adapters.ticker(), id="as an attribute"),
        pytest.param(lambda c: c.slot("ticker")(), id="as a slot"),
        pytest.param(lambda c: [c.check(), c.adapters.ticker()][1], id="after a check"),
        pytest.param(lambda c: [c.explain("ticker"), c.adapters.ticker()][1], id="after an explanation"),
    ],
)
def test_a_category_of_another_distribution_is_found_when_it_is_asked_for(ask: Callable[[Container], Clock]) -> None:
    """What layers said about it before counts, and so do the slots of its type."""
    here = "tests.containers.shapes"
    rows = [Row("ticker", "fixed", f"{here}:FixedClock", priority=9), Row("ticker", "other", f"{here}:OtherClock")]
    catalog = OfOthers([Category("ticker", f"{here}:Clock")], rows, third_party=False)
    container = Container("t", catalog=catalog, layers=[LayerContainer("env", {"ticker": "other"})])
    container.slot("ticker.slow", Clock)

    assert type(ask(container)) is OtherClock
    assert type(container.slot("ticker.slow")()) is FixedClock


@pytest.mark.parametrize("handler", [pytest.param(by_name, id="by name"), pytest.param(by_type, id="by type")])
def test_a_category_of_another_distribution_is_found_when_a_check_asks(handler: Callable[..., Clock]) -> None:
    """The first to ask for it is the need of a registered function."""
    here = "tests.containers.shapes"
    catalog = OfOthers(
        [Category("ticker", f"{here}:Clock")], [Row("ticker", "fixed", f"{here}:FixedClock")], third_party=False
    )
    container = Container("t", catalog=catalog)
    container.task("tell")(handler)

    assert "ticker" in {slot.name for slot in container.index.used}
    container.check()
    assert type(container.adapters.ticker()) is FixedClock


def test_an_override_by_type_ends_although_the_type_has_a_second_slot_by_now() -> None:
    """What a type meant when the layer was applied is what is taken back."""
    container = Container("t")
    first, fake = Engine(), Engine()
    container.slot("engine", Engine)
    container.override({"engine": first})
    override = container.override({Engine: fake})
    container.slot("spare", Engine)

    override.undo()

    assert container.slot("engine")() is first


@pytest.mark.parametrize("profile", [pytest.param(TEST, id="test"), pytest.param(SERVERLESS, id="serverless")])
def test_an_override_by_type_survives_another_profile(profile: Profile) -> None:
    """Layers are ranked anew, and a type means the slot that it meant when it was applied."""
    container = Container("t")
    container.slot("engine", Engine)
    first, fake = Engine(), Engine()
    container.override({"engine": first})
    override = container.override({Engine: fake})
    container.slot("spare", Engine)

    container.override({"spare": Engine()})
    container.stack.use_profile(profile)
    inside = container.slot("engine")()
    container.check()
    override.undo()

    assert inside is fake
    assert container.slot("engine")() is first


@pytest.mark.asyncio
async def test_a_denial_moves_a_slot_whose_object_is_built() -> None:
    """The object of an adapter that was denied is not handed out any more, and comes back with the permission."""
    async with Application("t", inputs=Inputs(environ={})) as app:
        await app.wiring.abuild(app.adapters.storage)
        local = app.adapters.storage()

        denial = app.override(LayerContainer("manifest", deny={"storage": ["local"]}))
        memory = await app.wiring.abuild(app.adapters.storage)
        denial.undo()

        assert type(memory) is not type(local)
        assert app.adapters.storage() is local
