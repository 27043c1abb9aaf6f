"""The grammar of keys, checked on made-up ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.adapters.storage.common import check_keys, key_fault, prefix_fault
from oneiric.core.errors import InvalidInput

SEGMENTS = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
KEYS = st.lists(SEGMENTS.filter(lambda text: text not in {".", ".."}), min_size=1, max_size=8).map("/".join)


@given(KEYS)
def test_segments_with_slashes_between_are_a_key(key: str) -> None:
    """Any text without slash, backslash and NUL is a segment, but for one dot and two dots."""
    assert key_fault(key) is None


@given(KEYS, st.data())
def test_every_beginning_of_a_key_is_a_prefix(key: str, data: st.DataObject) -> None:
    """A prefix may end anywhere in a key."""
    length = data.draw(st.integers(0, len(key)))

    assert prefix_fault(key[:length]) is None


@given(KEYS, st.sampled_from(["\\", "\0", "\udfff", "//", "/../", "/./"]), KEYS)
def test_one_wrong_part_spoils_a_key(before: str, wrong: str, after: str) -> None:
    """Good text around it does not help."""
    assert key_fault(f"{before}{wrong}{after}") is not None


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        pytest.param("k" * 1024, None, id="1,024 bytes"),
        pytest.param("k" * 1025, "a key has at most 1024 bytes", id="1,025 bytes"),
        pytest.param("", "a key is a text that is not empty", id="empty"),
        pytest.param("a\\b", "a key holds no backslash and no NUL", id="a backslash"),
        pytest.param("a/..", "a key is relative, and no segment is empty, . or ..", id="two dots at the end"),
        pytest.param("/etc/passwd", "a key is relative, and no segment is empty, . or ..", id="absolute"),
    ],
)
def test_a_fault_says_what_a_key_is(key: str, fault: str | None) -> None:
    """The text tells the rule that was broken."""
    assert key_fault(key) == fault


def test_the_error_names_the_call_and_hides_the_key() -> None:
    """A key that breaks the grammar may hold anything, so it stays out of the message."""
    with pytest.raises(InvalidInput) as caught:
        check_keys("fine", "canary\\", name="local", operation="delete")

    assert str(caught.value) == "storage/local delete: invalid-input (a key holds no backslash and no NUL)"
