"""
An application with a secret in every layer, which tells all of them in whatever goes wrong.

`SPILL` says what does: `validator`, `constructor`, `open`, `timeout`, `handler`, `service`, `close`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import shelf
from loguru import logger
from pydantic import BaseModel, Field, SecretBytes, SecretStr, TypeAdapter, model_validator

from oneiric import Application, Event, Inject, LayerContainer, Settings, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.core.markers import INJECTED
from oneiric.providers.catalog import Row
from tests.support.canaries import text_of

FAULT = os.environ.get("SPILL", "")


class Door(BaseModel):
    """A door with a lock."""

    name: str = "front"
    pin: SecretStr | None = None


class ShopSettings(Settings, section="shop"):
    """A secret of every form, each said by another layer."""

    code_pin: SecretStr = SecretStr(text_of("code default"))
    toml_pin: SecretStr | None = None
    profile_pin: SecretStr | None = None
    env_pin: SecretStr | None = None
    envfile_pin: SecretStr | None = None
    flag_pin: SecretStr | None = None
    kept_pin: SecretStr | None = None
    store_pin: SecretStr | None = None
    bound: str | None = None
    inner: SecretStr | None = None
    url: str = "amqp://localhost"
    pins: list[SecretStr | None] = Field(default=[])
    headers: dict[str, str] = Field(default={})
    door: Door = Door()
    side_door: Door | None = None
    doors: list[Door] = Field(default=[])
    raw: SecretBytes | None = None
    api_token: str | None = None
    explicit_pin: SecretStr | None = None

    @model_validator(mode="after")
    def _tell(self) -> ShopSettings:
        if FAULT == "validator":
            raise ValueError(told(self))
        return self


def secrets_in(value: Any) -> Iterator[str | bytes]:
    """Yield every secret of a value, opened, and all other texts of it."""
    if isinstance(value, BaseModel):
        for _, part in value:
            yield from secrets_in(part)
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from secrets_in(part)
    elif hasattr(value, "get_secret_value"):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield value
        yield unquote(urlsplit(value).password or "") if "://" in value else ""


def told(*settings: Any) -> str:
    """Return the secrets of settings as an SDK without manners would quote them: plain, and in common encodings."""
    told = []
    for secret in (one for part in settings for one in secrets_in(part) if one):
        text = secret.decode() if isinstance(secret, bytes) else secret
        pair = base64.b64encode(f"shop:{text}".encode()).decode()
        told += [text, repr(text), repr(text.encode()), json.dumps(text), quote(text), quote(text, safe="")]
        told += [f"https://shop:{quote(text, safe='')}@h/", pair, base64.urlsafe_b64encode(text.encode()).decode()]
    return "refused: " + " | ".join(told)


class SpillingCache(MemoryCache):
    """A cache that tells its password, and that of the shop, in every failure."""

    class Settings(MemoryCache.Settings):
        """A password."""

        password: SecretStr | None = None

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._password = settings
        if FAULT == "constructor":
            raise RuntimeError(told(settings, app.section("shop")))

    async def open(self) -> None:
        if FAULT == "open":
            fail(told(self._password, app.section("shop")))
        if FAULT == "timeout":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                error.add_note(told(self._password))
                raise
        await super().open()

    async def close(self) -> None:
        await super().close()
        if FAULT == "close":
            fail(told(self._password, app.section("shop")))


class LosingCache(SpillingCache):
    """A cache that nobody chose."""


def fail(text: str) -> None:
    """Raise a group with a cause and a context that all tell, and a pydantic error that holds its input."""
    try:
        try:
            TypeAdapter(int).validate_python(text)
        except ValueError as error:
            error.add_note(text)
            raise KeyError(text) from error
    except KeyError as error:
        context = error
    try:
        raise LookupError(text)
    except LookupError:
        raise ExceptionGroup(text, [RuntimeError(text), context]) from OSError(text)


app = Application(
    "spilling",
    catalog=shelf.catalog(
        Row("cache", "spilling", "spilling_shop:SpillingCache", capabilities=frozenset({"ttl"})),
        Row("cache", "losing", "spilling_shop:LosingCache", capabilities=frozenset({"ttl"})),
    ),
    layers=[LayerContainer("explicit", settings={"shop.explicit_pin": text_of("explicit override")})],
)
app.declare_section("shop", ShopSettings)


@app.on("order.created", name="reserve")
@inject
async def reserve(event: Event, cache: Inject[Cache] = INJECTED) -> None:
    """Tell everything in every way there is, and fail."""
    text = told(app.section("shop"), app.settings_of("cache"))
    if path := os.environ.get("SPILL_LOG"):
        logger.add(path, format="{message} {extra} {exception}", diagnose=True, backtrace=True)
    for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        logger.bind(note=text, parts={text: [text]}).log(level, "{} {}", text, text.encode())
    logging.getLogger("shop.sdk").warning("refused %s", text)
    logging.getLogger("shop.sdk").log(35, "refused %s", text)
    warnings.warn(text, stacklevel=1)
    crash = threading.Thread(target=fail, args=(text,))
    crash.start()
    asyncio.get_running_loop().call_soon(fail, text)
    await asyncio.to_thread(crash.join)
    _Finalized(text)
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception(text)
        fail(text)


class _Finalized:
    """Fails where nobody can catch it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        raise RuntimeError(self._text)


if FAULT == "service":

    @app.service("till")
    async def till() -> None:
        """Fail at once."""
        fail(told(app.section("shop"), app.settings_of("cache")))
