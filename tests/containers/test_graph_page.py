"""The graph as a page, opened from a file in a real browser: what a person finds, clicks and types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from oneiric.containers.graph import Graph, draw
from oneiric.containers.graph_diff import against
from oneiric.containers.graph_page import as_html
from tests.support.browser import complaints, opened, requested
from tests.support.command import ROOT, run_process
from tests.support.graphs import large, nasty, shop

ARTEFACTS = ROOT / "build" / "test-artefacts"
SHOWN = "<img src=x onerror=\"document.title='gone'\"></script>'??[31m??&amp;`%%{init}%%\\"
# Pairs of boxes that cover each other, and wires that run through a node which is neither of their ends.
CROSSED = """
    const boxes = [...document.querySelectorAll(".node:not([hidden]), .loser:not([hidden])")].map((one) =>
      [one.offsetLeft, one.offsetTop, one.offsetLeft + one.offsetWidth, one.offsetTop + one.offsetHeight]);
    const covers = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
    const pairs = boxes.flatMap((one, n) => boxes.slice(n + 1).filter((other) => covers(one, other)));
    const through = [...document.querySelectorAll("#paths path")].filter((path) => {
      const length = path.getTotalLength();
      return [...Array(99).keys()].map((n) => path.getPointAtLength((length * (n + 0.8)) / 100)).some(({ x, y }) =>
        boxes.some((box) => x > box[0] + 3 && x < box[2] - 3 && y > box[1] && y < box[3]));
    });
    return [boxes.length, pairs.length, through.length];
"""
Opener = Callable[[Graph], Chrome]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all pages of this file."""
    with opened(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


@pytest.fixture
def show(browser: Chrome, tmp_path: Path) -> Iterator[Opener]:
    """Open the page of a graph; whatever is done with it, it asks for nothing but itself and complains of nothing."""
    numbers, wanted = count(), []

    def show(graph: Graph) -> Chrome:
        page = tmp_path / f"{next(numbers)}.html"
        page.write_text(as_html(graph), "ascii")
        wanted.append(page.as_uri())
        browser.get(page.as_uri())
        return browser

    yield show
    assert (complaints(browser), requested(browser)) == ([], sorted(wanted))
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def names(chrome: Chrome) -> set[str]:
    """Return the names of the nodes that are shown."""
    titles = (
        "[...document.querySelectorAll('.node')].filter((one) => one.checkVisibility()).map((one) => one.children[0])"
    )
    return set(chrome.execute_script(f"return {titles}.map((title) => title.textContent)"))


def node(chrome: Chrome, name: str) -> WebElement:
    """Return the first node of that name."""
    found = "[...document.querySelectorAll('.node')].find((one) => one.children[0].textContent === arguments[0])"
    element: WebElement = chrome.execute_script(f"return {found}", name)
    return element


def type_in(chrome: Chrome, text: str) -> None:
    """Type into the search."""
    chrome.find_element(By.ID, "query").send_keys(text)


def stack(chrome: Chrome) -> list[tuple[str, ...]]:
    """Return the rows of the chosen node's stack: the layer where a new one begins, then each line."""
    rows = chrome.find_elements(By.CSS_SELECTOR, "#panel table[aria-label] tr")
    return [
        tuple(part for cell in row.find_elements(By.TAG_NAME, "td") for part in cell.text.split("\n")) for row in rows
    ]


def active(chrome: Chrome) -> str:
    """Return the id or the name of what has the keyboard."""
    element = chrome.switch_to.active_element
    return element.get_attribute("id") or element.text.split("\n")[0]


def press(chrome: Chrome, *keys: str) -> None:
    """Press keys where the focus is."""
    for key in keys:
        chrome.switch_to.active_element.send_keys(key)


def style(element: WebElement, name: str) -> str:
    """Return a computed style."""
    return str(element.value_of_css_property(name))


def test_the_page_shows_every_node_and_is_kept_as_a_picture(show: Opener) -> None:
    """`build/test-artefacts/graph.png` is for eyes."""
    chrome = show(draw(shop()))

    node(chrome, "cache").click()
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    is_kept = chrome.save_screenshot(str(ARTEFACTS / "graph.png"))

    assert is_kept
    assert chrome.title == "shop: graph"
    assert chrome.find_element(By.ID, "profile").text == "profile quiet"
    assert names(chrome) == {
        *("book", "reserve", "report", "till", "basket", "prices"),
        *("cache", "cache.sessions", "cache.flags", "cache.idle"),
    }


def test_the_command_writes_a_page_that_opens(browser: Chrome, tmp_path: Path) -> None:
    """Standard output is the file: the example's graph, with nothing asked for and nothing complained of."""
    done = run_process("graph", "--format", "html", "--app", "examples.orders.app:app", folder=ROOT)
    page = tmp_path / "orders.html"
    page.write_text(done.out, "ascii")

    browser.get(page.as_uri())

    assert (done.code, done.err) == (0, "")
    assert {"take_order", "pricing", "cache", "cache.sessions", "database"} <= names(browser)
    assert (complaints(browser), requested(browser)) == ([], [page.as_uri()])


def test_the_policy_of_the_page_forbids_it_to_ask_for_anything(browser: Chrome, tmp_path: Path) -> None:
    """Not only does it not ask: it could not."""
    page = tmp_path / "page.html"
    page.write_text(as_html(draw(shop())), "ascii")
    browser.get(page.as_uri())

    answer = browser.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        "fetch('http://127.0.0.1:9/').catch(() => {});"
    )

    assert answer == "connect-src"
    assert len(complaints(browser)) >= 1
    assert requested(browser) == [page.as_uri()]


