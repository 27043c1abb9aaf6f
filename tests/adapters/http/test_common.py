"""The category http: its Protocol and the types it names."""

from __future__ import annotations

from oneiric.adapters import http
from oneiric.adapters.http.common import Http
from oneiric.core import response


def test_the_category_hands_out_the_types_of_the_core() -> None:
    """An answer has one type, wherever it came from."""
    assert http.Response is response.Response
    assert http.StreamResponse is response.StreamResponse


def test_what_cannot_stream_is_no_http_adapter() -> None:
    """The Protocol asks for request and stream."""

    class Half:
        async def request(self) -> None: ...

    assert not isinstance(Half(), Http)
