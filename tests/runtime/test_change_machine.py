"""Start, stop, swap, override, layers, children and cancellation in random order, against a small model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oneiric import Event, LayerContainer
from oneiric.core.errors import NotRunning, SwapFailed
from tests.runtime.backends import Backend, Broken, First, Log, Second, Sick, build, use

CALL = Event(type="call")
KINDS = st.sampled_from([First, Second])
EXPLICIT = "explicit"


class Changes(RuleBasedStateMachine):
    """The model: what is said in layers `manifest` and `explicit`, low to high, and whether the application runs."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.app = build()
        self.said: list[tuple[object, str, type[Backend]]] = [("base", EXPLICIT, First)]
        self.overrides: list[Any] = []
        self.layers: list[LayerContainer] = []
        self.children: list[tuple[Any, type[Backend]]] = []
        self.is_running = False
        self.generation = 0

    def run(self, steps: Any) -> Any:
        """Run a coroutine in the loop of this machine."""
        return self.runner.run(steps)

    @property
    def expected(self) -> type[Backend]:
        """The class that fills the slot."""
        ranked = [kind for _, layer, kind in self.said if layer != EXPLICIT]
        return [*ranked, *(kind for _, layer, kind in self.said if layer == EXPLICIT)][-1]

    @rule()
    def start(self) -> None:
        """Start; a second start does nothing."""
        self.run(self.app.start())
        if not self.is_running:
            self.is_running, self.generation = True, self.generation + 1

    @rule()
    def stop(self) -> None:
        """Stop, with all children."""
        self.run(self.app.stop())
        self.is_running = False
        self.children.clear()

    @rule(kind=KINDS)
    def swap(self, kind: type[Backend]) -> None:
        """Swap; an equal change makes no generation."""
        if not self.is_running:
            with pytest.raises(NotRunning):
                self.run(self.app.swap({"backend": kind}))
            return
        swapped = self.run(self.app.swap({"backend": kind}))
        before = [one for one in self.said if one[0] == "swap"]
        if not swapped.is_same:
            self.generation += 1
            self.said = [one for one in self.said if one[0] != "swap"]
            self.said.append(("swap", EXPLICIT, kind))
        else:
            assert [one[2] for one in before] == [kind]

    @precondition(lambda self: self.is_running)
    @rule(kind=st.sampled_from([Sick, Broken]))
    def fail_to_swap(self, kind: type[Backend]) -> None:
        """A swap that cannot be made changes nothing."""
        with pytest.raises(SwapFailed):
            self.run(self.app.swap({"backend": kind}))

    @precondition(lambda self: self.is_running)
    @rule()
    def cancel_a_swap(self) -> None:
        """A swap that is cancelled while it opens changes nothing."""

        class Slow(First):
            async def open(self) -> None:
                await asyncio.Event().wait()

        async def cancelled() -> None:
            task = asyncio.create_task(self.app.swap({"backend": Slow}))
            for _ in range(5):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

        self.run(cancelled())

    @rule(kind=KINDS)
    def override(self, kind: type[Backend]) -> None:
        """Override, above what is there."""
        handle = self.app.override({"backend": kind})
        self.overrides.append(handle)
        self.said.append((handle, EXPLICIT, kind))

    @precondition(lambda self: self.overrides)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """End any of the overrides."""
        handle = self.overrides.pop(data.draw(st.integers(0, len(self.overrides) - 1)))
        handle.undo()
        self.said = [one for one in self.said if one[0] is not handle]

    @rule(kind=KINDS)
    def apply(self, kind: type[Backend]) -> None:
        """Apply a layer that stands below."""
        layer = LayerContainer("manifest", {"backend": kind})
        self.app.override(layer)
        self.layers.append(layer)
        self.said.append((layer, "manifest", kind))

    @precondition(lambda self: self.layers)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        """Take any of these layers away."""
        layer = self.layers.pop(data.draw(st.integers(0, len(self.layers) - 1)))
        self.app.drop(layer)
        self.said = [one for one in self.said if one[0] is not layer]

    @precondition(lambda self: self.is_running)
    @rule(kind=KINDS)
    def make_a_child(self, kind: type[Backend]) -> None:
        """Make a child that fills the slot itself."""
        self.children.append((self.app.child(f"c{len(self.children)}", {"backend": kind}), kind))

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def close_a_child(self, data: st.DataObject) -> None:
        """Close any of them."""
        child, _ = self.children.pop(data.draw(st.integers(0, len(self.children) - 1)))
        self.run(child.stop())

    @precondition(lambda self: self.is_running)
    @rule()
    def call(self) -> None:
        """A call sees one generation, and the class that is said."""
        assert type(self.run(use(CALL))) is self.expected
        for child, kind in self.children:
            assert type(self.run(child.call(use, CALL))) is kind

    @invariant()
    def counts(self) -> None:
        """Nothing is closed twice, and the generation is the one that the model counts."""
        assert all(one.opened <= 1 and one.closed <= 1 for one in Log.made)
        assert Log.cut_off == []
        if self.is_running:
            assert self.app.generation == self.generation
            assert [one.number for one in self.app.generations][-1] == self.generation

    def teardown(self) -> None:
        """After the end everything that was opened is closed."""
        self.run(self.app.stop())
        self.run(self.app.settled())
        self.runner.close()
        assert [(one.opened, one.closed) for one in Log.made if one.opened != one.closed] == []


TestChanges = pytest.mark.slow(Changes.TestCase)
TestChanges.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
