"""The program: `python -m examples.stock receive MUG 12`."""

from __future__ import annotations

from examples.stock.commands import program
from oneiric.core.log import configure

configure(level="WARNING")  # what opens and closes is no news on a command line
program(prog_name="stock")
