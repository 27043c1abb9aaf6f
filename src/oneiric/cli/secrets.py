"""What `oneiric secrets` answers: whether each secret can be read, and which version there is. Never a value."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from oneiric.cli.answers import application
from oneiric.cli.failures import FAILED, blocks
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.tables import table
from oneiric.containers.secret_uses import SecretUse, secret_uses
from oneiric.containers.validation import settings_in_use
from oneiric.core.errors import BadOption, OneiricError, did_you_mean
from oneiric.core.log import configure as configure_log
from oneiric.runtime.application import Application

HEAD = ("secret", "answer", "version", "counts", "settings", "resource")


def check(options: Options) -> Reply:
    """Answer with every secret that settings in use may come from; it fails where the start would."""
    with application(options) as app:
        configure_log(level="WARNING")
        uses, faults = asyncio.run(_checked(app))
        fields = answer(
            "secrets-check",
            app=app.name,
            profile=app.profile.name,
            secrets=[_fields(use) for use in uses],
            faults=[fault.problem.fields() for fault in faults],
        )
        return Reply(fields, partial(_table, uses), tuple(blocks(faults, app)), FAILED if faults else 0)


async def _checked(app: Application) -> tuple[list[SecretUse], list[OneiricError]]:
    """Read every secret once to prove that it can be read; no value is kept."""
    try:
        await app.secrets.probe(use.name for use in _uses(app))
        uses = _uses(app)
        keys = {key for use in uses for key in use.keys}  # one that is required and has no secret is at fault as well
        found = app.faults()[0]
        return uses, [one for one in found if one.code.startswith("secret-") or getattr(one, "key", None) in keys]
    finally:
        await app.stop()


def rotate(options: Options, names: Sequence[str]) -> Reply:
    """
    Answer with the versions that are there now, and the settings that take them.

    It reads the store in this process. One that runs reads it again when `secrets.ttl_s` is over, or restarts.
    """
    with application(options) as app:
        configure_log(level="WARNING")
        uses = asyncio.run(_rotated(app, names))
        fields = answer(
            "secrets-rotate", app=app.name, profile=app.profile.name, secrets=[_fields(use) for use in uses]
        )
        failed = any(not use.finding.exists for use in uses)
        return Reply(fields, partial(_table, uses), code=FAILED if failed else 0)


async def _rotated(app: Application, names: Sequence[str]) -> list[SecretUse]:
    try:
        known = [use.name for use in _uses(app)]
        for name in names:
            if name not in known:
                hint = " ".join(did_you_mean(name, known))
                why = f'no setting in use reads the secret "{name}"; {hint}'
                raise BadOption(why, command="oneiric secrets rotate")
        app.secrets.cache.invalidate(names)
        await app.secrets.probe(names)
        return [use for use in _uses(app) if use.name in names]
    finally:
        await app.stop()


def _uses(app: Application) -> list[SecretUse]:
    values = [value for _, _, found in settings_in_use(app) for value in found]
    return list(secret_uses(values, app.secrets))


def _fields(use: SecretUse) -> dict[str, Any]:
    return {
        "name": use.name,
        "answer": _answer(use),
        "version": use.finding.version,
        "counts": use.counts,
        "settings": list(use.keys),
        "resource": use.origin,
    }


def _answer(use: SecretUse) -> str:
    """Return what the store said, in one word: `ok`, `not-found`, or the code of its error."""
    state = use.finding.state
    return "ok" if use.finding.exists else "not-found" if state == "missing" else use.finding.why or state


def _table(uses: Sequence[SecretUse]) -> str:
    if not uses:
        return "no setting in use may come from a secret"
    rows = [
        (
            use.name,
            _answer(use),
            use.finding.version or "",
            "yes" if use.counts else "no",
            ", ".join(use.keys),
            use.origin,
        )
        for use in uses
    ]
    return table(HEAD, rows)
