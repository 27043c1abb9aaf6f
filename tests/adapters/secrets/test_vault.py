"""Secrets in Vault, against a real OpenBao server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.vault import VaultSecrets
from oneiric.core.errors import BadReply, InvalidInput, NotFound, Unsupported
from oneiric.testing.contracts import Backend
from oneiric.testing.contracts.secrets import SecretsContract
from tests.support.vault import Store, admitted, opened, store_of


@pytest.fixture
def store(find_backend: Callable[[str], Backend]) -> Store:
    """A server with a token of the test's own name, which may read and write below that name."""
    return admitted(find_backend("vault"))


class TestVaultSecrets(SecretsContract):
    """The whole contract runs with a token that has the rights that the adapter's docstring asks for, and no other."""

    adapter = VaultSecrets
    backend = "vault"
    capabilities = frozenset({"write"})

    def settings(self, backend: Backend) -> dict[str, object]:
        return {"url": backend.url, "token": backend.unique, "prefix": backend.unique}

    @pytest.fixture(autouse=True)
    def allowed(self, backend: Backend) -> Iterator[None]:
        store = admitted(backend)
        yield
        store.ask("POST", "auth/token/revoke", {"token": backend.unique})
        store.ask("DELETE", f"sys/policies/acl/{backend.unique}")

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        store_of(backend).write(name, {"value": value.decode()})

    def spoil(self, backend: Backend) -> Callable[[], None]:
        store = store_of(backend)
        store.ask("DELETE", f"sys/policies/acl/{backend.unique}")

        def repair() -> None:
            store.allow()

        return repair


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        pytest.param({"value": "plain"}, None, b"plain", id="one value is the secret"),
        pytest.param({"value": ""}, None, b"", id="an empty one too"),
        pytest.param({"value": 5432}, None, b"5432", id="a number is its JSON text"),
        pytest.param({"value": {"a": None}}, None, b'{"a": null}', id="a map in it is its JSON text"),
        pytest.param({"password": "p"}, None, b'{"password": "p"}', id="another key makes it a map"),
        pytest.param({"value": "v", "zone": "ü"}, None, '{"value": "v", "zone": "ü"}'.encode(), id="a second one too"),
        pytest.param({}, None, b"{}", id="an empty map"),
        pytest.param({"user": "u", "password": "p"}, "password", b"p", id="the field that the settings name"),
        pytest.param({"value": "v"}, "value", b"v", id="a field of the usual name"),
    ],
)
@pytest.mark.asyncio
async def test_a_map_becomes_one_value(
    store: Store, fields: dict[str, object], field: str | None, value: bytes
) -> None:
    """`field` chooses a key; else the only key `value` is the secret, and any other map is its JSON text."""
    store.write("db", fields)

    async with opened(store, field=field) as adapter:
        secret = await adapter.get("db")

    assert secret.value.get_secret_value() == value


@pytest.mark.asyncio
async def test_a_secret_without_the_field_is_no_absent_secret(store: Store) -> None:
    """No other layer may answer for a secret that is there and looks otherwise; the values stay hidden."""
    store.write("db", {"pwd": "canary-value"})

    async with opened(store, field="password") as adapter:
        with pytest.raises(BadReply, match='has no key "password"; fix: store it under "password"') as caught:
            await adapter.get("db")

    assert "canary" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_version_can_be_pinned(store: Store) -> None:
    """The latest version counts up; an older one is read by its number, and its number comes back."""
    async with opened(store) as adapter:
        versions = [await adapter.put("db", SecretBytes(value)) for value in (b"first", b"second")]
        latest, pinned = await adapter.get("db"), await adapter.get("db", version="1")
        told = await adapter.version("db")

    assert (versions, told) == (["1", "2"], "2")
    assert (latest.version, latest.value.get_secret_value()) == ("2", b"second")
    assert (pinned.version, pinned.value.get_secret_value()) == ("1", b"first")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("2", id="one to come"),
        pytest.param("0", id="none, which the server takes for the latest"),
        pytest.param("-1", id="below none"),
        pytest.param("01", id="another way to write it"),
        pytest.param("9" * 30, id="more than the server can count"),
        pytest.param("", id="empty"),
    ],
)
@pytest.mark.asyncio
async def test_a_version_that_was_never_written_is_not_found(store: Store, version: str) -> None:
    """It is not-found, and never silently another one."""
    store.write("db", {"value": "first"})

    async with opened(store) as adapter:
        with pytest.raises(NotFound):
            await adapter.get("db", version=version)


