"""A real browser without a window, for pages that a person opens: Chromium, driven through its own driver."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.support.installed import installed

LIMIT_S = 100
# Nothing but the page under test may speak, and a container has neither a display nor its own sandbox.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
)


@contextmanager
def opened(profile: Path) -> Iterator[Chrome]:
    """
    Run a browser while the block lasts.

    Args:
        profile: An empty folder for what the browser remembers.

    Where there is no browser, the test is skipped with the reason; in CI it fails.
    """
    browser = installed("chromium", "chromium", "chromium-browser", "google-chrome")
    driver = installed("chromium-driver", "chromedriver")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With the driver's path Selenium looks for none; it is told all the same to download and to report nothing.
    environment = {**os.environ, "SE_AVOID_STATS": "true", "SE_OFFLINE": "true", "HOME": str(profile)}
    chrome = Chrome(options=options, service=ChromeService(driver, env=environment))
    chrome.set_page_load_timeout(LIMIT_S)
    chrome.set_script_timeout(LIMIT_S)
    try:
        chrome.get("about:blank")  # the browser's own first page asks for this and that
        requested(chrome)
        yield chrome
    finally:
        chrome.quit()


def complaints(chrome: Chrome) -> list[str]:
    """Return what the page wrote to the console since the last call, errors of the browser among it."""
    return [str(entry["message"]) for entry in chrome.get_log("browser")]


def requested(chrome: Chrome) -> list[str]:
    """Return the address of everything that was asked for since the last call, sorted."""
    messages = (json.loads(entry["message"])["message"] for entry in chrome.get_log("performance"))
    sent = (one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent")
    return sorted(set(sent))
