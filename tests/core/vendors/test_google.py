"""What the adapters on Google Cloud share."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from oneiric.core.errors import AdapterError, Denied, RateLimited, Unavailable
from oneiric.core.vendors.google import (
    GoogleIdentity,
    GrpcFailure,
    crc32c,
    hide_payloads,
    identity_error,
    in_thread,
)
from tests.support.secret_manager import need_sdk

WHERE = {"category": "storage", "name": "gcs", "operation": "get"}
CANARY = "canary-answer-31d0"
STALE_S = 60  # google-auth replaces a token that ends in less than 225 s
Answer = Callable[[str], tuple[int, dict[str, object]]]


@pytest.fixture(autouse=True)
def sdk() -> None:
    need_sdk()


@contextmanager
def serving(answer: Answer, *, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Answer requests with JSON, as the metadata server and servers of tokens do; yields its address, and the paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("content-length", "0")))
            status, said = answer(self.path)
            body = json.dumps(said).encode()
            self.send_response(status)
            for field, text in {"Metadata-Flavor": "Google", "Content-Type": "application/json"}.items():
                self.send_header(field, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def token(number: int, *, lasts_s: int = 3600) -> dict[str, object]:
    """What a server of tokens says. Source: RFC 8693 section 2.2.1."""
    kind = "urn:ietf:params:oauth:token-type:access_token"
    return {
        "access_token": f"t{number}",
        "issued_token_type": kind,
        "token_type": "Bearer",
        "expires_in": lasts_s,
    }


@pytest.fixture
def sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], GoogleIdentity]:
    """Be somebody whose tokens come from an address: a workload outside Google Cloud."""

    def sign_in(address: str) -> GoogleIdentity:
        proof, file = tmp_path / "proof", tmp_path / "credentials.json"
        proof.write_text("canary-proof", "utf-8")
        pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b"
        described = {"type": "external_account", "audience": pool, "credential_source": {"file": str(proof)}}
        about = {
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"http://{address}/token",
        }
        file.write_text(json.dumps({**described, **about}), "utf-8")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        return GoogleIdentity(extra="gcp-auth", category="storage", name="gcs")

    return sign_in


@pytest.mark.asyncio
async def test_a_token_is_fetched_once_for_all_who_wait(sign_in: Callable[[str], GoogleIdentity]) -> None:
    """Twenty calls at the same time need one token; later ones take it too."""
    with serving(lambda path: (200, token(len(asked)))) as (address, asked):
        identity = sign_in(address)
        await identity.open()

        fields = await asyncio.gather(*(identity.headers("get") for _ in range(20)))
        later = await identity.headers("get")

    assert asked == ["/token"]
    assert fields == [{"authorization": "Bearer t1"}] * 20
    assert later == {"authorization": "Bearer t1"}
    assert identity.project == "my-project"


@pytest.mark.asyncio
async def test_a_token_that_is_about_to_end_is_replaced(sign_in: Callable[[str], GoogleIdentity]) -> None:
    """A call never leaves with a token that may end under way."""
    with serving(lambda path: (200, token(len(asked), lasts_s=STALE_S))) as (address, asked):
        identity = sign_in(address)
        await identity.open()

        first, second = await identity.headers("get"), await identity.headers("get")

    assert (first, second) == ({"authorization": "Bearer t1"}, {"authorization": "Bearer t2"})


@pytest.mark.asyncio
async def test_whoever_is_given_no_token_is_denied(sign_in: Callable[[str], GoogleIdentity]) -> None:
    """The answer may quote the proof, so nothing of it is shown."""
    with serving(lambda path: (400, {"error": "invalid_grant", "error_description": CANARY})) as (address, _):
        identity = sign_in(address)
        await identity.open()

        with pytest.raises(Denied, match="storage/gcs get: denied") as caught:
            await identity.headers("get")

    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.asyncio
async def test_a_server_of_tokens_that_is_away_is_an_outage(sign_in: Callable[[str], GoogleIdentity]) -> None:
    """Unavailable, and so tried again: it says nothing about the credentials. Back again, it is asked again."""
    with serving(lambda path: (200, token(1))) as (address, _):
        identity = sign_in(address)
    await identity.open()

    with pytest.raises(Unavailable, match="the server that gives tokens cannot be reached"):
        await identity.headers("get")
    with serving(lambda path: (200, token(2)), port=int(address.partition(":")[2])):
        fields = await identity.headers("get")

    assert fields == {"authorization": "Bearer t2"}


@pytest.mark.asyncio
async def test_who_waits_for_a_token_may_be_cancelled(sign_in: Callable[[str], GoogleIdentity]) -> None:
    """The thread cannot be cancelled, its caller can; the next one is served."""
    asked_once, may_answer = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, object]]:
        asked_once.set()
        may_answer.wait(20)
        return 200, token(1)

    with serving(answer) as (address, _):
        identity = sign_in(address)
        await identity.open()
        waiting = asyncio.create_task(identity.headers("get"))
        await in_thread(asked_once.wait)

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        may_answer.set()

        assert await identity.headers("get") == {"authorization": "Bearer t1"}


_ON_GOOGLE_CLOUD = """
import asyncio
from oneiric.core.errors import AdapterError
from oneiric.core.vendors.google import GoogleIdentity