@pytest.mark.parametrize(
    ("words", "found", "told"),
    [
        pytest.param("pri", {"prices"}, "1 of 10", id="part of a name"),
        pytest.param(
            "CACHE. disk", {"cache.flags", "cache.idle", "cache.sessions"}, "3 of 10", id="all words, any case"
        ),
        pytest.param(
            "memo", {"cache", "cache.flags", "cache.idle", "cache.sessions"}, "4 of 10", id="alias and winner"
        ),
        pytest.param("secrets-cannot-select", {"cache"}, "1 of 10", id="reason of a loser"),
        pytest.param("layer:manifest", {"cache", "cache.flags"}, "2 of 10", id="layer"),
        pytest.param("scope-leak", {"till"}, "1 of 10", id="problem"),
        pytest.param("<b>", set(), "nothing matches", id="nothing"),
    ],
)
def test_a_search_narrows_the_graph(show: Opener, words: str, found: set[str], told: str) -> None:
    """To the nodes that all its words match; the number of them is told."""
    chrome = show(draw(shop()))

    type_in(chrome, words)

    assert (names(chrome), chrome.find_element(By.ID, "count").text) == (found, told)


def test_what_was_found_is_marked_and_escape_shows_all_again(show: Opener) -> None:
    """A person sees why a node is there."""
    chrome = show(draw(shop()))

    type_in(chrome, "ice")

    assert [mark.text for mark in chrome.find_elements(By.CSS_SELECTOR, ".node:not([hidden]) mark")] == ["ice"]
    press(chrome, Keys.ESCAPE)
    assert chrome.find_element(By.ID, "count").text == "10 nodes"


def test_a_click_shows_the_stack_of_a_slot(show: Opener) -> None:
    """The winner, who lost and why, where each was said, and what it shares its life with; layers high to low."""
    chrome = show(draw(shop()))

    node(chrome, "cache").click()

    panel = chrome.find_element(By.ID, "panel").text.split("\n")
    assert panel[:4] == ["slot cache", "disk", "decided by manifest · scope app · not built", "alias memo"]
    told = [row[:3] for row in stack(chrome)]
    assert told == [
        ("explicit", "says nothing"),
        ("manifest", "disk", told[1][2]),
        ("secrets", "disk secrets-cannot-select", "a secret store chooses no adapter"),
        ("profile", "memory lower-layer", "a higher layer decides"),
        ("code", "memory lower-priority", "ranked lower, or another was named · priority 10"),
        ("", "null missing-capability", "the slot asks for more · lacks ttl"),
        ("", "slow denied-by-profile", "on the deny list, or not for this profile · priority 0"),
        ("", "valkey not-installed", "its extra is not installed · pip install 'oneiric[valkey]'"),
        ("env", "null layer-disabled", "the layer is silent in this profile"),
    ]
    origins = {row[0]: row[-1] for row in stack(chrome) if row[0]}
    assert (origins["profile"], origins["env"]) == ("oneiric.toml select.cache", "ONEIRIC_SELECT__CACHE")
    assert origins["manifest"].startswith("override at tests.support.graphs:")


