"""What a page costs a reader with a phone: python tools/measure_pages.py

Prints one line a page, for a window 390 pixels wide, in dark mode, on a slow
4G network (1.6 Mbit/s, 560 ms there and back) with a processor four times
slower than this one. `--fast` leaves network and processor as they are; then
bytes and nodes are right, and seconds say nothing.
"""

import argparse
import functools
import gzip
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PACKED = {".html", ".css", ".js", ".svg", ".json"}

# What Chromium's own tools call "Slow 4G", in bytes a second.
SLOW_4G = {
    "offline": False,
    "latency": 562.5,
    "downloadThroughput": 1.6 * 1024**2 / 8 * 0.9,
    "uploadThroughput": 750 * 1024 / 8 * 0.9,
}

# Looks at the page in every frame; what it notes are seconds since the start.
WATCH = """
window.noted = { text: null, formulas: 0, dark: null, blocked: 0 };
const FORMULAS = ".math :is(mjx-container, .katex, math)";
let formulas = 0;
function look() {
    const now = performance.now() / 1000;
    const count = document.querySelectorAll(FORMULAS).length;
    if (count > formulas) window.noted.formulas = now;
    formulas = count;
    if (document.querySelector("footer")) window.noted.text ??= now;
    if (document.querySelector("article")) {
        const [red, , , alpha = 1] = getComputedStyle(document.body)
            .backgroundColor.match(/[\\d.]+/g);
        if (red > 80 || alpha < 1) window.noted.dark = null;
        else window.noted.dark ??= now;
    }
    requestAnimationFrame(look);
}
look();
new PerformanceObserver((list) => {
    for (const task of list.getEntries())
        window.noted.blocked += (task.duration - 50) / 1000;
}).observe({ type: "longtask", buffered: true });
"""

# Tables and the numbers of charts are counted by nobody: they are content.
READ = """() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return {
        ...window.noted,
        paint: paint.startTime / 1000,
        nodes: document.querySelectorAll(
            "*:not(:is(table, .chart-data) *)").length,
    };
}"""

SCROLL = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 800) {
        window.scrollTo(0, y);
        await new Promise(requestAnimationFrame);
    }
}"""


class PackingHandler(SimpleHTTPRequestHandler):
    """Serves text packed by gzip, as every host of pages does."""

    def do_GET(self) -> None:  # noqa: N802 (the library's name)
        path = Path(self.translate_path(self.path))
        if path.suffix not in PACKED or not path.is_file():
            return super().do_GET()
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        """Say nothing for each file."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder, packed, on a free local port; yields its address."""
    handler = functools.partial(PackingHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def measure(
    browser: Browser, url: str, *, slow: bool = True, scroll: bool = True
) -> dict[str, float]:
    """Open a page as a first visit and return what that cost.

    Args:
        browser: Playwright's Chromium.
        url: Address of the page.
        slow: On slow 4G with a processor four times slower.
        scroll: Also scroll to the end, for `all_kb`.

    Returns:
        `requests` and `kb` (1000 bytes, packed) until the page is complete;
        seconds until the `paint` of the first text, until the text is there
        to its end (`text`), until the last formula is typeset (`formulas`)
        and until the page is `dark`; seconds in which the page was `blocked`
        for longer than 50 ms; `nodes` outside of tables; `all_kb` with what
        comes when the reader scrolls to the end.
    """
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    context.set_default_timeout(300_000)
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    sizes = []
    tools.on(
        "Network.loadingFinished",
        # An address that begins with data: is asked of nobody.
        lambda event: (
            sizes.append(event["encodedDataLength"])
            if event["encodedDataLength"]
            else None
        ),
    )
    if slow:
        tools.send("Network.emulateNetworkConditions", SLOW_4G)
        tools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    page.goto(url, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => {})")
    page.wait_for_timeout(3000 if slow else 500)
    cost = page.evaluate(READ)
    cost |= {"requests": len(sizes), "kb": sum(sizes) / 1000}
    if scroll:
        tools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        tools.send(
            "Network.emulateNetworkConditions",
            SLOW_4G
            | {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        page.evaluate(SCROLL)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        cost["all_kb"] = sum(sizes) / 1000
    context.close()
    return cost


COLUMNS = {
    "requests": ".0f",
    "kb": ".0f",
    "all_kb": ".0f",
    "nodes": ".0f",
    "paint": ".1f",
    "dark": ".1f",
    "text": ".1f",
    "formulas": ".1f",
    "blocked": ".1f",
}


def main() -> None:
    """Measure the book's pages, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="default: all of _toc.yml")
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html")
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    every = [toc["root"], *(entry["file"] for entry in toc["chapters"])]
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Neither chromium nor google-chrome is here; install one.")
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    print(f"{'':12}", *(f"{name:>8}" for name in COLUMNS))
    with sync_playwright() as playwright, served(options.site) as address:
        browser = playwright.chromium.launch(executable_path=program)
        for page in options.pages or every:
            cost = measure(
                browser, f"{address}/{page}.html", slow=not options.fast
            )
            cells = [
                "-" if cost[name] is None else format(cost[name], form)
                for name, form in COLUMNS.items()
            ]
            print(
                f"{page.split('/')[-1][:12]:12}",
                *(f"{cell:>8}" for cell in cells),
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
