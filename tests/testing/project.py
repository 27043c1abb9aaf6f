"""A project of somebody else, with a small application and tests of its own."""

from __future__ import annotations

import pytest

SHOP = """
from __future__ import annotations

from oneiric import INJECTED, Application, Inject, inject

app = Application("shop")


class Stock:
    "What the shop has; it needs no opening."


class OtherStock(Stock):
    "Told apart from the first one."


app.provide("stock")(Stock)


@inject
def held(stock: Inject[Stock] = INJECTED) -> str:
    return type(stock).__name__
"""

INI = """
[pytest]
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
IN_ORDER = ("-p", "no:randomly")


def run(project: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    """Run one test file in a process of its own."""
    project.makepyfile(test_shop=text)
    return project.runpytest_subprocess("-p", "no:cacheprovider", *(options or IN_ORDER))
