"""
Google Secret Manager on 127.0.0.1, made of the SDK's own types; `python -m tests.support.secret_manager`.

It runs in a process of its own, so that what it holds is not counted among what a test leaves behind. It prints its
port, and ends when its standard input does. It knows no credentials. What it says to good requests follows the
service's reference; a secret may be named after a fault, see `SecretManager`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from oneiric.core.vendors.google import crc32c
from oneiric.testing.contracts.residue import Residue
from tests.support.wait import wait_until

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
STOP_TIMEOUT_S = 5.0
THREADS = 64
PROJECT_NUMBER = "690125087"  # the service names projects by their number
SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
CANARY = "canary-detail-77a0"
CLOSED, STALLED = "mode-closed", "mode-stalled"


@dataclass(frozen=True, slots=True)
class SecretManager:
    """
    A running server, and the other way to its secrets: the SDK's synchronous client.

    A secret named `fail-UNAVAILABLE` answers with this status; `flaky-2-UNAVAILABLE` the first two times, and then its
    value is how often it was asked; `refuse-1-UNAVAILABLE` refuses its first new version. `stall` never answers,
    `corrupt` sends a wrong checksum, `unchecked` none, `other` the value of another secret, `garbage` no message,
    `headers` the request's metadata as JSON. While a project has a secret `mode-closed`, its API is switched off;
    `mode-stalled` makes the question about rights stall.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        certificate: PEM file with its certificate; None where it speaks plaintext.
    """

    port: int
    certificate: Path | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    def place(self, project: str, name: str, value: bytes, *, location: str | None = None) -> str:
        """Make a secret if it is not there, add a version to it, and return the version."""
        parent = f"projects/{project}" + (f"/locations/{location}" if location else "")
        with self._client() as client:
            self._make(client, parent, name)
            added = client.add_secret_version(parent=f"{parent}/secrets/{name}", payload={"data": value})
        return str(added.name.rsplit("/", 1)[1])

    def make(self, project: str, name: str) -> None:
        """Make a secret that has no version, if it is not there."""
        with self._client() as client:
            self._make(client, f"projects/{project}", name)

    def delete(self, project: str, name: str) -> None:
        """Delete a secret."""
        with self._client() as client:
            client.delete_secret(name=f"projects/{project}/secrets/{name}")

    def disable(self, project: str, name: str, version: str) -> None:
        """Make a version unreadable."""
        with self._client() as client:
            client.disable_secret_version(name=f"projects/{project}/secrets/{name}/versions/{version}")

    def destroy(self, project: str, name: str, version: str) -> None:
        """Make a version unreadable for ever."""
        with self._client() as client:
            client.destroy_secret_version(name=f"projects/{project}/secrets/{name}/versions/{version}")

    @staticmethod
    def _make(client: Any, parent: str, name: str) -> None:
        from google.api_core.exceptions import AlreadyExists

        try:
            client.create_secret(parent=parent, secret_id=name, secret={})
        except AlreadyExists:
            return

    @contextmanager
    def _client(self) -> Iterator[Any]:
        import grpc
        from google.cloud import secretmanager_v1

        options = [("grpc.enable_http_proxy", 0)]
        trust = None if self.certificate is None else grpc.ssl_channel_credentials(self.certificate.read_bytes())
        with (
            grpc.insecure_channel(self.address, options=options)
            if trust is None
            else grpc.secure_channel(self.address, trust, options=options)
        ) as channel:
            transport = secretmanager_v1.SecretManagerServiceClient.get_transport_class("grpc")
            yield secretmanager_v1.SecretManagerServiceClient(transport=transport(channel=channel))


def need_sdk() -> None:
    """Skip the test where the SDK is not installed, with the reason; in CI let it fail."""
    import pytest  # here, since the server needs neither

    from tests.conftest import is_ci

    if importlib.util.find_spec("google") and importlib.util.find_spec("google.cloud.secretmanager_v1"):
        return
    missing = "the SDK of Google Secret Manager is missing: pip install -e '.[gcp-secrets]'"
    if is_ci():
        pytest.fail(missing)
    pytest.skip(missing)


def settle(before: Residue, *, timeout_s: float = 2.0) -> None:
    """
    Wait until nothing is left that was not there before, or until the time is over.

    gRPC closes a connection in a thread of its own, some milliseconds after its channel; the event loop, which stands
    still meanwhile, has no part in it.
    """
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not Residue.now().over(before), timeout_s)


@contextmanager
def secret_manager(
    *, port: int = 0, certificate: Path | None = None, key: Path | None = None
) -> Iterator[SecretManager]:
    """
    Run the server in a process of its own.

    Args:
        port: Where it listens; 0 takes a free one.
        certificate: PEM file for TLS; None speaks plaintext.
        key: PEM file with the certificate's key.

    Raises:
        RuntimeError: It did not start.
    """
    command = [sys.executable, "-m", "tests.support.secret_manager", str(port)]
    command += [str(path) for path in (certificate, key) if path is not None]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            said = process.stdout.readline().strip() if process.stdout is not None else b""
            if not said.isdigit():
                raise RuntimeError("the secret manager did not start")
            yield SecretManager(int(said), certificate)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(STOP_TIMEOUT_S)


class _Refused(Exception):
    """An answer that is a status."""

    def __init__(self, status: str, text: str, reason: str = "", pause_s: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.reason, self.pause_s = status, text, reason, pause_s


@dataclass(slots=True)
class _Version:
    value: bytes
    state: str = "ENABLED"


class _Store:
    """The secrets, by full name without version, and what is said about them. One request at a time looks at them."""

    def __init__(self) -> None:
        from google.cloud import secretmanager_v1
        from google.iam.v1 import iam_policy_pb2

        self._types, self._iam = secretmanager_v1, iam_policy_pb2
        self._secrets: dict[str, list[_Version]] = {}
        self._asked: Counter[str] = Counter()

    def create_secret(self, request: Any, context: Any) -> Any:
        full = f"{request.parent}/secrets/{request.secret_id}"
        if full in self._secrets:
            raise _Refused("ALREADY_EXISTS", f"Secret [{full}] already exists.")
        self._secrets[full] = []
        return self._types.Secret(name=full)

    def delete_secret(self, request: Any, context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        if self._secrets.pop(request.name, None) is None:
            raise _Refused("NOT_FOUND", f"Secret [{request.name}] not found.")
        return Empty()

    def add_secret_version(self, request: Any, context: Any) -> Any:
        versions = self._secrets.get(request.parent)
        payload = request.payload
        match request.parent.rsplit("/", 1)[1].split("-"):
            case ["refuse", times, status]:
                self._asked[request.parent] += 1
                if self._asked[request.parent] <= int(times):
                    raise _Refused(status, f"{CANARY} {payload.data.decode()}")
        if versions is None:
            raise _Refused("NOT_FOUND", f"Secret [{request.parent}] not found.")
        if "data_crc32c" in payload and payload.data_crc32c != crc32c(payload.data):
            raise _Refused("INVALID_ARGUMENT", "The checksum does not fit.")
        versions.append(_Version(payload.data))
        return self._described(request.parent, len(versions))

    def disable_secret_version(self, request: Any, context: Any) -> Any:
        return self._put_into_state(request.name, "DISABLED")

    def destroy_secret_version(self, request: Any, context: Any) -> Any:
        return self._put_into_state(request.name, "DESTROYED")

    def get_secret_version(self, request: Any, context: Any) -> Any:
        full, number = self._find(request.name)
        return self._described(full, number)

    def access_secret_version(self, request: Any, context: Any) -> Any:
        full, number = self._find(request.name)
        version = self._secrets[full][number - 1]
        if version.state != "ENABLED":
            name = f"{full}/versions/{number}"
            raise _Refused("FAILED_PRECONDITION", f"Secret Version [{name}] is in {version.state} state.")
        name = full.rsplit("/", 1)[1]
        value = {"headers": _headers(context), "flaky": str(self._asked[full]).encode()}.get(
            name.partition("-")[0], version.value
        )
        if name == "garbage":
            return b"\xff no message"
        checksum = {"corrupt": 7, "unchecked": None}.get(name, crc32c(value))
        shown = full.replace("/other", "/another") if name == "other" else full
        return self._types.AccessSecretVersionResponse(
            name=f"{_numbered(shown)}/versions/{number}", payload={"data": value, "data_crc32c": checksum}
        )

    def test_iam_permissions(self, request: Any, context: Any) -> Any:
        full = request.resource
        parent = full.rpartition("/secrets/")[0]
        if f"{parent}/secrets/{CLOSED}" in self._secrets:
            raise _Refused("PERMISSION_DENIED", f"{CANARY} The API is disabled.", "SERVICE_DISABLED")
        if f"{parent}/secrets/{STALLED}" in self._secrets:
            _stall(context)
        held = list(request.permissions) if full in self._secrets else []
        return self._iam.TestIamPermissionsResponse(permissions=held)

    def _find(self, name: str) -> tuple[str, int]:
        """Return a secret's full name and the number of a version of it, unless its name asks for a fault."""
        full, _, asked = name.rpartition("/versions/")
        self._asked[full] += 1
        match full.rsplit("/", 1)[1].split("-"):
            case ["fail", status]:
                _fail(status, name)
            case ["flaky", times, status] if self._asked[full] <= int(times):
                _fail(status, name)
        versions = self._secrets.get(full)
        if not versions:
            raise _Refused("NOT_FOUND", f"Secret [{full}] not found or has no versions.")
        number = len(versions) if asked == "latest" else int(asked)
        if not 0 < number <= len(versions):
            raise _Refused("NOT_FOUND", f"Secret Version [{name}] not found.")
        return full, number

    def _put_into_state(self, name: str, state: str) -> Any:
        full, number = self._find(name)
        self._secrets[full][number - 1].state = state
        return self._described(full, number)

    def _described(self, full: str, number: int) -> Any:
        state = self._secrets[full][number - 1].state
        return self._types.SecretVersion(name=f"{_numbered(full)}/versions/{number}", state=state)


