"""A Vault server as its operator sees it, and the adapter with the rights of one test."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from oneiric.adapters.secrets.vault import VaultSecrets
from oneiric.testing.contracts import Backend
from tests.support.wait import wait_until

ROOT_TOKEN = "root"  # what the starter gives a development server; one named by a variable must have the same
RULES = """
path "secret/data/{unique}/*" {{ capabilities = ["read", "create", "update"] }}
path "secret/metadata/{unique}/*" {{ capabilities = ["read"] }}
"""
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Store:
    """The server as its operator sees it; every name stands below a folder that no other test has."""

    url: str
    unique: str

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> dict[str, object]:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", content, {"x-vault-token": ROOT_TOKEN, **headers})
        request.method = method
        with _LOCAL.open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def write(self, name: str, fields: dict[str, object]) -> None:
        self.ask("POST", f"secret/data/{self.unique}/{name}", {"data": fields})

    def allow(self, rules: str = RULES) -> None:
        """Give the tokens of this test these rights and no other."""
        self.ask("POST", f"sys/policies/acl/{self.unique}", {"policy": rules.format(unique=self.unique)})

    def make_token(self, name: str) -> None:
        rights = {"policies": [self.unique], "no_default_policy": True, "no_parent": True}
        self.ask("POST", "auth/token/create", {"id": name, **rights})

    def make_mount(self, name: str, **headers: str) -> None:
        """Mount a KV engine of version 2, and wait until it answers."""
        self.ask("POST", f"sys/mounts/{name}", {"type": "kv-v2"}, **headers)
        wait_until(lambda: self.is_ready(name, **headers), 10, what=f"the mount {name}")

    def is_ready(self, mount: str = "secret", **headers: str) -> bool:
        try:
            return bool(self.ask("GET", f"{mount}/config", **headers))
        except urllib.error.URLError:  # a server listens before it has its mounts, and they answer 400 at first
            return False


def store_of(backend: Backend) -> Store:
    assert backend.url is not None
    store = Store(backend.url, backend.unique)
    wait_until(store.is_ready, 10, what="the mount secret")
    return store


def admitted(backend: Backend) -> Store:
    """Return a server on which the unique name of the test is also a token with the rights that the adapter needs."""
    store = store_of(backend)
    store.allow()
    store.make_token(store.unique)
    return store


@asynccontextmanager
async def opened(store: Store, **changed: object) -> AsyncIterator[VaultSecrets]:
    """The adapter, open, as the token of the test."""
    given = {"url": store.url, "token": store.unique, "prefix": store.unique, **changed}
    adapter = VaultSecrets(VaultSecrets.Settings.model_validate(given), environ={})
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()