def test_the_panel_leads_to_what_a_node_needs_and_who_uses_it(show: Opener) -> None:
    """Each neighbour, with the parameters that ask for it, is one click away."""
    chrome = show(draw(shop()))
    node(chrome, "prices").click()
    panel = chrome.find_element(By.ID, "panel")

    near = [item.text.split("\n") for item in panel.find_elements(By.TAG_NAME, "li")]
    panel.find_element(By.CSS_SELECTOR, "[title='slot basket']").click()

    assert near == [
        ["cache", "cache"],
        ["cache.sessions", "sessions"],
        ["handler reserve", "prices"],
        ["basket", "prices"],
    ]
    assert panel.find_element(By.TAG_NAME, "h2").text == "slot basket"
    assert node(chrome, "basket").get_attribute("aria-pressed") == "true"
    assert chrome.current_url.endswith("#slot%20basket")


def test_a_choice_lights_the_ways_through_it(show: Opener) -> None:
    """Who uses it and what it needs, over all steps."""
    chrome = show(draw(shop()))

    node(chrome, "basket").click()

    lit = {one.text.split("\n")[0] for one in chrome.find_elements(By.CSS_SELECTOR, ".node.on")}
    assert lit == {"reserve", "till", "basket", "prices", "cache", "cache.sessions"}


def test_every_text_stays_text(show: Opener) -> None:
    """Markup, quotes, line ends and terminal codes in names make no element, run nothing and write no title."""
    chrome = show(nasty())

    node(chrome, SHOWN).click()
    type_in(chrome, "<img")

    assert chrome.title == f"{SHOWN}: graph"
    assert chrome.find_elements(By.CSS_SELECTOR, "img, iframe, a, object, embed") == []
    assert len(chrome.find_elements(By.TAG_NAME, "script")) == 2
    assert chrome.find_element(By.TAG_NAME, "h1").text == SHOWN
    assert {
        one.find_element(By.TAG_NAME, "b").get_attribute("textContent")
        for one in chrome.find_elements(By.CSS_SELECTOR, ".node")
    } == {SHOWN}
    shadowed = chrome.find_element(By.CSS_SELECTOR, ".loser")
    assert shadowed.get_attribute("textContent") == f"{SHOWN} [profile] lower-layer"


def test_layers_have_their_colours_and_losers_are_dashed(show: Opener) -> None:
    """As the legend says, which shows all layers from low to high, the silent ones crossed out."""
    chrome = show(draw(shop()))

    legend = chrome.find_elements(By.CSS_SELECTOR, "#legend .layer")

    assert [one.text for one in legend] == ["code", "profile", "secrets", "manifest", "explicit", "env"]
    assert [one.text for one in legend if not one.is_enabled()] == ["env"]
    for name, chip in (("cache", legend[3]), ("prices", legend[4]), ("basket", legend[0])):
        assert style(node(chrome, name), "background-color") == style(chip, "background-color")
    dashed = {style(one, "border-top-style") for one in chrome.find_elements(By.CSS_SELECTOR, ".loser")}
    assert dashed == {"dashed"}
    legend[3].click()
    assert names(chrome) == {"cache", "cache.flags"}


@pytest.mark.parametrize(
    ("view", "found"),
    [
        pytest.param(
            "problems", {"book", "reserve", "report", "till", "cache.flags"}, id="problems and the ways there"
        ),
        pytest.param("differs", {"reserve", "till", "basket", "prices", "cache"}, id="what differs under a profile"),
    ],
)
def test_a_view_leaves_only_what_it_is_about(show: Opener, view: str, found: set[str]) -> None:
    """The faults, or what another profile decides otherwise, and who would notice."""
    container = shop()
    chrome = show(against(draw(container), container, "default"))

    chrome.find_element(By.ID, f"view-{view}").click()

    assert names(chrome) == found


