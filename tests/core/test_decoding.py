"""Unpacking a body in bounded pieces."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.decoding import PIECE_BYTES, Decoder
from oneiric.core.errors import BadReply


def unpack(encoding: str, *packed: bytes) -> list[bytes]:
    decoder = Decoder(encoding)
    pieces = [piece for part in packed for piece in decoder.feed(part)]
    decoder.finish()
    return pieces


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("", b"text", id="none"),
        pytest.param("identity", b"text", id="identity"),
        pytest.param("GZip", gzip.compress(b"text"), id="gzip in any case"),
        pytest.param("x-gzip", gzip.compress(b"text"), id="its old name"),
        pytest.param("deflate", zlib.compress(b"text"), id="deflate"),
        pytest.param("gzip", gzip.compress(b"te") + gzip.compress(b"xt"), id="two members"),
    ],
)
def test_a_body_is_unpacked_by_its_header(encoding: str, packed: bytes) -> None:
    """The pieces together are the text."""
    assert b"".join(unpack(encoding, packed)) == b"text"


@given(text=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=5))
def test_it_does_not_matter_how_the_bytes_arrive(text: bytes, cuts: list[int]) -> None:
    """Any division of the compressed bytes gives the same text."""
    packed = gzip.compress(text)
    places = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]

    parts = [packed[start:end] for start, end in pairwise(places)]

    assert b"".join(unpack("gzip", *parts)) == text


def test_no_piece_is_longer_than_the_limit() -> None:
    """A bomb comes out in pieces of 64 KiB, so that whoever counts them can stop."""
    bomb = gzip.compress(bytes(10 * PIECE_BYTES + 1))

    assert [len(piece) for piece in unpack("gzip", bomb)] == [PIECE_BYTES] * 10 + [1]


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("br", b"x", id="an encoding that was not asked for"),
        pytest.param("gzip, gzip", b"x", id="two encodings"),
        pytest.param("gzip", b"canary", id="bytes that are not compressed"),
        pytest.param("gzip", gzip.compress(b"canary")[:-9], id="compressed bytes that end early"),
    ],
)
def test_what_does_not_unpack_is_a_bad_reply(encoding: str, packed: bytes) -> None:
    """The error holds none of the bytes."""
    with pytest.raises(BadReply) as caught:
        unpack(encoding, packed)

    assert "canary" not in str(caught.value)


def test_no_bytes_are_an_empty_body() -> None:
    """The answer to HEAD names an encoding and has no body."""
    assert unpack("gzip") == []
