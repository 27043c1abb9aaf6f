"""Which articles there are: a list in storage, kept in the cache for an hour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from oneiric import INJECTED, Inject, inject
from oneiric.adapters.cache import Cache, cached
from oneiric.adapters.storage import Storage
from oneiric.core.errors import NotFound

ARTICLES = "articles.json"
NAMES = {"COFFEE": "coffee, 500 g", "KETTLE": "kettle", "MUG": "mug", "TEA": "tea, 100 g"}
ARTICLES_TTL_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Articles:
    """
    The articles that may be in stock.

    Attributes:
        names: What each is called, by its number.
    """

    names: Mapping[str, str]


@inject
async def articles(cache: Inject[Cache] = INJECTED, storage: Inject[Storage] = INJECTED) -> Articles:
    """Read the list `articles.json`, once for each run; where there is none, it is that of this module."""

    async def load() -> bytes:
        try:
            return await storage.get(ARTICLES)
        except NotFound:
            return json.dumps(NAMES).encode()

    return Articles(json.loads(await cached(cache, "stock:articles", ARTICLES_TTL_S, load)))
