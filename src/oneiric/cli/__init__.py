"""The command line: `oneiric`, `python -m oneiric` and `python -m oneiric.cli` are the same program."""

from __future__ import annotations

import gc
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        arguments: What follows the program's name; those of the process by default.

    Returns:
        The exit code: 0 done, 1 failed or would fail, 2 refused before anything was opened, 70 stopped hard,
        130 or 143 ended by a signal.
    """
    if arguments is None:
        gc.disable()  # what a start imports is no garbage, and looking costs a tenth of it; `serve` enables it again
    from oneiric.cli.program import run

    code = run(arguments)
    if arguments is None:
        gc.freeze()  # the process ends: one more search for garbage in all that is alive is a sixth of its time
    return code