async def main():
    identity = GoogleIdentity(extra="gcp-auth", category="storage", name="gcs")
    await identity.open()
    try:
        print(identity.project, await identity.headers("get"))
    except AdapterError as error:
        print(identity.project, error)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(200, "my-project {'authorization': 'Bearer t7'}", id="a token"),
        pytest.param(
            403,
            "my-project storage/gcs get: denied (these credentials are given no token (RefreshError))",
            id="none for this account",
        ),
    ],
)
def test_on_google_cloud_the_metadata_server_says_who_we_are(tmp_path: Path, status: int, said: str) -> None:
    """As on Cloud Run and Compute Engine: project and token come from there; a refusal is no outage."""

    def answer(path: str) -> tuple[int, Any]:
        last = path.partition("?")[0].rsplit("/", 1)[1]
        if "/service-accounts/" not in path:
            return 200, {"project-id": "my-project"}.get(last, {})
        return (status, token(7)) if last == "token" else (200, {"email": "default", "scopes": []})

    with serving(answer) as (address, _):
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("GOOGLE_", "GCLOUD_"))}
        environ |= {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "NO_PROXY": "127.0.0.1"}
        environ["CLOUDSDK_CONFIG"] = str(tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", _ON_GOOGLE_CLOUD], env=environ, capture_output=True, text=True, timeout=50
        )

    assert done.stdout.strip() == said, done.stderr


def test_an_error_of_the_identity_has_one_meaning() -> None:
    """An outage is told from a refusal, also where google-auth wraps one in the other; no text of it is shown."""
    from google.auth import exceptions

    def wrapped(cause: Exception) -> Exception:
        error = exceptions.RefreshError(CANARY)
        error.__cause__ = cause
        return error

    cases: list[tuple[Exception, type[AdapterError]]] = [
        (exceptions.TransportError(CANARY), Unavailable),
        (wrapped(exceptions.TransportError(CANARY)), Unavailable),
        (wrapped(exceptions.TransportError(CANARY, "an answer of the server")), Denied),
        (exceptions.RefreshError(CANARY, retryable=True), Unavailable),
        (exceptions.RefreshError(CANARY, {"error": "invalid_grant"}), Denied),
        (exceptions.DefaultCredentialsError(CANARY), Denied),
        (exceptions.MalformedError(CANARY), Denied),
        (ValueError(CANARY), AdapterError),
    ]

    errors = [identity_error(error, **WHERE) for error, _ in cases]

    assert [type(error) for error in errors] == [kind for _, kind in cases]
    assert CANARY not in str([str(error) for error in errors])
    assert {(error.category, error.name, error.operation) for error in errors} == {("storage", "gcs", "get")}


def test_a_failure_is_read_without_its_text() -> None:
    """Status, the service's word and the pause are kept; what else was raised is known by its class."""
    from google.api_core import exceptions
    from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
    from grpc import StatusCode

    pause = RetryInfo(retry_delay={"seconds": 2, "nanos": 500_000_000})
    limited = exceptions.from_grpc_status(
        StatusCode.RESOURCE_EXHAUSTED, CANARY, details=[pause], error_info=ErrorInfo(reason="QUOTA")
    )
    odd = exceptions.from_grpc_status(StatusCode.INTERNAL, CANARY, error_info=ErrorInfo(reason=CANARY))

    assert GrpcFailure.of(limited) == GrpcFailure("RESOURCE_EXHAUSTED", "QUOTA", 2.5)
    assert GrpcFailure.of(odd) == GrpcFailure("INTERNAL")
    assert GrpcFailure.of(ValueError(CANARY)) == GrpcFailure("ValueError")


def test_a_failure_becomes_an_error_with_its_remedy() -> None:
    """What it was about and what to do stand in the text; the pause is a field."""
    error = GrpcFailure("RESOURCE_EXHAUSTED", "QUOTA", 2.5).error("buckets/b", fix="ask for more", **WHERE)

    assert isinstance(error, RateLimited)
    assert str(error) == "storage/gcs get: rate-limited (RESOURCE_EXHAUSTED, QUOTA: buckets/b; fix: ask for more)"
    assert (error.retry_after_s, error.fixes) == (2.5, ("ask for more",))


def test_a_failure_that_nobody_knows_is_an_adapter_error() -> None:
    """An error of the SDK never leaves an adapter as it is."""
    error = GrpcFailure("ValueError").error("buckets/b", **WHERE)

    assert type(error) is AdapterError
    assert str(error) == "storage/gcs get: adapter-error (ValueError: buckets/b)"


def test_payloads_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Requests, answers and metadata are hidden, what was called is not; to ask for it twice is harmless."""
    logger = logging.getLogger("tests.a-transport")
    hide_payloads(logger.name)
    hide_payloads(logger.name)

    with caplog.at_level(logging.DEBUG, logger=logger.name):
        logger.debug(
            "called", extra={"request": CANARY, "response": CANARY, "metadata": {"a": CANARY}, "rpcName": "Get"}
        )

    [record] = caplog.records
    assert CANARY not in str(vars(record))
    assert (record.getMessage(), vars(record)["rpcName"]) == ("called", "Get")
    assert len(logger.filters) == 1


@pytest.mark.parametrize(
    ("content", "checksum"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"123456789", 0xE3069283, id="the usual check value"),
        pytest.param(bytes(32), 0x8A9136AA, id="32 zeros"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="32 ones"),
        pytest.param(bytes(range(32)), 0x46DD794E, id="counting up"),
        pytest.param(bytes(range(31, -1, -1)), 0x113FDB5C, id="counting down"),
    ],
)
def test_the_checksum_is_that_of_the_standard(content: bytes, checksum: int) -> None:
    """Source of the values: RFC 3720 appendix B.4, which writes the lowest byte first."""
    assert crc32c(content) == checksum
