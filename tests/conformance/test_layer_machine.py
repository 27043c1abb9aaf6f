"""Layers that come, go and are replaced at random, against a model of what they come to."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from oneiric.containers.layers import LayerContainer
from oneiric.core.errors import OneiricError
from tests.conformance.cases import Case, build

ORDERS = {
    "default": ("code", "profile", "manifest", "env", "explicit"),
    "serverless": ("code", "profile", "manifest", "env", "explicit"),
    "test": ("code", "profile", "manifest", "explicit"),
}
FIELDS = {
    "orders.host": {"type": "str", "default": "of-code"},
    "orders.tags": {"type": "list", "default": ["code"]},
    "orders.options": {"type": "map", "default": {}},
}
REGISTRY = {"cache": [{"name": "memory", "priority": 10}, {"name": "redis"}, {"name": "valkey", "installed": False}]}
UNSET = {"$unset": True}
Said = tuple[str, dict[str, Any]]  # the name of a layer, and what it says

spoken = st.fixed_dictionaries(
    {},
    optional={
        "cache": st.sampled_from(["memory", "redis", "valkey", "nobody", UNSET]),
        "orders.host": st.sampled_from(["p", "q", UNSET]),
        "orders.tags": st.sampled_from([[], ["a"], {"$append": ["b"]}, {"$remove": ["a", "code"]}, UNSET]),
        "orders.options": st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2), max_size=2),
    },
)
names = st.sampled_from(["profile", "manifest", "env", "explicit"])


class Model:
    """What layers come to, by the rules as a person would apply them by hand."""

    def __init__(self, order: tuple[str, ...]) -> None:
        self.order = order
        self.layers: list[Said] = []

    def said(self, key: str) -> list[tuple[str, Any]]:
        """What is said about a key, lowest first; of layers of one name, the later stands above the earlier."""
        ranked = sorted((one for one in self.layers if one[0] in self.order), key=lambda one: self.order.index(one[0]))
        found = [(name, says[key]) for name, says in ranked if key in says]
        masks = [position for position, (_, value) in enumerate(found) if value == UNSET]
        return found[masks[-1] + 1 :] if masks else found

    def choice(self) -> tuple[str, str]:
        """Who fills the slot, by which layer; or the code of the error."""
        layer, name = (self.said("cache") or [("code", "memory")])[-1]
        errors = {"valkey": "selection-not-installed", "nobody": "selection-unknown"}
        return layer, errors.get(name, name)

    def host(self) -> tuple[str, str]:
        """The highest layer and its text."""
        return (self.said("orders.host") or [("code", "of-code")])[-1]

    def tags(self) -> list[str]:
        """The list with all directives carried out."""
        tags = ["code"]
        for _, value in self.said("orders.tags"):
            match value:
                case {"$append": more}:
                    tags = [*tags, *more]
                case {"$remove": gone}:
                    tags = [tag for tag in tags if tag not in gone]
                case _:
                    tags = value
        return tags

    def options(self) -> dict[str, int]:
        """The maps, each over those below."""
        return {name: part for _, value in self.said("orders.options") for name, part in value.items()}


class LayerMachine(RuleBasedStateMachine):
    """An application whose layers change, and the model of it."""

    applied = Bundle("applied")

    @initialize(profile=st.sampled_from(sorted(ORDERS)))
    def start(self, profile: str) -> None:
        """Make an application without layers."""
        self.folder = tempfile.TemporaryDirectory()
        case = Case({"profile": profile, "layers": {}, "query": {}}, FIELDS, REGISTRY)
        self.app = build(case, Path(self.folder.name))
        self.model = Model(ORDERS[profile])

    @rule(target=applied, name=names, says=spoken)
    def add(self, name: str, says: dict[str, Any]) -> Any:
        """Apply a layer above those of its own name."""
        said = (name, says)
        bindings = {key: value for key, value in says.items() if key == "cache"}
        layer = LayerContainer(name, bindings, settings={k: v for k, v in says.items() if k != "cache"})
        handle = self.app.override(layer)
        self.model.layers.append(said)
        return handle, said

    @rule(one=consumes(applied))
    def drop(self, one: Any) -> None:
        """Take a layer away, wherever it is; a second time changes nothing."""
        handle, said = one
        self.app.drop(handle.layer)
        self.app.drop(handle.layer)
        self.model.layers = [other for other in self.model.layers if other is not said]

    @rule(target=applied, one=consumes(applied), says=spoken)
    def replace(self, one: Any, says: dict[str, Any]) -> Any:
        """Put another layer in the place of one, as a changed file does."""
        self.drop(one)
        return self.add(one[1][0], says)

    @rule(target=applied, one=consumes(applied))
    def put_back(self, one: Any) -> Any:
        """Take a layer away and apply the same one again, which is above its equals then."""
        handle, said = one
        self.drop(one)
        again = self.app.override(handle.layer)
        self.model.layers.append(said)
        return again, said

    @invariant()
    def the_choice_is_that_of_the_model(self) -> None:
        """The same adapter from the same layer, or the same error."""
        explained = self.app.explain("cache")

        layer, name = self.model.choice()
        if explained.error is not None:
            assert explained.error.code == name
            assert explained.winner is None
        else:
            assert explained.winner is not None
            assert (explained.winner.layer, explained.winner.value) == (layer, name)

    @invariant()
    def the_values_are_those_of_the_model(self) -> None:
        """Explained and used alike."""
        explained = self.app.explain("orders.host")

        assert explained.winner is not None
        assert (explained.winner.layer, explained.winner.value) == self.model.host()
        assert self.app.setting("orders.host") == self.model.host()[1]
        assert self.app.setting("orders.tags") == self.model.tags()
        assert self.app.setting("orders.options") == self.model.options()

    @invariant()
    def an_error_that_is_explained_is_the_one_that_is_raised(self) -> None:
        """Word for word."""
        explained = self.app.explain("cache").error

        raised = None
        try:
            self.app.settings_of("cache")
        except OneiricError as error:
            raised = error.problem

        assert explained == raised

    def teardown(self) -> None:
        """Take the folder away."""
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestLayerMachine = LayerMachine.TestCase
TestLayerMachine.settings = settings(max_examples=15, stateful_step_count=12)
