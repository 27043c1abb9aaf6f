"""What starting costs: whole processes, against one that imports pydantic-settings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from benches.rows import Row
from benches.timing import CannotMeasure, Effort, interleave, process, shown

ROUNDS = 15
ADAPTERS = 100
EXAMPLE = "examples.orders.app:app"
YARDSTICK = "import pydantic_settings"
DECLARE = f"""
from oneiric import Application, Inject
from oneiric.providers.catalog import ROWS, Catalog, Row
more = [Row("cache", f"extra_{{n}}", f"acme.cache:Cache{{n}}", extra="redis", sdk="redis")
        for n in range({ADAPTERS} - len(ROWS))]
Application("x", catalog=Catalog(rows=[*ROWS, *more]))
"""
# Web frameworks, the SDKs of the extras, and the core dependencies that are imported at the point of use.
HEAVY = frozenset(
    "starlette fastapi flask werkzeug uvicorn yaml typer rich click httpx httpcore cryptography watchfiles loguru "
    "tenacity aiobreaker cloudevents cronsim pydantic_settings boto3 botocore duckdb google aiokafka keyring pymongo "
    "asyncmy nats jwt opentelemetry asyncpg aio_pika redis aiosmtplib obstore temporalio dbos".split()
)


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of starting: the import, the help, an explanation."""
    best_s = interleave(
        {
            "yardstick": process(["-c", YARDSTICK]),
            "import": process(["-c", DECLARE]),
            "help": process(["-m", "oneiric.cli", "--help"]),
            "explain": process(["-m", "oneiric.cli", "explain", "cache", "--app", EXAMPLE]),
            "nothing": process(["-c", "pass"]),
        },
        effort.rounds(ROUNDS),
    )
    against = f"against {shown(best_s['yardstick'])} of `{YARDSTICK}` (an empty process: {shown(best_s['nothing'])})"
    for name, what, budget in (
        ("import", f"import, and an application of {ADAPTERS} adapters", 1.15),
        ("help", "oneiric --help", 0.6),
        ("explain", "oneiric explain cache", 1.5),
    ):
        yield Row(what, best_s[name] / best_s["yardstick"], budget, f"{shown(best_s[name])} {against}")
    yield _modules_row()


def _modules_row() -> Row:
    """Count the SDKs and web frameworks that the import row leaves in `sys.modules`."""
    source = f"{DECLARE}\nimport json, sys\nprint(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasure(done.stderr.strip()[-500:])
    found = sorted(HEAVY.intersection(json.loads(done.stdout)))
    return Row("SDKs and web frameworks imported by it", float(len(found)), 0.0, f"count: {', '.join(found) or 'none'}")
