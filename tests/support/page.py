"""
Does what a documentation page says, as a reader would: `python tests/support/page.py PAGE`, in an empty folder.

Python blocks run in order in one namespace. A block that begins with `# name.py` or `# name.toml` is saved under that
name; a module is imported, unless it is a test. Of a console block each `$ oneiric` and `$ pytest` line is run; what
stands below must be what it prints, where a line `...` stands for any number of lines. Without output the command must
exit with 0. `oneiric orchestrate` would not end, so only its options are checked.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(?P<kind>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<name>[\w./]+\.(?:py|toml))\n")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
TIMEOUT_S = 60


@dataclass(frozen=True)
class Block:
    """One fenced block: its kind, its text, and the line of the page that its text begins at."""

    kind: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page that name a kind."""
    text = page.read_text("utf-8")
    return [Block(m["kind"], m["text"], text.count("\n", 0, m.start()) + 2) for m in BLOCK.finditer(text)]


def commands(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that stands below it."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2].rstrip()) for part in parts]


def matches(wanted: str, printed: str) -> bool:
    """
    Tell whether a text was printed.

    `...` on a line of its own stands for any number of lines. How wide a column is does not count: it follows from the
    names of all adapters, and a page must not change with each new one.
    """
    parts = [re.escape(_narrow(line)) if line.strip() != "..." else None for line in wanted.splitlines()]
    pattern = "".join("(?:.*\n)*?" if part is None else f"{part}\n" for part in parts)
    lines = "".join(f"{_narrow(line)}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, lines) is not None


def _narrow(line: str) -> str:
    """Return a line without blanks at its end, and with one in place of several inside."""
    return re.sub(r"(?<=\S) +", " ", line.rstrip())


def run_command(line: str, wanted: str, where: str) -> None:
    """Run one console line. Raises AssertionError if it prints or ends otherwise than the page says."""
    words = shlex.split(line)
    environ = dict(os.environ)
    while words and ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    if not words or words[0] not in {"oneiric", "pytest"}:
        return
    if words[:2] == ["oneiric", "orchestrate"]:
        words, wanted = ["oneiric", "orchestrate", "--help"], ""
    module = {"oneiric": ["oneiric.cli"], "pytest": ["pytest", "-p", "no:cacheprovider"]}[words[0]]
    command = [sys.executable, "-m", *module, *words[1:]]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, encoding="utf-8"
    )
    printed = done.stdout + done.stderr
    if not wanted:
        assert done.returncode == 0, f"{where}: {line} exits with {done.returncode}:\n{printed}"
        return
    assert matches(wanted, printed), f"{where}: {line} prints\n{printed}\n-- the page says\n{wanted}"


def run_python(block: Block, namespace: dict[str, Any], where: str) -> None:
    """Run one Python block, or save it where it names its file."""
    named = FILE.match(block.text)
    if named is None:
        lines = "\n" * (block.line - 1) + block.text
        exec(compile(lines, where, "exec", dont_inherit=True), namespace)  # the page is the source
        return
    Path(named["name"]).write_text(block.text, "utf-8")
    if not named["name"].startswith("test_"):
        importlib.invalidate_caches()
        importlib.import_module(named["name"].removesuffix(".py"))


def main() -> None:
    """Do what the page says. Raises whatever its blocks raise."""
    page = Path(sys.argv[1])
    sys.path[0] = os.getcwd()  # not the folder of this file
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.kind == "python":
            run_python(block, namespace, where)
        elif block.kind == "toml" and (named := FILE.match(block.text)):
            Path(named["name"]).write_text(block.text, "utf-8")
        elif block.kind == "console":
            for line, wanted in commands(block):
                run_command(line, wanted, where)


if __name__ == "__main__":
    main()