def _fail(status: str, name: str) -> NoReturn:
    pause_s = 7 if status == "RESOURCE_EXHAUSTED" else None
    text = f"Secret Version [{name}]: its key is disabled." if status == "FAILED_PRECONDITION" else CANARY
    raise _Refused(status, text, "OF_THE_TEST", pause_s)


def _headers(context: Any) -> bytes:
    return json.dumps({key: text for key, text in context.invocation_metadata() if isinstance(text, str)}).encode()


def _numbered(full: str) -> str:
    parts = full.split("/")
    return "/".join([parts[0], PROJECT_NUMBER, *parts[2:]])


def _stall(context: Any) -> NoReturn:
    """Wait until the client gives up."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait()
    raise _Refused("CANCELLED", "the client has gone")


def _abort(context: Any, refused: _Refused) -> NoReturn:
    """End a call with a status that carries what the service's own ones do: a reason, and a pause."""
    import grpc
    from google.protobuf.any_pb2 import Any as Packed
    from google.rpc import error_details_pb2, status_pb2
    from grpc_status import rpc_status

    details = []
    if refused.reason:
        details.append(error_details_pb2.ErrorInfo(reason=refused.reason, domain="googleapis.com"))
    if refused.pause_s is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay={"seconds": refused.pause_s}))
    packed = []
    for detail in details:
        packed.append(Packed())
        packed[-1].Pack(detail)
    code = grpc.StatusCode[refused.status].value[0]
    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message=refused.text, details=packed)))
    raise AssertionError("abort_with_status raises")


