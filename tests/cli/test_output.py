"""Colours and encodings of what is written."""

from __future__ import annotations

import io

import pytest

from oneiric.cli.output import coloured, has_colour, write


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "answer"),
    [
        pytest.param(Terminal(), {}, True, id="terminal"),
        pytest.param(Terminal(), {"NO_COLOR": "1"}, False, id="terminal and NO_COLOR"),
        pytest.param(Terminal(), {"NO_COLOR": ""}, True, id="NO_COLOR is empty"),
        pytest.param(Terminal(), {"TERM": "dumb"}, False, id="dumb terminal"),
        pytest.param(io.StringIO(), {}, False, id="pipe"),
    ],
)
def test_only_a_terminal_gets_colours(stream: io.StringIO, environ: dict[str, str], answer: bool) -> None:
    """A pipe gets plain text, and so does whoever asks for it."""
    assert has_colour(stream, environ) is answer


def test_colours_mark_errors_warnings_and_the_winner() -> None:
    """The rest of the text stays as it is."""
    text = "error[x] a\nwarning[y] b\n* env  redis\n  code  memory"

    assert coloured(text) == (
        "\x1b[31merror[x]\x1b[0m a\n\x1b[33mwarning[y]\x1b[0m b\n\x1b[32m* env  redis\x1b[0m\n  code  memory"
    )


def test_a_character_the_stream_cannot_write_becomes_a_question_mark() -> None:
    """A graph with its lines still appears on an ASCII terminal."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")

    write("└─ cache", stream)

    assert raw.getvalue() == b"?? cache\n"