def test_losers_can_be_put_away(show: Opener) -> None:
    """Their button says how many there are, and whether they are shown."""
    chrome = show(draw(shop()))
    button = chrome.find_element(By.ID, "view-losers")

    before = (button.text, button.get_attribute("aria-pressed"))
    button.click()

    assert before == ("shadowed 5", "true")
    assert button.get_attribute("aria-pressed") == "false"
    assert [one for one in chrome.find_elements(By.CSS_SELECTOR, ".loser") if one.is_displayed()] == []


def test_the_keyboard_reaches_everything(show: Opener) -> None:
    """A slash searches, Enter takes the first that was found, arrows walk, Escape leaves all as it was."""
    chrome = show(draw(shop()))

    press(chrome, "/")
    searching = active(chrome)
    press(chrome, "bask", Keys.ENTER)
    taken = (active(chrome), chrome.find_element(By.CSS_SELECTOR, "#panel h2").text)
    press(chrome, Keys.ARROW_RIGHT)
    walked = active(chrome)
    press(chrome, Keys.ENTER)
    opened_next = chrome.find_element(By.CSS_SELECTOR, "#panel h2").text
    press(chrome, Keys.ESCAPE)

    assert (searching, taken) == ("query", ("basket", "slot basket"))
    assert (walked, opened_next) == ("prices", "slot prices")
    assert chrome.find_element(By.CSS_SELECTOR, "#panel h2").text == "shop"
    assert chrome.find_element(By.ID, "query").get_attribute("value") == ""


def test_the_nodes_are_one_stop_of_the_tab_key(show: Opener) -> None:
    """A thousand nodes must not stand between the search and the panel; each says aloud what it is."""
    chrome = show(draw(shop()))

    stops = [one for one in chrome.find_elements(By.CSS_SELECTOR, ".node") if one.get_attribute("tabindex") == "0"]

    assert len(stops) == 1
    assert node(chrome, "cache").accessible_name == "slot cache, filled by disk, layer manifest, 3 shadowed"


def test_the_address_of_a_choice_opens_with_it(show: Opener) -> None:
    """A link can be sent around."""
    chrome = show(draw(shop()))

    node(chrome, "till").click()
    chrome.refresh()

    assert chrome.find_element(By.CSS_SELECTOR, "#panel h2").text == "slot till"


def test_an_empty_graph_says_why(show: Opener) -> None:
    """Its note stands where a choice would."""
    chrome = show(Graph("void", "default", ("code",), (), (), notes=("nothing is declared",)))

    assert "nothing is declared" in chrome.find_element(By.ID, "panel").text


@pytest.mark.parametrize(
    ("graph", "boxes"),
    [
        pytest.param(draw(shop()), 15, id="shop"),
        pytest.param(draw(shop())._replace(shadowed=True), 32, id="shop with all losers"),
        pytest.param(large(40), 46, id="40 nodes"),
        pytest.param(large(1_000), 1_129, id="1,000 nodes"),
    ],
)
def test_nothing_covers_anything(show: Opener, graph: Graph, boxes: int) -> None:
    """No node or loser lies on another, and no wire runs behind a node that it does not belong to."""
    chrome = show(graph)

    chrome.execute_script("document.getElementById('canvas').style.zoom = 1")

    assert chrome.execute_script(CROSSED) == [boxes, 0, 0]


@pytest.mark.parametrize(
    ("scheme", "ground"),
    [
        pytest.param("light", "rgba(246, 248, 250, 1)", id="light"),
        pytest.param("dark", "rgba(13, 17, 23, 1)", id="dark"),
    ],
)
def test_the_page_follows_the_scheme_of_the_reader(show: Opener, scheme: str, ground: str) -> None:
    """Dark or light; text on the fill of a layer is dark in both."""
    chrome = show(draw(shop()))
    wanted: dict[str, Any] = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}  # as the protocol has it

    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    seen = (style(chrome.find_element(By.TAG_NAME, "body"), "background-color"), style(node(chrome, "cache"), "color"))
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    assert seen == (ground, "rgba(27, 31, 36, 1)")


def test_the_page_is_plain_ascii_and_equal_for_equal_graphs() -> None:
    """No terminal, mail or file can change a character of it."""
    first, second = as_html(draw(shop())), as_html(draw(shop()))

    assert first == second
    assert first.isascii()
    assert json.loads(first.split('id="record">')[1].split("</script>")[0])["app"] == "shop"
