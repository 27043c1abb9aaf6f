"""Named parameters are found where they are, and nowhere else."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.adapters.database.common import Statement
from oneiric.core.errors import InvalidInput

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
INNER = st.text(alphabet=":ab'\"`-*/ \n$[]\\", max_size=12)
QUIET = st.one_of(
    INNER.map(lambda text: "'" + text.replace("'", "''") + "'"),
    INNER.map(lambda text: '"' + text.replace('"', '""') + '"'),
    INNER.map(lambda text: "`" + text.replace("`", "``") + "`"),
    INNER.map(lambda text: "--" + text.replace("\n", "") + "\n"),
    INNER.map(lambda text: "/*" + text.replace("*/", "") + " */"),
    INNER.map(lambda text: "$q$" + text.replace("$", "") + "$q$"),
    st.sampled_from(["::text", "::", "a::int", "12:30", "x:y", ":1", ": a", "SELECT", "(", ",", "=", "1"]),
)
PIECES = st.lists(st.one_of(QUIET, NAMES.map(lambda name: (name,))), max_size=12)


@given(PIECES)
def test_parameters_are_exactly_those_outside_of_quotes_comments_and_casts(pieces: list[Any]) -> None:
    """Whatever stands in strings, quoted names, comments, casts and times of day is left as it is."""
    sql = " ".join(piece if isinstance(piece, str) else f":{piece[0]}" for piece in pieces)

    statement = Statement.parse(sql)

    assert list(statement.names) == [piece[0] for piece in pieces if not isinstance(piece, str)]
    rebuilt = statement.texts[0] + "".join(
        f":{name}{text}" for name, text in zip(statement.names, statement.texts[1:], strict=True)
    )
    assert rebuilt == sql


@given(st.text(alphabet=":ab'\"`-*/ \n$[]\\e1", max_size=40), st.booleans())
def test_any_text_is_cut_without_loss(sql: str, brackets: bool) -> None:
    """However broken the SQL is, nothing is lost and nothing fails: the database says what is wrong."""
    statement = Statement.parse(sql, brackets=brackets)

    assert len(statement.texts) == len(statement.names) + 1
    assert sum(map(len, statement.texts)) + sum(len(name) + 1 for name in statement.names) == len(sql)


@given(st.lists(st.tuples(INNER, st.sampled_from(["string", "name", "bracket", "line", "block"])), max_size=5))
def test_sqlite_reads_the_sql_as_we_do(parts: list[tuple[str, str]]) -> None:
    """SQLite's own tokenizer finds the parameters that we found."""
    sql, strings = "SELECT :a AS a", []
    for number, (text, kind) in enumerate(parts):
        if kind == "string":
            strings.append(text)
            sql += ", '" + text.replace("'", "''") + f"' AS s{number}"
        elif kind == "name":
            sql += f', :b AS "q{number}' + text.replace('"', '""') + '"'
        elif kind == "bracket":
            sql += f", :b AS [q{number}" + text.replace("]", "") + "]"
        elif kind == "line":
            sql += " --" + text.replace("\n", " ") + "\n"
        else:
            sql += " /*" + text.replace("*/", " ") + " */ "
    statement = Statement.parse(sql, brackets=True)
    values = statement.values({"a": "va", "b": "vb"}, name="sqlite", operation="fetch_one")
    connection = sqlite3.connect(":memory:")

    row = connection.execute(statement.numbered("?"), {str(n): value for n, value in enumerate(values, 1)}).fetchone()
    connection.close()

    assert row[0] == "va"
    assert [value for value in row[1:] if value != "vb"] == [text for text in strings if text != "vb"]


@pytest.mark.parametrize(
    ("sql", "numbered"),
    [
        pytest.param("a = :a AND b = :b OR c = :a", "a = $1 AND b = $2 OR c = $1", id="a repeated name"),
        pytest.param("SELECT :a::int, x::text", "SELECT $1::int, x::text", id="casts"),
        pytest.param("VALUES(:a,:b)", "VALUES($1,$2)", id="no blanks"),
        pytest.param("SELECT ':a', 'it''s :a', :b", "SELECT ':a', 'it''s :a', $1", id="strings"),
        pytest.param(r"SELECT E'\':a', e'\\', :b", r"SELECT E'\':a', e'\\', $1", id="strings with escapes"),
        pytest.param(r"SELECT '\', :b", r"SELECT '\', $1", id="a backslash is a letter"),
        pytest.param('SELECT ":a", `:a`, :b', 'SELECT ":a", `:a`, $1', id="quoted names"),
        pytest.param("SELECT 1 -- it's :a\n, :b", "SELECT 1 -- it's :a\n, $1", id="a line comment"),
        pytest.param("SELECT /* ' :a */ :b", "SELECT /* ' :a */ $1", id="a block comment"),
        pytest.param("SELECT $$ :a $$, $x$ $$ :a $x$, :b", "SELECT $$ :a $$, $x$ $$ :a $x$, $1", id="dollar quotes"),
        pytest.param("SELECT '12:30', t[1:2], :b", "SELECT '12:30', t[1:2], $1", id="times and slices"),
        pytest.param("SELECT t[:a]", "SELECT t[$1]", id="a subscript"),
        pytest.param("SELECT 'open :a", "SELECT 'open :a", id="a string that is not closed"),
        pytest.param("SELECT 1 /* :a", "SELECT 1 /* :a", id="a comment that is not closed"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_parameters_are_numbered(sql: str, numbered: str) -> None:
    """The text stays as it is but for the parameters."""
    assert Statement.parse(sql).numbered("$") == numbered


def test_brackets_quote_a_name_where_the_dialect_says_so() -> None:
    """SQLite's [name] holds no parameter."""
    assert Statement.parse("SELECT [:a] = :b", brackets=True).names == ("b",)


@pytest.mark.parametrize(
    ("sql", "is_control"),
    [
        pytest.param("begin immediate", True, id="begin"),
        pytest.param("START TRANSACTION", True, id="start transaction"),
        pytest.param("; /* a */ -- b\n COMMIT", True, id="behind comments"),
        pytest.param("END", True, id="end"),
        pytest.param("rollback to x", True, id="rollback"),
        pytest.param("SELECT 'BEGIN'", False, id="in a string"),
        pytest.param("SELECT CASE WHEN 1 THEN 2 END", False, id="end of a case"),
        pytest.param("beginning", False, id="part of a word"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_statements_that_steer_transactions_are_known(sql: str, is_control: bool) -> None:
    """They are told by their first word."""
    assert Statement.parse(sql).is_control is is_control


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(True, "has the type bool", id="bool"),
        pytest.param(bytearray(b"secret"), "has the type bytearray", id="bytearray"),
        pytest.param(10**30, "no whole number of 64 bits", id="a huge int"),
        pytest.param(float("-inf"), "no finite number", id="infinite"),
    ],
)
def test_a_wrong_value_is_named_by_its_parameter(value: Any, why: str) -> None:
    """The error says which parameter and why, never which value."""
    with pytest.raises(InvalidInput) as caught:
        Statement.parse("SELECT :it").values({"it": value}, name="sqlite", operation="execute")

    assert f"parameter :it {why}" in caught.value.reason or f"parameter :it is {why}" in caught.value.reason
    assert "secret" not in str(caught.value)
