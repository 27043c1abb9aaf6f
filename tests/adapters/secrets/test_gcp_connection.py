"""Secrets in Google Secret Manager: where it is reached, and who we are there."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import logging
import sys
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from oneiric.adapters.secrets.gcp import SDK, GcpSecrets
from oneiric.core.errors import Denied, InvalidInput, NotInstalled, TimedOut, Unavailable
from oneiric.testing.contracts.residue import Residue
from tests.support.secret_manager import CANARY, CLOSED, STALLED, SecretManager, need_sdk, secret_manager, settle

VALUE = b"canary-value-5b1e"
GUARD_S = 20.0
ONCE = {"attempts": 1}
EVERY_ADDRESS = "0.0.0.0"  # a client that connects to it reaches its own machine, though it is not on loopback by name


@pytest.fixture(scope="module")
def manager() -> Iterator[SecretManager]:
    need_sdk()
    with secret_manager() as running:
        yield running


def new_project() -> str:
    return f"u{uuid.uuid4().hex}"


def made(endpoint: str, **settings: object) -> GcpSecrets:
    return GcpSecrets(
        GcpSecrets.Settings.model_validate({"endpoint": endpoint, "insecure": True, **settings}), environ={}
    )


@pytest.fixture
def project() -> str:
    """A project that no other test has."""
    return new_project()


@pytest_asyncio.fixture
async def opened(manager: SecretManager, project: str) -> AsyncIterator[GcpSecrets]:
    """The adapter, open; each call is tried once."""
    adapter = made(manager.address, project=project, retry=ONCE)
    await adapter.open()
    yield adapter
    await adapter.close()


async def value_of(adapter: GcpSecrets, name: str, **asked: str) -> bytes:
    return (await adapter.get(name, **asked)).value.get_secret_value()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        pytest.param(CLOSED, "secrets/gcp health: denied (PERMISSION_DENIED, SERVICE_DISABLED: ", id="switched off"),
        pytest.param(STALLED, "no answer within 0.3 s", id="stalled"),
    ],
)
async def test_health_asks_the_service(manager: SecretManager, project: str, mode: str, said: str) -> None:
    """One question that needs no right tells whether the service works for us; nothing is raised, and it is in time."""
    adapter = made(manager.address, project=project, health_timeout_s=0.3)
    await adapter.open()
    well = await adapter.health()

    manager.make(project, mode)
    async with asyncio.timeout(GUARD_S):
        ill = await adapter.health()

    await adapter.close()
    assert (well.ok, well.detail) == (True, f"projects/{project} answers")
    assert (ill.ok, ill.detail[: len(said)]) == (False, said)


@pytest.mark.asyncio
async def test_opening_says_that_the_api_is_switched_off(manager: SecretManager, project: str) -> None:
    """The first start in a new project fails with the command that mends it."""
    manager.make(project, CLOSED)

    with pytest.raises(Denied) as caught:
        await made(manager.address, project=project).open()

    assert caught.value.fixes == ("gcloud services enable secretmanager.googleapis.com",)
    assert CANARY not in str(caught.value)


@pytest.mark.asyncio
async def test_opening_ends_in_time(manager: SecretManager, project: str) -> None:
    """A service that accepts and says nothing holds no start beyond its limit."""
    manager.make(project, STALLED)

    async with asyncio.timeout(GUARD_S):
        with pytest.raises(TimedOut, match=r"no answer within 0\.3 s"):
            await made(manager.address, project=project, open_timeout_s=0.3).open()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"insecure": True}, (), id="plaintext to Google"),
        pytest.param({"insecure": True, "endpoint": "10.0.0.7:9090"}, (), id="plaintext into the network"),
        pytest.param({"insecure": True, "endpoint": "localhost.example.org:9090"}, (), id="a name like loopback"),
        pytest.param({"insecure": True, "endpoint": "127.0.0.1.example.org"}, (), id="a name like an address"),
        pytest.param({"insecure": True, "endpoint": "[fe80::1]:9090"}, (), id="plaintext by IPv6"),
        pytest.param({"endpoint": "https://example.org"}, ("endpoint",), id="an address with a scheme"),
        pytest.param({"endpoint": "canary:word@example.org:443"}, ("endpoint",), id="user info"),
        pytest.param({"project": "a/secrets/b"}, ("project",), id="a path as project"),
        pytest.param({"location": "../x"}, ("location",), id="a path as location"),
    ],
)
def test_settings_that_would_lead_elsewhere_are_refused(given: dict[str, object], field: tuple[str, ...]) -> None:
    """Secrets go in plaintext to this machine at most; the fault shows no value."""
    with pytest.raises(ValidationError) as caught:
        GcpSecrets.Settings.model_validate(given)

    assert [fault["loc"] for fault in caught.value.errors()] == [field]
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9090", "127.8.9.1:9090", "localhost:9090", "[::1]:9090"])
def test_plaintext_to_loopback_is_allowed(endpoint: str) -> None:
    """A stand-in on this machine has no certificate."""
    settings = GcpSecrets.Settings(endpoint=endpoint, insecure=True)

    assert settings.insecure


@pytest.mark.parametrize(
    ("given", "environ", "resource"),
    [
        pytest.param({"project": "p"}, {}, "projects/p/secrets/key", id="the settings"),
        pytest.param({}, {"GOOGLE_CLOUD_PROJECT": "q"}, "projects/q/secrets/key", id="the environment"),
        pytest.param({"project": "p"}, {"GOOGLE_CLOUD_PROJECT": "q"}, "projects/p/secrets/key", id="settings first"),
        pytest.param({}, {}, "projects/-/secrets/key", id="not known yet"),
        pytest.param(
            {"project": "p", "location": "europe-west3"},
            {},
            "projects/p/locations/europe-west3/secrets/key",
            id="a regional one",
        ),
    ],
)
def test_a_secret_is_called_as_google_calls_it(given: dict[str, str], environ: dict[str, str], resource: str) -> None:
    """Explanations show it; nothing is asked for it."""
    adapter = GcpSecrets(GcpSecrets.Settings.model_validate(given), environ=environ)

    assert adapter.resource("key") == resource


@pytest.mark.asyncio
async def test_without_a_project_it_does_not_open(manager: SecretManager) -> None:
    """The error says where a project may be named."""
    adapter = made(manager.address)

    with pytest.raises(InvalidInput, match="no project") as caught:
        await adapter.open()

    assert caught.value.fixes == ("name it in settings.secrets.gcp.project", "export GOOGLE_CLOUD_PROJECT=ID")
    assert not (await adapter.health()).ok


@pytest.mark.asyncio
async def test_the_project_may_come_from_the_environment(manager: SecretManager, project: str) -> None:
    """Cloud Run and the tools of Google set GOOGLE_CLOUD_PROJECT."""
    manager.place(project, "key", VALUE)
    adapter = GcpSecrets(
        GcpSecrets.Settings(endpoint=manager.address, insecure=True), environ={"GOOGLE_CLOUD_PROJECT": project}
    )
    await adapter.open()

    assert await value_of(adapter, "key") == VALUE
    await adapter.close()


@pytest.mark.asyncio
async def test_a_regional_secret_is_read_by_its_location(manager: SecretManager, project: str) -> None:
    """It is another secret than the global one of that name."""
    manager.place(project, "key", b"global")
    manager.place(project, "key", b"regional", location="europe-west3")
    adapter = made(manager.address, project=project, location="europe-west3")
    await adapter.open()

    assert await value_of(adapter, "key") == b"regional"
    await adapter.close()


@pytest.mark.asyncio
async def test_a_stand_in_on_loopback_is_shown_no_credentials(
    manager: SecretManager, project: str, opened: GcpSecrets
) -> None:
    """A token would be good for the real service too; the header that routes the request is there."""
    manager.place(project, "headers", VALUE)

    headers = json.loads(await value_of(opened, "headers"))

    assert "authorization" not in headers
    assert headers["x-goog-request-params"] == f"name=projects/{project}/secrets/headers/versions/latest"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretManager]:
    """The server behind TLS, under addresses of this machine."""
    need_sdk()
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = certify(folder)
    with secret_manager(certificate=certificate, key=key) as running:
        yield running


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate that signs itself, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")]), datetime.now(UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", EVERY_ADDRESS)]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: str) -> Path:
    """The key file of a service account, as GOOGLE_APPLICATION_CREDENTIALS names it."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "account.json"
    described = {"type": "service_account", "client_email": "tests@example.org", "private_key_id": "1"}
    about = {"project_id": project, "private_key": pem, "token_uri": "http://127.0.0.1:9/nobody-asks"}
    file.write_text(json.dumps({**described, **about}), "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setenv("no_grpc_proxy", EVERY_ADDRESS)
    for variable in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    return file


def elsewhere(manager: SecretManager, **settings: object) -> GcpSecrets:
    """The adapter for an address that is not known to be loopback; on this machine it leads there nevertheless."""
    endpoint = f"{EVERY_ADDRESS}:{manager.port}"
    given = {"endpoint": endpoint, "ca_file": str(manager.certificate), "retry": ONCE, **settings}
    return GcpSecrets(GcpSecrets.Settings.model_validate(given), environ={})


def claims(authorization: str) -> dict[str, object]:
    """Read what a token that was signed here says."""
    kind, _, token = authorization.partition(" ")
    assert kind == "Bearer"
    body = token.split(".")[1]
    said: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


@pytest.mark.asyncio
async def test_credentials_go_to_the_service_behind_tls(encrypted: SecretManager, project: str, account: Path) -> None:
    """The token and the project are those of the application's credentials; the SDK's own client shows them too."""
    encrypted.place(project, "headers", VALUE)
    adapter = elsewhere(encrypted)
    await adapter.open()

    ours = json.loads(await value_of(adapter, "headers"))
    answer = await adapter.native.access_secret_version(name=f"{adapter.resource('headers')}/versions/latest")

    await adapter.close()
    theirs = json.loads(answer.payload.data)
    said = claims(ours["authorization"])
    assert adapter.resource("headers") == f"projects/{project}/secrets/headers"
    assert (said["iss"], said["scope"]) == ("tests@example.org", "https://www.googleapis.com/auth/cloud-platform")
    assert theirs["authorization"] == ours["authorization"]


@pytest.mark.asyncio
async def test_many_lives_with_credentials_leave_nothing_behind(
    encrypted: SecretManager, project: str, account: Path
) -> None:
    """Signing in and TLS leave no thread, no task and no file descriptor."""
    encrypted.place(project, "key", VALUE)

    async def live() -> None:
        adapter = elsewhere(encrypted)
        await adapter.open()
        await adapter.get("key")
        await adapter.close()

    for _ in range(2):
        await live()
    before = Residue.now()
    for _ in range(20):
        await live()

    settle(before)
    assert Residue.now().over(before) == []


@pytest.mark.asyncio
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    encrypted: SecretManager, project: str, account: Path
) -> None:
    """No token goes to a server that is not who it should be."""
    adapter = elsewhere(encrypted, ca_file=None)

    with pytest.raises(Unavailable, match=f"secrets/gcp open: unavailable \\(UNAVAILABLE: projects/{project}\\)"):
        await adapter.open()


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [pytest.param(None, id="absent"), pytest.param("no PEM", id="something else")])
async def test_an_authority_file_that_cannot_be_read_is_refused(
    encrypted: SecretManager, account: Path, content: str | None
) -> None:
    """gRPC would only say that there is no connection."""
    file = account.parent / "authorities.pem"
    if content is not None:
        file.write_text(content, "utf-8")

    with pytest.raises(InvalidInput, match="ca_file is no readable PEM file"):
        await elsewhere(encrypted, ca_file=str(file)).open()


