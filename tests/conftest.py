"""What the tests of pages and of figures share: one browser a worker."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.figure_checks import find_program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the system's own: chromium on Debian, else Chrome."""
    program = os.environ.get("CHROMIUM") or find_program(
        "chromium", "chromium-browser", "google-chrome", "chrome"
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program)
        yield chromium
        chromium.close()
