"""AWS for tests: credentials that lead nowhere, and a peer that says whatever a test wants AWS to say."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import pytest

REGION = "eu-west-1"
HOST = "127.0.0.1"
STALL_LIMIT_S = 20.0


def isolate(patch: pytest.MonkeyPatch) -> None:
    """Give the SDK credentials that are none, and keep it from files, machines and proxies of whoever runs the test."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        patch.delenv(name)
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


class AwsPeer:
    """
    An HTTP server of this process that gives every request the answer that was set last.

    Source of the form: the JSON protocol of AWS, where `__type` holds an error's code.

    Attributes:
        url: Its address, the same after `stop` and `start`.
        asked: What was asked so far: the operation, `AmazonSSM.GetParameter`, and its arguments.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []
        self._answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._server = self._listening(0)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"

    def says(self, **answer: object) -> None:
        """Answer with success."""
        self._answer = (200, {}, json.dumps(answer).encode())

    def refuses(self, code: str, text: str = "", *, status: int = 400, **headers: str) -> None:
        """Answer with an error of AWS."""
        self._answer = (status, headers, json.dumps({"__type": code, "message": text}).encode())

    def replies(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer as AWS never would."""
        self._answer = (status, headers, body)

    def stalls(self, is_stalling: bool = True) -> None:
        """Answer nothing from now on; what waits is answered once this ends."""
        (self._may_answer.clear if is_stalling else self._may_answer.set)()

    def stop(self) -> None:
        """Go away."""
        self._may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def start(self) -> None:
        """Come back at the same address."""
        self._server = self._listening(int(self.url.rpartition(":")[2]))

    def __enter__(self) -> AwsPeer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _listening(self, port: int) -> ThreadingHTTPServer:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request and closes, so that no connection outlives `stop`."""

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                peer.asked.append((self.headers["x-amz-target"], asked))
                peer._may_answer.wait(STALL_LIMIT_S)
                status, headers, body = peer._answer
                self.send_response(status)
                for name, text in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name.replace("_", "-"), text)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            """A server whose clients may go away before they are answered."""

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing: a client that gave up is what some tests are about."""

        server = Server((HOST, port), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server