@pytest.mark.asyncio
async def test_without_credentials_it_does_not_open(
    encrypted: SecretManager, account: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says how to sign in, and shows nothing of a file that is no key."""
    account.write_text('{"type": "service_account", "private_key": "canary-key"}', "utf-8")

    with pytest.raises(Denied, match="no credentials that can be used") as caught:
        await elsewhere(encrypted).open()

    assert caught.value.fixes == (
        "gcloud auth application-default login",
        "export GOOGLE_APPLICATION_CREDENTIALS=FILE",
    )
    assert "canary" not in "".join(traceback.format_exception(caught.value)) + caplog.text


@pytest.mark.asyncio
async def test_credentials_that_get_no_token_fail_the_call_by_its_name(
    encrypted: SecretManager, project: str, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload whose proof is gone is denied; the error says which method needed the token."""
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b"
    described = {"type": "external_account", "audience": pool, "token_url": "http://127.0.0.1:9/nobody-asks"}
    proof = {"file": str(account.parent / "absent")}
    kind = "urn:ietf:params:oauth:token-type:jwt"
    account.write_text(json.dumps({**described, "credential_source": proof, "subject_token_type": kind}), "utf-8")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)

    with pytest.raises(Denied, match=r"secrets/gcp open: denied \(these credentials are given no token"):
        await elsewhere(encrypted).open()


