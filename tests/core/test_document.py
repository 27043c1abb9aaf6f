"""JSON documents that are read strictly: whatever another reader might take otherwise is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.document import MAX_BYTES, check_values, digest_of, read_document, shown
from oneiric.core.errors import InvalidManifest

NESTED_64 = b'{"a": ' + b"[" * 62 + b"[]" + b"]" * 62 + b"}"
NESTED_65 = b'{"a": ' + b"[" * 63 + b"[]" + b"]" * 63 + b"}"


def refusal(content: bytes) -> str:
    """Return why a document is refused."""
    with pytest.raises(InvalidManifest) as caught:
        read_document(content, "some.json")
    return caught.value.message


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b'{"a": {"b": 1, "b": 2}}', "a.b stands there twice", id="a key twice"),
        pytest.param(b'{"a": {"b": 1, "b": 2}, "a": 3}', "a stands there twice", id="a key twice, in what is replaced"),
        pytest.param(b'{"a": [{"x": 1}, {"b": 1, "b": 1}]}', "a.1.b stands there twice", id="a key twice, in a list"),
        pytest.param(b'{"\\u0061": 1, "a": 1}', "a stands there twice", id="a key twice, spelled in two ways"),
        pytest.param(b'{"a": {"b": NaN}}', "a.b: JSON has no infinite number, and none that is no number", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "a: JSON has no infinite number, and none that is no number", id="Infinity"),
        pytest.param(b'{"a": [1e999]}', "a.0: JSON has no infinite number, and none that is no number", id="1e999"),
        pytest.param(b'{"a": 1' + b"0" * 700 + b"}", "a: it is a number of too many digits", id="700 digits"),
        pytest.param(b'{"a": 1' + b"0" * 9_000 + b"}", "it holds a number of too many digits", id="9,000 digits"),
        pytest.param(b'{"a": "\\ud800"}', "a: it is no Unicode text", id="half a character"),
        pytest.param(b'{"\\udfff": 1}', "a key in it is no Unicode text", id="half a character in a key"),
        pytest.param(NESTED_65, "a" + ".0" * 63 + ": it is nested more than 64 deep", id="65 deep"),
        pytest.param(b"[" * 200_000, "it is nested more than 64 deep", id="200,000 deep"),
        pytest.param(b"[1, 2]", "it is no JSON object", id="a list"),
        pytest.param(b'"canary"', "it is no JSON object", id="a text"),
        pytest.param(b"", "line 1, column 1 is no JSON: Expecting value", id="nothing"),
        pytest.param(b'{\n "a": canary}', "line 2, column 7 is no JSON: Expecting value", id="no JSON"),
        pytest.param(b'{"a": 1} canary', "line 1, column 10 is no JSON: Extra data", id="more behind the end"),
        pytest.param(b'{"a": "canary\xff"}', "byte 14 is no UTF-8", id="no UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "line 1, column 1 is no JSON: Unexpected UTF-8 BOM", id="a BOM"),
        pytest.param(b'{"a":"' + b"x" * MAX_BYTES + b'"}', "it is over 1048576 bytes", id="more than 1 MiB"),
    ],
)
def test_a_document_that_two_readers_could_take_differently_is_refused(content: bytes, why: str) -> None:
    """The error names the file and the place, and holds nothing of a value."""
    message = refusal(content)

    assert message.startswith(f"some.json: {why}")
    assert "canary" not in message


@pytest.mark.parametrize(
    ("content", "document"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(
            b'{"a": [1, 2.5, true, null, "\xc3\xa4"], "b": {}}',
            {"a": [1, 2.5, True, None, "ä"], "b": {}},
            id="all kinds",
        ),
        pytest.param(b'\n {"a":\t1}\r\n', {"a": 1}, id="blanks"),
        pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}, id="a character in two halves"),
    ],
)
def test_a_json_object_is_read(content: bytes, document: dict[str, Any]) -> None:
    """All that JSON holds is taken."""
    assert read_document(content, "some.json") == document


def test_64_maps_and_lists_inside_each_other_are_taken() -> None:
    """The limit itself is no fault."""
    assert list(read_document(NESTED_64, "some.json")) == ["a"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(date(2026, 1, 31), "JSON has no dates and times, and one is never turned into a text", id="date"),
        pytest.param(
            datetime(2026, 1, 31, tzinfo=UTC),
            "JSON has no dates and times, and one is never turned into a text",
            id="date and time",
        ),
        pytest.param(time(12, 0), "JSON has no dates and times, and one is never turned into a text", id="time"),
        pytest.param(math.nan, "JSON has no infinite number, and none that is no number", id="no number"),
        pytest.param((1, 2), "JSON has no such value", id="a tuple, which would come back as a list"),
        pytest.param({1: 2}, "a key in it is no Unicode text", id="a key that would come back as a text"),
        pytest.param(b"x", "JSON has no such value", id="bytes"),
    ],
)
def test_what_json_cannot_give_back_is_refused_before_it_is_written(value: object, why: str) -> None:
    """A document of a program obeys the rules of one that is read."""
    with pytest.raises(InvalidManifest) as caught:
        check_values({"a": [value]}, "some.json")

    assert caught.value.message == f"some.json: a.0: {why}"


def test_the_digest_is_of_the_canonical_form() -> None:
    """Sorted, without blanks, unescaped, and without the digest itself; the expected one is that of `sha256sum`."""
    document = {"b": ["ä", 0.1, 1e16, -0.0, 7, "\x1f\n/"], "a": {"z": None, "y": True}, "digest": "anything"}
    # printf '%s' '{"a":{"y":true,"z":null},"b":["ä",0.1,1e+16,-0.0,7,"\u001f\n/"]}' | sha256sum
    expected = "feb13e0cb06ab45da92656ff3e0df7ba08fc49ed64d51eeffe2702ef5f4ab211"

    assert digest_of(document) == expected


def test_a_place_is_one_short_line() -> None:
    """A hostile key can neither break a line nor move the cursor of a terminal."""
    assert shown(("settings", "a\nb\x1b[2J", 3)) == "settings.a\\nb\\u001b[2J.3"
    assert len(shown(("x" * 1_000,))) == 200


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_any_json_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    """Reading is the inverse of writing, escaped or not."""
    assert read_document(json.dumps(document).encode(), "some.json") == document
    assert read_document(json.dumps(document, ensure_ascii=False).encode(), "some.json") == document


@given(st.dictionaries(st.text(), JSON_VALUES), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_keys(document: dict[str, Any], random: Any) -> None:
    """Two writers of the same content make the same digest."""
    names = list(document)
    random.shuffle(names)

    assert digest_of({name: document[name] for name in names}) == digest_of(document)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0019aeNInf+-. \n', max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_refused(content: bytes) -> None:
    """Nothing else is ever raised."""
    try:
        document = read_document(content, "some.json")
    except InvalidManifest:
        return

    assert document == json.loads(content)
