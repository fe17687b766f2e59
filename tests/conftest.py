"""What tests share: one browser a worker, and one Python without the book."""

import os
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

# Before they are imported: so that a failed `assert` in them tells its values.
pytest.register_assert_rewrite(
    "tests.access_checks", "tests.figure_checks", "tests.layout_checks"
)

from tests.engines import Chromium, Engine, Firefox, WebKit
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


@pytest.fixture
def chromium(browser) -> Iterator[Engine]:
    """Chromium, as a journey drives it."""
    engine = Chromium(browser)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def firefox() -> Iterator[Engine]:
    """Firefox, as a journey drives it."""
    engine = Firefox()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def webkit() -> Iterator[Engine]:
    """WebKit, as a journey drives it."""
    engine = WebKit()
    yield engine
    engine.close()


OTHERS = pytest.mark.long("the figures in Firefox and, where it is, WebKit")


@pytest.fixture(
    params=[
        "chromium",
        pytest.param("firefox", marks=OTHERS),
        pytest.param("webkit", marks=OTHERS),
    ]
)
def engine(request) -> Engine:
    """Each of the three browsers, for a journey that runs in all."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def python(tmp_path_factory) -> Path:
    """An environment with all that this one has, except d2l.

    The packages are linked into a folder beside the environment. So pip finds
    them, as it finds Colab's, but can neither change nor remove them.
    """
    folder = tmp_path_factory.mktemp("environment")
    packages = folder / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("d2l", "pip", "__")):
            (packages / entry.name).symlink_to(entry)
    venv.create(folder / "env", with_pip=True)
    site = next((folder / "env/lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n", "utf-8")
    return folder / "env/bin/python"
