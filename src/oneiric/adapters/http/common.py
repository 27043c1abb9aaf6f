"""What every HTTP adapter does. `Response` and `StreamResponse` are those of the core, which REST adapters use too."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from oneiric.core.event import JSON
from oneiric.core.http import Params
from oneiric.core.response import Response, StreamResponse

__all__ = ["Http", "Params", "Response", "StreamResponse"]


@runtime_checkable
class Http(Protocol):
    """
    Requests to HTTP servers.

    No redirect is followed unless the settings ask for it, and then credentials stay with their origin. GET, HEAD,
    PUT and DELETE are tried again after a passing failure, other methods only if the request surely had no effect.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """
        Make a request and return the whole answer, whatever its status; see `Response.raise_for_status`.

        Args:
            method: GET, POST and so on, in any case.
            url: Absolute, or relative to the setting `base_url`.
            headers: Printable ASCII; they replace the adapter's own of the same name.
            params: Added to the query of the address.
            json: Sent as the body, unless None.
            content: Sent as the body; not together with `json`.
            timeout_s: Seconds in all, tries and redirects included, above 0; None takes the setting.

        Raises:
            NotOpen: The adapter is not open.
            InvalidInput: Something of the request cannot be sent.
            Unavailable: The server cannot be reached, or its breaker is open.
            TimedOut: The time was up.
            BadReply: The server broke the protocol, or its unpacked body is over the limit.
        """
        ...

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> AbstractAsyncContextManager[StreamResponse]:
        """
        Make a request and hand out its body in pieces; leaving the block early gives the connection up.

        `timeout_s` limits the time until the headers, and then each wait for bytes, so that a long download can end.
        The body has no limit, since it is not kept. Arguments and errors are otherwise those of `request`.
        """
        ...
