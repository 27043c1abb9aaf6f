"""The catalog of these applications: a fixed choice, so that one more adapter of Oneiric changes no golden."""

from __future__ import annotations

from oneiric.providers.catalog import CATEGORIES, ROWS, Catalog, Row

KNOWN = frozenset(
    {
        "cache/memory",
        "database/sqlite",
        "http/httpx",
        "messaging/console",
        "queue/memory",
        "secrets/env",
        "secrets/file",
        "storage/local",
        "storage/memory",
    }
)


def catalog(*own: Row) -> Catalog:
    """Return the known adapters and an application's own."""
    rows = [row for row in ROWS if f"{row.category}/{row.name}" in KNOWN]
    names = {row.category for row in rows}
    return Catalog([category for category in CATEGORIES if category.name in names], [*rows, *own], third_party=False)
