"""The grammar of names and messages, at its edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from oneiric.adapters.queue.common import check_delay, check_message, check_names
from oneiric.core.errors import InvalidInput


def passes(check: Callable[[], object]) -> bool:
    """Tell whether a check finds nothing to refuse."""
    try:
        check()
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("name", ["q", "q" * 80, "oneiric-events", "a.b_c-d", "7"], ids=len)
def test_good_names_pass(name: str) -> None:
    """Letters, digits, dot, underscore and hyphen, up to 80 of them."""
    assert passes(partial(check_names, name, name="memory", operation="ensure"))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="nothing but a body"),
        pytest.param({"body": b""}, id="an empty body"),
        pytest.param({"headers": {"a": "v" * 8191}}, id="headers of 8,192 bytes"),
        pytest.param({"headers": {"Content-Type": "größe 🗝"}}, id="a header's value beyond ASCII"),
        pytest.param({"key": "order / 17 ü"}, id="a key with blanks and beyond ASCII"),
        pytest.param({"key": "k" * 512}, id="a key of 512 bytes"),
        pytest.param({"id": "!" * 128}, id="an id of 128 signs"),
    ],
)
def test_good_messages_pass(changed: dict[str, object]) -> None:
    """What is at the edge of the grammar is still within it."""
    message: dict[str, Any] = {"body": b"x", "headers": None, "key": None, "id": None, **changed}

    assert passes(partial(check_message, **message, name="memory"))


def test_the_error_hides_the_message() -> None:
    """Neither a header's name nor its value is in the error."""
    with pytest.raises(InvalidInput) as caught:
        check_message(b"x", {"canary": "canary\n"}, None, None, name="memory")

    expected = "queue/memory publish: invalid-input (a header's value is a text without control characters)"
    assert str(caught.value) == expected


@pytest.mark.parametrize("delay_s", [0, 0.5, 3600], ids=str)
def test_good_delays_pass(delay_s: float) -> None:
    """Zero is a delay, and fractions are."""
    assert passes(partial(check_delay, delay_s, name="memory", operation="nak"))