def _handlers(store: _Store) -> Any:
    """Return the service, from the SDK's own messages; one call at a time, but for those that stall."""
    import grpc
    from google.cloud.secretmanager_v1 import types
    from google.iam.v1 import iam_policy_pb2

    lock = threading.Lock()

    def handler(answer: Callable[[Any, Any], Any], read: Callable[[bytes], Any]) -> Any:
        def run(request: Any, context: Any) -> Any:
            about = getattr(request, "name", "") or getattr(request, "parent", "") or getattr(request, "resource", "")
            if "/secrets/stall/" in f"{about}/" and answer.__name__ in {"access_secret_version", "get_secret_version"}:
                _stall(context)
            try:
                if answer.__name__ == "test_iam_permissions":
                    return answer(request, context)  # it may stall
                with lock:
                    return answer(request, context)
            except _Refused as refused:
                _abort(context, refused)

        return grpc.unary_unary_rpc_method_handler(run, request_deserializer=read, response_serializer=_packed)

    methods = {
        "CreateSecret": handler(store.create_secret, types.CreateSecretRequest.deserialize),
        "DeleteSecret": handler(store.delete_secret, types.DeleteSecretRequest.deserialize),
        "AddSecretVersion": handler(store.add_secret_version, types.AddSecretVersionRequest.deserialize),
        "GetSecretVersion": handler(store.get_secret_version, types.GetSecretVersionRequest.deserialize),
        "AccessSecretVersion": handler(store.access_secret_version, types.AccessSecretVersionRequest.deserialize),
        "DisableSecretVersion": handler(store.disable_secret_version, types.DisableSecretVersionRequest.deserialize),
        "DestroySecretVersion": handler(store.destroy_secret_version, types.DestroySecretVersionRequest.deserialize),
        "TestIamPermissions": handler(store.test_iam_permissions, iam_policy_pb2.TestIamPermissionsRequest.FromString),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _packed(message: Any) -> bytes:
    if isinstance(message, bytes):
        return message
    packed: bytes = (
        message.SerializeToString() if hasattr(message, "SerializeToString") else type(message).serialize(message)
    )
    return packed


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)  # whoever started the server is gone; there is nothing to put in order


def _main(port: int, certificate: str = "", key: str = "") -> None:
    import grpc

    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((_handlers(_Store()),))
    if certificate:
        pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
        bound = server.add_secure_port(f"{HOST}:{port}", grpc.ssl_server_credentials([pair]))
    else:
        bound = server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    print(bound, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    _main(int(sys.argv[1]), *sys.argv[2:])
