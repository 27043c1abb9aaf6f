"""What the file of an adapter imports, read from its text and seen in a fresh process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SDKS = frozenset(
    {
        *(
            "httpx",
            "cachetools",
            "tenacity",
            "aiobreaker",
            "dependency_injector",
            "starlette",
            "uvicorn",
            "cryptography",
        ),
        *(
            "redis",
            "asyncpg",
            "asyncmy",
            "duckdb",
            "pymongo",
            "boto3",
            "botocore",
            "google",
            "grpc",
            "obstore",
            "azure",
        ),
        *(
            "nats",
            "aio_pika",
            "aiokafka",
            "aiosmtplib",
            "keyring",
            "hvac",
            "cronsim",
            "dbos",
            "temporalio",
            "watchfiles",
        ),
        *(
            "ladybug",
            "falkordb",
            "neo4j",
            "arangoasync",
            "dns",
            "aioftp",
            "asyncssh",
            "jwt",
            "opentelemetry",
            "sentry_sdk",
        ),
    }
)
START_TIMEOUT_S = 50.0
_ALWAYS = frozenset(sys.stdlib_module_names) | {"pydantic", "pydantic_settings", "typing_extensions"}
_PROGRAM = """
import importlib, json, sys
asked = json.loads(sys.stdin.read())
sys.path[:] = asked["path"]
importlib.import_module(asked["module"])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} & set(asked["sdks"]))))
"""


def loaded_sdks(module: str) -> list[str]:
    """
    Import a module in a fresh process and return which SDKs came with it, sorted.

    Raises:
        subprocess.CalledProcessError: The module does not import.
        subprocess.TimeoutExpired: It took longer than 50 s.
    """
    asked = json.dumps({"path": sys.path, "module": module, "sdks": sorted(SDKS)})
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
        timeout=START_TIMEOUT_S,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def forbidden_imports(file: Path, module: str) -> list[str]:
    """
    Return the imports at the top of an adapter's file that the contract forbids, as `line: name`.

    Allowed are the standard library, pydantic, `oneiric.core`, and the `common.py` (or the package) of a category;
    besides, below `TYPE_CHECKING`, anything. A package of somebody else may import from itself.

    Args:
        file: The source file.
        module: Its dotted name, to tell its own package.
    """
    package = module.split(".")[0]
    found = []
    for line, name in _top_imports(ast.parse(file.read_text("utf-8")).body):
        top = name.split(".")[0]
        own = top == package and package != "oneiric"
        if top not in _ALWAYS and not own and not _is_ours(name):
            found.append(f"{line}: {name}")
    return found


def _is_ours(name: str) -> bool:
    """Tell whether it is `oneiric.core`, or a category's package or `common.py`."""
    parts = name.split(".")
    if parts[:2] == ["oneiric", "core"]:
        return True
    return parts[:2] == ["oneiric", "adapters"] and (len(parts) == 3 or (len(parts) == 4 and parts[3] == "common"))


def _top_imports(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Walk the imports that run when the module is imported; a relative import counts as a name that is refused."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _top_imports(node.orelse)
        elif isinstance(node, (ast.If, ast.With, ast.For, ast.While)):
            yield from _top_imports([*node.body, *getattr(node, "orelse", ())])
        elif isinstance(node, ast.Try):
            yield from _top_imports([*node.body, *node.orelse, *node.finalbody])
