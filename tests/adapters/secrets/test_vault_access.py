"""Who may reach a Vault, and where it is: address, token, mount and policy, against a real OpenBao server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretBytes, ValidationError

from oneiric.adapters.secrets.vault import VaultSecrets
from oneiric.core.errors import AdapterError, Denied, InvalidInput, NotFound, Unavailable
from oneiric.testing.contracts import Backend
from tests.support.backend import start
from tests.support.vault import ROOT_TOKEN, Store, admitted, opened, store_of
from tests.support.wait import wait_until


@pytest.fixture
def store(find_backend: Callable[[str], Backend]) -> Store:
    """A server with a token of the test's own name, which may read and write below that name."""
    return admitted(find_backend("vault"))


@pytest.mark.asyncio
async def test_what_the_policy_does_not_allow_is_denied(store: Store) -> None:
    """A token that may read values only: its version and another folder are denied, never not-found."""
    store.write("db", {"value": "v"})
    store.allow('path "secret/data/{unique}/*" {{ capabilities = ["read"] }}')

    async with opened(store) as adapter:
        assert (await adapter.get("db")).version == "1"
        with pytest.raises(Denied, match=f"a policy with read for secret/metadata/{store.unique}/db"):
            await adapter.version("db")
        with pytest.raises(Denied, match=f"a policy with create and update for secret/data/{store.unique}/db"):
            await adapter.put("db", SecretBytes(b"new"))
    async with opened(store, prefix=f"{store.unique}-of-others") as adapter:
        with pytest.raises(Denied):
            await adapter.get("db")


@pytest.mark.parametrize(
    ("mount", "token", "kind"),
    [
        pytest.param("secret", "no-such-token", Denied, id="a token that is none"),
        pytest.param("no-such-mount", None, Denied, id="a mount that this token may not see"),
        pytest.param("no-such-mount", ROOT_TOKEN, Denied, id="a mount that nobody sees"),
        pytest.param("cubbyhole", ROOT_TOKEN, InvalidInput, id="a mount of another engine"),
        pytest.param("secret/teams", ROOT_TOKEN, InvalidInput, id="a folder of a mount"),
        pytest.param("{unique}-kv1", ROOT_TOKEN, InvalidInput, id="a mount of version 1"),
    ],
)
@pytest.mark.asyncio
async def test_open_tells_what_is_mounted(store: Store, mount: str, token: str | None, kind: type[Exception]) -> None:
    """Each secret of such a mount would look absent, and the next layer would answer for it: open refuses."""
    store.ask("POST", f"sys/mounts/{store.unique}-kv1", {"type": "kv", "options": {"version": "1"}})

    with pytest.raises(kind) as caught:
        async with opened(store, mount=mount.format(unique=store.unique), token=token or store.unique):
            pass

    store.ask("DELETE", f"sys/mounts/{store.unique}-kv1")
    assert "no-such-token" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_mount_that_goes_away_is_an_outage(store: Store) -> None:
    """Its secrets are not absent: nobody can tell."""
    store.make_mount(store.unique)

    async with opened(store, mount=store.unique, prefix="", token=ROOT_TOKEN, retry={"attempts": 1}) as adapter:
        await adapter.put("db", SecretBytes(b"v"))
        store.ask("DELETE", f"sys/mounts/{store.unique}")
        with pytest.raises(Unavailable, match="there is no such mount or namespace"):
            await adapter.get("db")


@pytest.mark.asyncio
async def test_a_namespace_has_its_own_secrets(store: Store) -> None:
    """The same mount and name are another secret there; health asks the whole server all the same."""
    store.ask("PUT", f"sys/namespaces/{store.unique}")
    store.make_mount("secret", **{"x-vault-namespace": store.unique})
    store.write("db", {"value": "outside"})

    async with opened(store, namespace=store.unique, token=ROOT_TOKEN) as adapter:
        with pytest.raises(NotFound):
            await adapter.get("db")
        await adapter.put("db", SecretBytes(b"inside"))
        value, health = (await adapter.get("db")).value.get_secret_value(), await adapter.health()
    async with opened(store) as adapter:
        outside = (await adapter.get("db")).value.get_secret_value()

    assert (value, outside) == (b"inside", b"outside")
    assert (health.ok, health.detail) == (True, "unsealed")


