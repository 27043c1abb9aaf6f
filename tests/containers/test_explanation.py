"""The text of an explanation: what its fields say, and nothing else."""

from __future__ import annotations

import pytest

from oneiric.containers.explanation import NOBODY, Candidate, Counterfactual, Explanation, Input
from oneiric.core.errors import Problem, SelectionUnknown
from oneiric.core.origins import EnvOrigin, FlagOrigin, OverrideOrigin
from oneiric.core.profiles import DEFAULT, SERVERLESS, TEST, Profile

ENV = EnvOrigin("ONEIRIC_SELECT__CACHE")
WINNER = Candidate("env", "winner", value="redis", origin=ENV)
LOSER = Candidate("code", "ineligible", "lower-priority", "memory", detail="priority 0 < 100")


def explained(**fields: object) -> Explanation:
    """Return the explanation of a slot that the environment filled, with some fields changed."""
    given: dict[str, object] = {
        "kind": "slot",
        "name": "cache",
        "profile": "default",
        "order": DEFAULT.order,
        "winner": WINNER,
        "candidates": (Candidate("explicit", "absent", "absent"), WINNER, LOSER),
    }
    return Explanation(**{**given, **fields})  # type: ignore[arg-type]  # a table of cases


def test_the_text_shows_every_part_in_its_place() -> None:
    """Winner and class, the order, the layers high to low, the settings, the neighbours, and what else could be."""
    port = Candidate("env", "winner", value=6380, origin=EnvOrigin("ONEIRIC_CACHE__REDIS__PORT"))
    default = Candidate("code", "shadowed", "lower-layer", 6379, origin=OverrideOrigin("shop:7"))
    password = Candidate("env", "winner", redacted=True, fp="5e1a", origin=EnvOrigin("ONEIRIC_CACHE__REDIS__PASSWORD"))
    value = {"kind": "value", "profile": "default", "order": DEFAULT.order}
    explanation = explained(
        at="shop.cache:RedisCache",
        scope="app",
        state="ready",
        generation=3,
        settings=(
            Explanation(name="cache.redis.password", winner=password, candidates=(password,), **value),  # type: ignore[arg-type]
            Explanation(name="cache.redis.port", winner=port, candidates=(port, default), **value),  # type: ignore[arg-type]
        ),
        needs=(Input("clock", "system", "code"), Input("secrets", None, None)),
        used_by=("orders:checkout(cache)", "slot sessions"),
        counterfactuals=(
            Counterfactual({"without": "env"}, {"layer": "code", "value": "memory"}),
            Counterfactual({"profile": "test"}, {"error": "no-candidate"}),
        ),
    )

    assert str(explanation).splitlines() == [
        "slot cache -> redis             shop.cache:RedisCache   app, ready, generation 3",
        "order  code < profile < secrets < manifest < env < explicit             (profile default)",
        "  explicit  -",
        "* env       redis                   ONEIRIC_SELECT__CACHE",
        "  code      memory  lower-priority  (priority 0 < 100)",
        "settings of redis",
        "  password  ****** fp:5e1a  env  ONEIRIC_CACHE__REDIS__PASSWORD",
        "  port      6380            env  ONEIRIC_CACHE__REDIS__PORT      shadows code override at shop:7",
        "needs     clock -> system (code)    secrets -> nobody",
        "used by   orders:checkout(cache), slot sessions",
        "if        unset ONEIRIC_SELECT__CACHE -> memory (code)",
        "          --profile test              -> start fails (no-candidate)",
    ]


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        pytest.param(DEFAULT, "(profile default)", id="the order of the base"),
        pytest.param(SERVERLESS, "(profile serverless: secrets above env)", id="a layer moved up"),
        pytest.param(TEST, "(profile test: secrets and env silent)", id="layers are silent"),
    ],
)
def test_the_second_line_says_how_the_order_differs(profile: Profile, said: str) -> None:
    """Whoever reads it sees the one move of the profile."""
    text = explained(profile=profile.name, order=profile.order).text()

    assert text.splitlines()[1] == f"order  {' < '.join(profile.order):<64} {said}"


@pytest.mark.parametrize(
    ("candidate", "line"),
    [
        pytest.param(
            Candidate("env", "absent", "empty-ignored", origin=ENV),
            "  env  -  empty-ignored  ONEIRIC_SELECT__CACHE",
            id="empty variable",
        ),
        pytest.param(
            Candidate("env", "unset", None, "@unset", origin=ENV),
            "  env  @unset  unset  ONEIRIC_SELECT__CACHE",
            id="unset",
        ),
        pytest.param(
            Candidate("explicit", "shadowed", "lower-layer", "redis", origin=FlagOrigin("--select cache=redis")),
            "  explicit  redis  lower-layer  --select cache=redis",
            id="loser with a flag",
        ),
        pytest.param(Candidate("secrets", "absent", "absent"), "  secrets  -", id="silent layer"),
    ],
)
def test_a_candidate_is_one_line(candidate: Candidate, line: str) -> None:
    """Mark, layer, value, reason and origin."""
    text = explained(candidates=(candidate,), winner=None).text()

    assert text.splitlines()[2] == line


def test_a_refused_choice_ends_with_its_block() -> None:
    """The block says what lower layers would have given, where they were asked."""
    error = SelectionUnknown("cache", "reddis", known=["redis"], origin=ENV).problem
    refused = Candidate("env", "ineligible", None, "reddis", origin=ENV)
    lower = Counterfactual({"without": "env"}, {"layer": "code", "value": "memory"})

    explanation = explained(winner=None, candidates=(refused, LOSER), error=error, counterfactuals=(lower,))

    assert explanation.instead == "memory (code)"
    assert explanation.text().splitlines()[0].startswith(f"slot cache -> {NOBODY}")
    assert "  lower layers would give: memory (code); not used, a named choice never falls through" in str(explanation)


def test_faults_of_settings_are_faults_of_the_slot() -> None:
    """An adapter whose setting does not fit cannot be used, and the text ends with the reason."""
    fault = Problem("invalid-value", "cache.redis.port: too large")
    setting = Explanation("value", "cache.redis.port", "default", DEFAULT.order, None, (), error=fault)

    explanation = explained(settings=(setting,))

    assert explanation.faults == (fault,)
    assert explanation.text().splitlines()[-1] == "error[invalid-value] cache.redis.port: too large"


def test_no_name_can_write_into_the_terminal() -> None:
    """Control characters of a value are replaced, and a line break starts no line."""
    evil = Candidate("env", "winner", value="\x1b[31mred\nis", origin=ENV)

    text = explained(winner=evil, candidates=(evil,)).text()

    assert "\x1b" not in text
    assert text.splitlines()[0].startswith("slot cache -> ?[31mred?is")


def test_text_only_facts_are_no_part_of_the_schema() -> None:
    """Class, scope and state stand in the text; the fields of schema 1 stay as they are."""
    assert not {"at", "scope", "state"} & explained(at="x:Y", scope="app", state="ready").fields().keys()
    assert explained(state="ready") == explained(state="not started")
