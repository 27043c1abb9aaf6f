"""Names over large spaces: whatever a part is called, no format lets its name out of the label."""

from __future__ import annotations

import html
import json
import re
import subprocess
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from oneiric.containers.graph import Arrow, Graph, Node, Outcome
from oneiric.containers.graph_dot import as_dot
from oneiric.containers.graph_mermaid import as_mermaid
from oneiric.containers.graph_page import as_html
from oneiric.containers.graph_rivals import Rival
from oneiric.containers.graph_text import as_text
from oneiric.core.origins import EnvOrigin, FileOrigin
from tests.support.installed import installed

# What means something in DOT, Mermaid, Markdown, HTML, JavaScript or a terminal.
PIECES = (
    *(
        "\n",
        "\r",
        "\t",
        "\x00",
        "\x1b[31m",
        "\x9b2J",
        "\u2028",
        "\u202e",
        "\ufeff",
        '"',
        "'",
        "`",
        "\\",
        "\\n",
        "\\N",
        "\\",
    ),
    *(
        "<",
        ">",
        "</script>",
        "<!--",
        "]]>",
        "<img src=x onerror=alert(1)>",
        "&amp;",
        "&#10;",
        "#35;",
        "#quot;",
        "<br/>",
    ),
    *(
        "%%{init: {}}%%",
        "%%",
        ";",
        "]",
        ")",
        "])",
        "{",
        "}",
        "|",
        "-->",
        "::: lost",
        "end",
        "subgraph",
        "**",
        "$$",
        "${x}",
    ),
    *("$policy", "$$record", "javascript:x", "é", "日本", "😀"),
)
# Without code points that are no characters: Python's reader of HTML drops references to them.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=4)
NAMES = st.lists(st.sampled_from(PIECES) | TEXTS, min_size=1, max_size=6).map("".join).filter(str.strip)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The lexer of Mermaid's flowcharts reads a quoted text up to the next quote, and a line end ends a statement:
# https://github.com/mermaid-js/mermaid/blob/develop/packages/mermaid/src/diagrams/flowchart/parser/flow.jison
CHART = re.compile(r'\s*(?:[\w ,.:#(){}\[\]>-]|"[^"]*")*')
# What a label may hold: letters, digits, harmless signs, a character by its number, and our own line break.
CALM = re.compile(r"(?:[^\W]|[ ._\-/:,()\[\]=!]|#\d+;|<br/>)*")


class Seen(HTMLParser):
    """The elements of a page, as the parser of the standard library sees them, and the texts that begin in each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = [""]  # what stands before the first one
        self.texts: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts[self.tags[-1]] = self.texts.get(self.tags[-1], "") + data


def named(name: str) -> Graph:
    """Return a graph in which everything that somebody else may name has that name."""
    lost = Rival(name, "profile", "shadowed", "lower-layer", FileOrigin(name, name), name)
    function = Node(f"handler {name}", "handler", name, name, "code", "app", "idle")
    slot = Node(
        *(f"slot {name}", "adapter", name, name, "env", "app", "idle"),
        rivals=(lost,),
        elsewhere=Outcome(name, "code"),
        origin=EnvOrigin(name),
    )
    edges = (Arrow(f"alias {name}", slot.id, "alias"), Arrow(function.id, slot.id, by=(name,)))
    return Graph(name, name, ("code", "env"), (function, slot), edges, shadowed=True, against=name, notes=(name,))


def cleaned(name: str) -> str:
    """Return what is shown of a name: a question mark for whatever could write elsewhere than here."""
    return CONTROL.sub("?", name.replace("\n", "?"))


def drawn_by_graphviz(text: str) -> tuple[dict[str, list[str]], int]:
    """Return the lines that Graphviz draws, by the name of the node, and how many edges it has read."""
    program = installed("graphviz", "dot")
    done = subprocess.run(
        [program, "-Tjson"], input=text, capture_output=True, encoding="utf-8", timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    read = json.loads(done.stdout)
    nodes = [one for one in read["objects"] if "nodes" not in one]
    drawn = {one["name"]: [step["text"] for step in one["_ldraw_"] if step["op"] == "T"] for one in nodes}
    return drawn, len(read["edges"])


@given(NAMES)
def test_text_has_one_line_for_each_part_and_no_control_character(name: str) -> None:
    """The head, the function, the slot, its loser, the note: a name can add no line."""
    text = as_text(named(name))

    assert len(text.split("\n")) == 5
    assert CONTROL.search(text) is None


@settings(max_examples=30)  # each starts a process
@given(NAMES)
def test_graphviz_reads_the_names_that_were_written(name: str) -> None:
    """No name makes a node, an edge or a line; what is drawn is the name, cleaned."""
    drawn, edges = drawn_by_graphviz(as_dot(named(name)))

    shown = cleaned(name)
    assert list(drawn.values()) == [
        [shown],
        [shown, f"{shown} (env)", f"{shown}: {shown} (code)"],
        ["alias", shown],
        [shown, "profile: lower-layer"],
        ["env"],
    ]
    assert edges == 3


@given(NAMES)
def test_mermaid_reads_every_name_as_a_label(name: str) -> None:
    """Every statement is one line, all that is quoted is calm, and by number it says the name again."""
    lines = as_mermaid(named(name)).split("\n")

    labels = [label for line in lines for label in re.findall(r'"([^"]*)"', line)]
    assert [line for line in lines if CHART.fullmatch(line) is None] == []
    assert [label for label in labels if CALM.fullmatch(label) is None] == []
    assert html.unescape(re.sub(r"#(\d+);", r"&#\1;", labels[0])) == cleaned(name)
    assert len(lines) == 19


@given(NAMES)
def test_the_page_has_the_same_elements_whatever_the_names_are(name: str) -> None:
    """A name adds no element, ends no script, and is in the record as it is shown."""
    page = Seen(as_html(named(name)))

    record, _ = json.JSONDecoder().raw_decode(page.texts["script"])
    assert page.tags == Seen(as_html(named("plain"))).tags
    assert record["nodes"][0]["name"] == cleaned(name)
    assert page.texts["title"].strip() == f"{cleaned(name)}: graph".strip()


@given(NAMES)
def test_the_json_says_the_name_as_it_is(name: str) -> None:
    """JSON is read by programs: nothing is lost or replaced."""
    fields = json.loads(named(name).json())

    assert fields["nodes"][0]["name"] == name
    assert fields["notes"] == [name]