@pytest.mark.asyncio
async def test_a_token_that_an_agent_renews_is_read_again(store: Store, tmp_path: Path) -> None:
    """When the server refuses the token, the file is looked at once more; the call that met it succeeds."""
    store.write("db", {"value": "v"})
    file, second = tmp_path / "token", f"{store.unique}-second"
    file.write_text(store.unique + "\n")

    async with opened(store, token=None, token_file=str(file)) as adapter:
        store.make_token(second)
        store.ask("POST", "auth/token/revoke", {"token": store.unique})
        with pytest.raises(Denied):
            await adapter.get("db")
        file.write_text(second)
        read, written = await adapter.get("db"), await adapter.put("db", SecretBytes(b"w"))

    assert (read.value.get_secret_value(), written) == (b"v", "2")


@pytest.mark.parametrize(
    ("content", "mode", "kind", "said"),
    [
        pytest.param(None, 0, Unavailable, "No such file", id="not written yet"),
        pytest.param("\n", 0o600, Unavailable, "holds no token", id="empty"),
        pytest.param(
            "canary-token", 0o620, Denied, "others may write token_file; fix: chmod go-w", id="a group writes"
        ),
        pytest.param(
            "canary-token", 0o602, Denied, "others may write token_file; fix: chmod go-w", id="everybody writes"
        ),
        pytest.param("canary-\x07", 0o600, InvalidInput, "x-vault-token cannot be sent", id="no text"),
        pytest.param("canary-token", 0o600, Denied, "the token is not valid", id="a wrong token"),
    ],
)
@pytest.mark.asyncio
async def test_a_token_file_that_is_no_use_is_refused(
    store: Store, tmp_path: Path, content: str | None, mode: int, kind: type[AdapterError], said: str
) -> None:
    """Open says why, without the token."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)

    with pytest.raises(kind, match=said) as caught:
        async with opened(store, token=None, token_file=str(file)):
            pass

    assert "canary" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_token_file_that_is_a_pipe_does_not_stop_the_loop(store: Store, tmp_path: Path) -> None:
    """Nobody may ever write into it."""
    os.mkfifo(tmp_path / "token")

    with pytest.raises(Unavailable, match="holds no token"):
        async with opened(store, token=None, token_file=str(tmp_path / "token")):
            pass


@pytest.mark.asyncio
async def test_address_and_token_may_come_from_the_usual_variables(store: Store) -> None:
    """VAULT_ADDR and VAULT_TOKEN answer for what the settings leave out, and only for that."""
    store.write("db", {"value": "v"})
    usual = {"VAULT_ADDR": store.url, "VAULT_TOKEN": store.unique}
    wrong = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "no-such-token"}
    own = {"url": store.url, "token": store.unique}

    for given, environ in ({}, usual), (own, wrong), ({**own, "token": ""}, usual):
        settings = VaultSecrets.Settings.model_validate({"prefix": store.unique, **given})
        adapter = VaultSecrets(settings, environ=environ)
        await adapter.open()
        assert (await adapter.get("db")).value.get_secret_value() == b"v"
        await adapter.close()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        pytest.param({"VAULT_TOKEN": "t"}, "VAULT_ADDR: no address; fix: set url", id="no address"),
        pytest.param({"VAULT_ADDR": "https://example.org"}, "no token; fix: set token or token_file", id="no token"),
        pytest.param({"VAULT_ADDR": "example.org:8200", "VAULT_TOKEN": "t"}, "must begin with", id="no scheme"),
        pytest.param({"VAULT_ADDR": "http://example.org", "VAULT_TOKEN": "t"}, "fix: use https", id="plain http"),
    ],
)
@pytest.mark.asyncio
async def test_what_nobody_says_is_asked_for(environ: dict[str, str], said: str) -> None:
    """Without an address or a token nothing is sent, and open says what to set."""
    with pytest.raises(InvalidInput, match=said):
        await VaultSecrets(VaultSecrets.Settings(), environ=environ).open()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"url": "http://example.org:8200"}, "fix: use https://, or set allow_plain_http", id="plain http"),
        pytest.param({"url": "http://10.0.0.7"}, "fix: use https://, or set allow_plain_http", id="by number"),
        pytest.param({"url": "https://u:canary@example.org"}, "no user info", id="user info"),
        pytest.param({"url": "https://example.org/?token=canary"}, "no user info, query", id="a query"),
        pytest.param({"url": "ftp://canary"}, "begin with http:// or https://", id="another scheme"),
        pytest.param({"url": "http://[canary"}, "cannot be read", id="no address"),
        pytest.param({"token": "canary", "token_file": "f"}, "choose one", id="two tokens"),
        pytest.param({"mount": "../canary"}, "should match pattern", id="a mount upwards"),
        pytest.param({"prefix": "a//canary"}, "should match pattern", id="a prefix with a hole"),
        pytest.param({"field": ""}, "at least 1 character", id="a field without a name"),
    ],
)
def test_settings_that_would_spread_a_token_are_refused(given: dict[str, object], said: str) -> None:
    """A token goes to one host, encrypted; the fault says what to do and shows no value."""
    with pytest.raises(ValidationError, match=re.escape(said)) as caught:
        VaultSecrets.Settings.model_validate(given)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"url": "https://example.org:8200/vault"}, id="encrypted"),
        pytest.param({"url": "http://example.org", "allow_plain_http": True}, id="where the network encrypts"),
        pytest.param({"url": "http://localhost:8200"}, id="this machine by name"),
        pytest.param({"url": "http://127.0.0.2:8200"}, id="this machine by number"),
        pytest.param({"url": "http://[::1]:8200"}, id="this machine in IPv6"),
    ],
)
def test_settings_that_keep_the_token_are_taken(given: dict[str, object]) -> None:
    """Plain http is for this machine, and for those who say so."""
    assert VaultSecrets.Settings.model_validate(given).url == given["url"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_server_that_is_sealed_or_gone_is_unavailable_until_it_is_back(
    find_backend: Callable[[str], Backend],
) -> None:
    """Neither is not-found. Health says which; once unsealed, the adapter works again without another open."""
    find_backend("vault")  # a missing one is reported there; this test needs a server of its own to spoil
    with start("vault") as server:
        assert server.folder is not None
        store = store_of(Backend(str(server.settings["url"]), server.folder, "own"))
        store.write("db", {"value": "v"})
        log = server.folder / "server.log"
        wait_until(lambda: "Root Token:" in log.read_text(), 10, what="the key in the log")
        key = re.search(r"Unseal Key: (\S+)", log.read_text())
        assert key is not None
        async with opened(store, token=ROOT_TOKEN, retry={"attempts": 1}) as adapter:
            store.ask("PUT", "sys/seal")
            with pytest.raises(Unavailable, match="sealed; fix: unseal it"):
                await adapter.get("db")
            sealed = await adapter.health()

            store.ask("PUT", "sys/unseal", {"key": key[1]})
            wait_until(store.is_ready, 10, what="the unsealed mount")
            back = (await adapter.get("db")).value.get_secret_value()
            unsealed = await adapter.health()

            server.stop()
            with pytest.raises(Unavailable, match="connection"):
                await adapter.get("db")
            with pytest.raises(Unavailable, match="connection"):
                await adapter.version("db")
            gone = await adapter.health()

    assert back == b"v"
    assert (sealed.ok, sealed.detail) == (False, "sealed")
    assert (unsealed.ok, unsealed.detail) == (True, "unsealed")
    assert not gone.ok
    assert "connection" in gone.detail
