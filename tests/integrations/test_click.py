"""Click: options, help and exit codes of an attached program; tests/integrations/test_invocation.py has the rest."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tests.integrations.apps import click_shop


def test_help_lists_what_is_not_injected() -> None:
    """No option is made of an injected parameter."""
    result = CliRunner().invoke(click_shop.program, ["greet", "--help"])

    assert result.stdout.splitlines() == [
        "Usage: program greet [OPTIONS] NAME",
        "",
        "  Greet somebody, and end with a code.",
        "",
        "Options:",
        "  --code INTEGER",
        "  --help          Show this message and exit.",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "end"),
    [
        pytest.param(["greet", "Ada"], 0, "commit", id="sync"),
        pytest.param(["greet", "Ada", "--code", "3"], 3, "rollback: Exit", id="a code"),
        pytest.param(["wait", "Ada"], 0, "commit", id="async"),
    ],
)
def test_exit_codes_are_kept(arguments: list[str], code: int, end: str) -> None:
    """The session of the command ends as the command does."""
    before = len(click_shop.desk.sessions)

    result = CliRunner().invoke(click_shop.program, arguments)

    assert (result.exit_code, result.stdout) == (code, f"hello Ada True {before}\n")
    assert click_shop.desk.ends[before:] == [end]