@pytest.mark.parametrize(
    ("remove", "restore", "said"),
    [
        pytest.param(("DELETE", "data", None), ("undelete", {"versions": [2]}), "version 2 was deleted", id="deleted"),
        pytest.param(("PUT", "destroy", {"versions": [2]}), None, "version 2 was destroyed", id="destroyed"),
    ],
)
@pytest.mark.asyncio
async def test_a_removed_latest_version_is_not_found_and_says_so(
    store: Store, remove: tuple[str, str, object], restore: tuple[str, object] | None, said: str
) -> None:
    """The version before it does not take its place; it can still be read by its number."""
    store.write("db", {"value": "first"})
    store.write("db", {"value": "second"})
    method, kind, body = remove
    store.ask(method, f"secret/{kind}/{store.unique}/db", body)

    async with opened(store) as adapter:
        with pytest.raises(NotFound, match=said):
            await adapter.get("db")
        version, older = await adapter.version("db"), await adapter.get("db", version="1")
        if restore is not None:
            store.ask("PUT", f"secret/{restore[0]}/{store.unique}/db", restore[1])
            assert (await adapter.get("db")).value.get_secret_value() == b"second"

    assert version is None
    assert older.value.get_secret_value() == b"first"


@pytest.mark.asyncio
async def test_a_deletion_that_lies_ahead_is_none_yet(store: Store) -> None:
    """A secret that ends in an hour is there until then."""
    store.ask("POST", f"secret/metadata/{store.unique}/db", {"delete_version_after": "1h"})
    store.write("db", {"value": "for an hour"})

    async with opened(store) as adapter:
        assert await adapter.version("db") == "1"
        assert (await adapter.get("db")).value.get_secret_value() == b"for an hour"


@pytest.mark.asyncio
async def test_metadata_alone_is_no_secret(store: Store) -> None:
    """A name that was only described has no version and no value."""
    store.ask("POST", f"secret/metadata/{store.unique}/db", {"custom_metadata": {"team": "orders"}})

    async with opened(store) as adapter:
        assert await adapter.version("db") is None
        with pytest.raises(NotFound):
            await adapter.get("db")


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        pytest.param({}, "secret/data/db", id="the usual mount"),
        pytest.param({"mount": "teams/kv/", "prefix": "orders"}, "teams/kv/data/orders/db", id="a path"),
        pytest.param({"prefix": "orders/eu/"}, "secret/data/orders/eu/db", id="one stroke too many"),
    ],
)
def test_a_secret_is_called_as_policies_call_it(given: dict[str, object], resource: str) -> None:
    """An explanation names the path on which rights are given; nothing is asked for it."""
    assert VaultSecrets(VaultSecrets.Settings.model_validate(given)).resource("db") == resource


@pytest.mark.asyncio
async def test_what_cannot_be_written_is_refused(store: Store) -> None:
    """Bytes that are no text, a key among others, a mount that demands check-and-set; no value is shown."""
    store.ask("POST", f"secret/metadata/{store.unique}/checked", {"cas_required": True})
    store.write("db", {"user": "u", "password": "p"})

    async with opened(store) as adapter:
        with pytest.raises(InvalidInput, match="no UTF-8 text") as caught:
            await adapter.put("bytes", SecretBytes(b"canary\xff"))
        with pytest.raises(InvalidInput, match="check-and-set"):
            await adapter.put("checked", SecretBytes(b"canary"))
    async with opened(store, field="password") as adapter:
        with pytest.raises(Unsupported, match="would drop the other keys"):
            await adapter.put("db", SecretBytes(b"canary"))
        assert await adapter.version("db") == "1"

    assert "canary" not in f"{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__!r}"
