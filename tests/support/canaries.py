"""Canaries: secrets that no text may hold, and the search for them in whatever encoding a text has them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from oneiric.core.document import digest_of
from tests.support.command import ROOT, of_app

_RUN = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")


class Canary(NamedTuple):
    """
    One planted secret.

    Attributes:
        name: Where it is planted.
        text: The secret, with characters that every encoding writes in its own way.
        ends: How it begins and ends, in letters and digits that most encodings leave alone.
    """

    name: str
    text: str
    ends: tuple[str, str]


def _canary(number: int, name: str) -> Canary:
    head, tail = f"cnry{number:02d}head", f"tail{number:02d}cnry"
    return Canary(name, f"{head}\"/+ é%\\<'{tail}", (head, tail))


NAMES = (
    "code default",
    "profile TOML",
    "profile table",
    "hidden by env",
    "env variable",
    "env file",
    "flag",
    "reference of the manifest",
    "secrets layer",
    "bound key",
    "field of a JSON secret",
    "other field of a JSON secret",
    "user info of a URL",
    "item of a list",
    "appended item",
    "leaf of a map",
    "nested model",
    "hidden nested model",
    "optional nested model",
    "list of models",
    "bytes",
    "plain text with a secret name",
    "explicit override",
    "adapter settings",
    "adapter that lost",
    "no layer",
)
CANARIES: Mapping[str, Canary] = {name: _canary(number, name) for number, name in enumerate(NAMES, 1)}


def text_of(name: str) -> str:
    """Return the secret that is planted there."""
    return CANARIES[name].text


class Planted(NamedTuple):
    """
    A folder with a canary in every layer.

    Attributes:
        options: What a command is told, those of the application among it.
        environment: The variables.
    """

    options: tuple[str, ...]
    environment: Mapping[str, str]


def plant(folder: Path) -> Planted:
    """Write the files of every layer of `spilling_shop`, and return what else has to be said."""
    (folder / "oneiric.toml").write_text(_toml(folder / "store"), "utf-8")
    (folder / "shop.env").write_text(f"ONEIRIC_SHOP__ENVFILE_PIN={text_of('env file')}\n", "utf-8")
    _write_store(folder / "store")
    _write_manifest(folder)
    environment = {
        "PYTHONPATH": str(ROOT),
        "ONEIRIC_SHOP__ENV_PIN": text_of("env variable"),
        "ONEIRIC_SHOP__INNER": "secret://two#inner",
        "ONEIRIC_SHOP__DOOR__PIN": text_of("nested model"),
        "ONEIRIC_SHOP__DOORS": json.dumps([{"name": "back", "pin": text_of("list of models")}]),
        "ONEIRIC_SHOP__PINS": "@append:" + json.dumps([text_of("appended item")]),
        "ONEIRIC_SHOP__RAW": text_of("bytes"),
        "ONEIRIC_CACHE__SPILLING__PASSWORD": text_of("adapter settings"),
    }
    flags = ("--env-file", "shop.env", "--set", f"shop.flag_pin={text_of('flag')}")
    return Planted((*of_app("spilling_shop"), *flags), environment)


def _toml(store: Path) -> str:
    userinfo = f"shop:{quote(text_of('user info of a URL'), safe='')}"
    said = {
        "toml_pin": text_of("profile TOML"),
        "env_pin": text_of("hidden by env"),
        "url": f"amqp://{userinfo}@queue.example.org/v",
        "pins": [text_of("item of a list")],
        "api_token": text_of("plain text with a secret name"),
    }
    lines = [
        "[select]",
        'secrets = "file"',
        'cache = "spilling"',
        "[settings.secrets]",
        f"file.folder = {_quoted(str(store))}",
        'bindings = {"shop.bound" = "till"}',
        "[settings.cache.losing]",
        f"password = {_quoted(text_of('adapter that lost'))}",
        "[settings.cache.spilling]",
        "open_timeout_s = 0.2",
        "[settings.shop]",
        *(f"{name} = {_quoted(value)}" for name, value in said.items()),
        f"headers.api_key = {_quoted(text_of('leaf of a map'))}",
        f"door.pin = {_quoted(text_of('hidden nested model'))}",
        f"side_door.pin = {_quoted(text_of('optional nested model'))}",
        "[profiles.default.settings.shop]",
        f"profile_pin = {_quoted(text_of('profile table'))}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write_store(folder: Path) -> None:
    parts = {"inner": text_of("field of a JSON secret"), "other": text_of("other field of a JSON secret")}
    stored = {
        "kept": text_of("reference of the manifest"),
        "shop-store_pin": text_of("secrets layer"),
        "till": text_of("bound key"),
        "two": json.dumps(parts),
    }
    folder.mkdir(mode=0o700)
    for name, text in stored.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, "utf-8")


def _write_manifest(folder: Path) -> None:
    document = {
        "schema": 1,
        "name": "shop",
        "version": "1",
        "issued": None,
        "expires": None,
        "select": {},
        "settings": {"shop": {"kept_pin": "secret://kept"}},
        "sources": {},
    }
    digest = digest_of(document)
    (folder / "oneiric.manifest.json").write_text(json.dumps({**document, "digest": digest}), "utf-8")
    (folder / "oneiric.manifest.sha256").write_text(f"{digest}\n", "utf-8")


def found_in(said: str | bytes) -> list[str]:
    """
    Return the names of the canaries that a text holds, whole or cut off at one end.

    It is searched as it is, which finds them escaped for Python, JSON, HTML or a URL as well, and once more where it
    looks like base64 or hex.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    texts = "\n".join((text, *_decoded(text))).lower()
    return [canary.name for canary in CANARIES.values() if any(end in texts for end in canary.ends)]


def _decoded(text: str) -> Iterator[str]:
    """Yield what the parts of a text that look like base64, begun at any byte, or like hex may stand for."""
    for run in set(_RUN.findall(text)):
        plain = run.replace("-", "+").replace("_", "/")
        for begin in range(4):
            whole = plain[begin : begin + (len(plain) - begin) // 4 * 4]
            yield base64.b64decode(whole).decode("latin-1")
    for run in set(_HEX.findall(text)):
        yield binascii.unhexlify(run).decode("latin-1")
