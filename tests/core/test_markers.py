"""The markers that application code writes in signatures."""

from __future__ import annotations

from typing import Annotated, get_type_hints

import pytest

from oneiric.core.markers import INJECT, INJECTED, Inject, Named


def test_inject_of_a_type_is_the_type_with_a_marker() -> None:
    """Type checkers see T, and we see that it is injected."""

    def handler(cache: Inject[str] = INJECTED) -> None: ...

    hints = get_type_hints(handler, include_extras=True)

    assert hints["cache"] == Annotated[str, INJECT]


def test_an_injected_default_shows_itself_by_name() -> None:
    """A signature that is printed, in help or in a traceback, reads as it was written."""
    assert repr(INJECTED) == "INJECTED"
    assert repr(INJECT) == "INJECT"
    assert repr(Named("cache.sessions")) == "Named('cache.sessions')"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        pytest.param(Named("cache"), Named("cache"), True, id="same name"),
        pytest.param(Named("cache"), Named("queue"), False, id="other name"),
        pytest.param(
            Named("cache", capabilities=["ttl", "shared"]),
            Named("cache", capabilities=("shared", "ttl")),
            True,
            id="capabilities in another order",
        ),
        pytest.param(Named("cache", capabilities=["ttl"]), Named("cache"), False, id="other capabilities"),
        pytest.param(Named("cache", any_of=["ttl"]), Named("cache", capabilities=["ttl"]), False, id="any or all"),
        pytest.param(Named("cache"), "cache", False, id="a text"),
    ],
)
def test_two_names_are_equal_when_they_ask_for_the_same(one: Named, other: object, equal: bool) -> None:
    """`Annotated` compares its markers, and caches of compiled signatures rely on that."""
    assert (one == other) is equal
    assert not equal or hash(one) == hash(other)