@pytest.mark.asyncio
async def test_opening_that_fails_keeps_no_connection(manager: SecretManager, project: str) -> None:
    """Whoever keeps the error, such as a report, keeps nothing open by it."""
    manager.make(project, CLOSED)
    kept = []

    async def fail() -> None:
        with pytest.raises(Denied) as caught:
            await made(manager.address, project=project).open()
        kept.append(caught)

    for _ in range(2):
        await fail()
    before = Residue.now()
    for _ in range(5):
        await fail()

    settle(before)
    assert Residue.now().over(before) == []


@pytest.mark.asyncio
async def test_closing_closes_the_connection(opened: GcpSecrets) -> None:
    """Also where somebody still holds the SDK's client."""
    channel = opened.native.transport.grpc_channel

    await opened.close()

    assert channel.get_state().name == "SHUTDOWN"


@contextmanager
def debug_log(handler: logging.Handler) -> Iterator[None]:
    """Send everything that the SDK logs to a handler."""
    logger = logging.getLogger("google")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.asyncio
async def test_the_sdk_logs_no_value(manager: SecretManager, project: str, opened: GcpSecrets) -> None:
    """At DEBUG the SDK logs each answer as a field of its record; it is hidden for every handler."""
    manager.place(project, "key", VALUE)
    shown: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(str(vars(record)))

    with debug_log(Handler()):
        await opened.get("key")

    assert [text for text in shown if "Received response" in text] != []
    assert [text for text in shown if "canary" in text or "Y2FuYXJ5" in text] == []


@pytest.mark.asyncio
async def test_the_sdk_itself_is_at_hand(manager: SecretManager, project: str, opened: GcpSecrets) -> None:
    """native is the SDK's client for what the Protocol leaves out, and None while the adapter is not open."""
    manager.place(project, "key", VALUE)

    found = await opened.native.get_secret_version(name=f"{opened.resource('key')}/versions/1")
    await opened.close()

    assert found.state.name == "ENABLED"
    assert opened.native is None


@pytest.mark.asyncio
async def test_without_the_sdk_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message holds the line that installs it."""
    monkeypatch.setitem(sys.modules, SDK, None)

    with pytest.raises(NotInstalled, match=r"pip install 'oneiric\[gcp-secrets\]'"):
        await made("127.0.0.1:9", project="p").open()
