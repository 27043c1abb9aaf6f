"""`oneiric_graph`: the graph of the application under test, held against a golden beside the tests."""

from __future__ import annotations

import pytest

from tests.testing.project import run

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MATCHING = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_graph(oneiric_graph, n):
    oneiric_graph.match("shop")
"""

OVERRIDDEN = """
def test_graph(oneiric_graph, oneiric_override):
    oneiric_override({"cache": "memory"})
    oneiric_graph.match("shop")
"""


def test_a_golden_is_written_on_demand_and_compared_otherwise(project: pytest.Pytester) -> None:
    """Without a golden the test fails and says how to write it; written by two workers, it is right for one."""
    missing = run(project, MATCHING)
    written = run(project, MATCHING, "--oneiric-update", "-n", "2")
    golden = project.path / "goldens" / "shop.json"
    before = golden.read_bytes()
    compared = run(project, MATCHING)

    missing.assert_outcomes(failed=3)
    missing.stdout.fnmatch_lines(
        ["there is no golden goldens/shop.json", "fix: pytest --oneiric-update writes it"], consecutive=True
    )
    written.assert_outcomes(passed=3)
    compared.assert_outcomes(passed=3)
    assert golden.read_bytes() == before
    assert [path.name for path in golden.parent.iterdir()] == ["shop.json"]
    assert b'"name": "stock"' in before


def test_a_graph_that_changed_fails_with_the_difference(project: pytest.Pytester) -> None:
    """The lines that differ are shown; with the option the golden is written anew."""
    run(project, MATCHING, "--oneiric-update").assert_outcomes(passed=3)

    differs = run(project, OVERRIDDEN)
    run(project, OVERRIDDEN, "--oneiric-update").assert_outcomes(passed=1)

    differs.assert_outcomes(failed=1)
    differs.stdout.fnmatch_lines(
        [
            "the graph differs from goldens/shop.json",
            '-      "layer": "code",',
            '+      "layer": "explicit",',
            "fix: pytest --oneiric-update writes it anew",
        ]
    )
    run(project, OVERRIDDEN).assert_outcomes(passed=1)


def test_a_name_that_leads_elsewhere_is_refused(project: pytest.Pytester) -> None:
    """A golden lies beside its test, and nowhere else."""
    result = run(project, "def test_graph(oneiric_graph):\n    oneiric_graph.match('../shop')\n", "--oneiric-update")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'../shop' is no name of a golden*"])
