"""What keeps pages usable for every reader: checks, and what is known to fail.

Each check looks at an open page and returns what is wrong with it. What axe
cannot see is looked at here: whether the focus is seen, what remains of a page
in forced colours, with wide text, or at 320 pixels. tests/test_access.py
proves each check on a page that fails it; tools/accessibility.py writes from
the same list the page that tells readers.
"""

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops
from playwright.sync_api import Page

from tests.figure_checks import ROOT

AXE = (ROOT / "tests" / "vendor" / "axe.min.js").read_text("utf-8")

# Upstream's list of references has roles that axe calls deprecated.
AXE_RUN = """async () => {
    const result = await axe.run(document, {exclude: [[".citation-list"]]});
    return result.violations.flatMap((rule) => rule.nodes.map((node) =>
        `${rule.id}: ${node.html.slice(0, 120)}`));
}"""


def axe(page: Page) -> list[str]:
    """The whole page, not only its article."""
    page.evaluate(AXE)
    return page.evaluate(AXE_RUN)


FOCUSED = """() => {
    const node = document.activeElement;
    if (node === document.body) return null;
    node.scrollIntoView({ block: "nearest" });
    const { left, top, width, height } = node.getBoundingClientRect();
    const words = node.getAttribute("aria-label") ?? node.textContent;
    const place = node.closest("nav, header, aside, article")?.tagName;
    return { name: `${node.tagName} ${node.className} ${words.trim()}`,
        kind: [place, node.parentElement.className, node.tagName,
            node.className].join(),
        x: left - 8, y: top - 8, width: width + 16, height: height + 16 };
}"""
CHANGED = 40  # of 255: how much lighter or darker a pixel must become
PIXELS = 40  # so many of them, at least
STOPS = 40  # what comes later on a page is of the same kinds
ALIKE = 2  # so many stops of one kind are looked at


def unseen_focus(page: Page) -> list[str]:
    """Stops of the Tab key whose surroundings look the same without focus."""
    found, kinds = [], Counter()
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        box = page.evaluate(FOCUSED)
        if box is None:
            break
        kind = box.pop("kind")
        kinds[kind] += 1
        if kinds[kind] > ALIKE:
            continue
        name = " ".join(box.pop("name").split())[:80]
        size = page.viewport_size
        clip = {"x": max(0, box["x"]), "y": max(0, box["y"])}
        for side, start in (("width", "x"), ("height", "y")):
            clip[side] = min(box[side], size[side] - clip[start])
        if min(clip.values()) < 0:
            found.append(f"outside of the window: {name}")
            continue
        seen = page.screenshot(clip=clip, animations="disabled")
        page.evaluate("(window.was = document.activeElement).blur()")
        without = page.screenshot(clip=clip, animations="disabled")
        page.evaluate("window.was.focus()")
        pictures = (
            Image.open(io.BytesIO(picture)).convert("L")
            for picture in (seen, without)
        )
        counts = ImageChops.difference(*pictures).histogram()
        if sum(counts[CHANGED:]) < PIXELS:
            found.append(name)
    return found


# What does not fit: text that is cut, and what reaches out of the window. A
# box with a scrollbar of its own is all right where its content is two-
# dimensional: code, tables, formulas, drawings.
TOO_WIDE = """(apart) => {
    const found = [];
    const wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) found.push(`the page scrolls: ${wide} px`);
    for (const node of document.querySelectorAll("main *")) {
        const box = node.getBoundingClientRect();
        if (!box.width || node.closest(apart)) continue;
        const cut = node.scrollWidth > node.clientWidth + 1
            && node.clientWidth
            && getComputedStyle(node).overflowX !== "visible";
        if (box.right > innerWidth + 1 || cut)
            found.push(`${node.tagName} ${node.className}: `
                + node.textContent.trim().slice(0, 40));
    }
    return found;
}"""
APART = (
    "pre, .data-table, .math, .pst-scrollable-table-container, table,"
    ".bd-sidebar-secondary, .visually-hidden, .katex-mathml, svg,"
    ".text_html:has([data-mounted])"
)


def too_wide(page: Page) -> list[str]:
    """What does not fit into the width; a window of 1280 at 400 % has 320."""
    return page.evaluate(TOO_WIDE, APART)


# https://www.w3.org/TR/WCAG21/#text-spacing
SPACING = """
* {
    letter-spacing: 0.12em !important;
    line-height: 1.5 !important;
    word-spacing: 0.16em !important;
}
p { margin-bottom: 2em !important; }
"""
CUT_OFF = """(apart) => [...document.querySelectorAll("body *")]
    .filter((node) => {
        const style = getComputedStyle(node);
        return node.clientHeight && !node.closest(apart)
            && [...node.childNodes].some((child) =>
                child.nodeType === 3 && child.data.trim())
            && (style.overflowY === "hidden" || style.overflowX === "hidden")
            && (node.scrollHeight > node.clientHeight + 2
                || node.scrollWidth > node.clientWidth + 2);
    })
    .map((node) => `cut off: ${node.tagName} ${node.className}`)"""


def lost_by_spacing(page: Page) -> list[str]:
    """What is cut off when a reader spaces letters, words and lines."""
    page.add_style_tag(content=SPACING)
    return page.evaluate(CUT_OFF, APART) + too_wide(page)


INVISIBLE = """() => {
    const found = [];
    for (const icon of document.querySelectorAll("[class*='fa-']")) {
        if (!icon.checkVisibility()) continue;
        const ink = getComputedStyle(icon, "::before").backgroundColor;
        const paper = getComputedStyle(document.body).backgroundColor;
        if (ink === paper) found.push(`icon: ${icon.className}`);
    }
    for (const button of document.querySelectorAll("article button")) {
        if (!button.checkVisibility() || button.closest("[data-mounted]"))
            continue;
        if (getComputedStyle(button).borderTopStyle === "none")
            found.push(`button without a border: ${button.className}`);
    }
    for (const ring of document.querySelectorAll(".choice[open] > summary")) {
        const before = getComputedStyle(ring, "::before");
        if (before.content === '""'
            && before.backgroundColor ===
                getComputedStyle(ring).backgroundColor)
            found.push("an open answer looks like a closed one");
    }
    return found;
}"""


def invisible_when_forced(page: Page) -> list[str]:
    """Marks that vanish where the system forces its own few colours."""
    page.emulate_media(forced_colors="active")
    page.evaluate("""() => document.querySelectorAll(".choice")
        .forEach((choice) => { choice.open = true; })""")
    found = page.evaluate(INVISIBLE) + unseen_focus(page)
    page.emulate_media(forced_colors="none")
    return found


MANY = 60
STOPS_OF_PAGE = """() => [...document.querySelectorAll(
        "button, input, select, textarea, summary, [tabindex]")]
    .filter((node) => node.tabIndex >= 0 && !node.disabled
        && node.checkVisibility({ visibilityProperty: true }) && !node.closest(
            "a, .choice, .numeric, .numeric-form, .questions-progress,"
            + ".tag_solution, details:not([class]), [data-mounted]"))
    .map((node) => node.getAttribute("aria-label")
        ?? node.textContent.trim().slice(0, 40))"""


def many_stops(page: Page) -> list[str]:
    """Tab stops of a page beside links, exercises and figures."""
    stops = page.evaluate(STOPS_OF_PAGE)
    names = {name for name in stops if name.startswith("Copy")}
    found = [] if len(stops) <= MANY else [f"{len(stops)} stops"]
    if page.locator(".copybtn").count() and not names:
        found.append("copy buttons without names")
    return found


def single_keys(page: Page) -> list[str]:
    """Keys that do something although single keys are switched off."""
    page.evaluate("window.bookStore?.set('keys', { off: true })")
    look = """() => document.body.className
        + document.activeElement.tagName + scrollY"""
    before, found = page.evaluate(look), []
    for key in "abcdefghijklmnopqrstuvwxyz/?.,0123456789":
        page.keyboard.press(key)
        if page.evaluate(look) != before:
            found.append(f"{key} does something")
            break
    page.evaluate("window.bookStore?.remove('keys')")
    return found


TEXT_SIZES = """() => {
    const found = new Set();
    // What is on no screen now is most of the page.
    const walker = document.createTreeWalker(document.body,
        NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, (node) =>
            node.matches?.(".present-off") ? NodeFilter.FILTER_REJECT
            : node.data ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP);
    while (walker.nextNode()) {
        const { data, parentElement: node } = walker.currentNode;
        if (!/[^\\s\\u200b]/.test(data) || !node.checkVisibility()
            || !node.closest("article, .present-bar")
            || node.closest(".katex-mathml, .visually-hidden, [class$=-spoken]"
                + ", script, style")) continue;
        let size = parseFloat(getComputedStyle(node).fontSize);
        for (let up = node; up; up = up.parentElement)
            size *= +getComputedStyle(up).zoom || 1;
        if (node.ownerSVGElement) size = parseFloat(
            getComputedStyle(node).fontSize) * node.getScreenCTM().a;
        const least = 18 * innerWidth / 1920;
        if (size < least - 0.3)
            found.add(`${size.toFixed(1)} px: ${data.trim().slice(0, 30)}`);
    }
    const { scrollHeight, scrollWidth } = document.documentElement;
    const more = document.querySelector(".present-bar button");
    if (scrollHeight > innerHeight + 8 && (!more || more.hidden))
        found.add("goes on below the window, and does not say so");
    if (scrollWidth > innerWidth) found.add("reaches out at the side");
    return [...found];
}"""


def small_on_the_wall(page: Page) -> list[str]:
    """Text under 18 px, of 1920 x 1080, and what is cut, on any screen."""
    page.keyboard.press("p")
    place = page.locator(".present-place")
    if not place.count():
        return ["no presenter mode"]
    found = []
    for number in range(1, int(place.inner_text().split(" / ")[1]) + 1):
        while int(place.inner_text().split(" / ")[0]) < number:
            page.keyboard.press("ArrowRight")  # scrolls a long one first
        found += [
            f"screen {number}: {text}" for text in page.evaluate(TEXT_SIZES)
        ]
    page.keyboard.press("Home")
    found += axe(page)
    page.keyboard.press("Escape")
    return found


# Figures that move. Their words must not lie on each other or reach out.
CROWDED = """() => {
    const found = [];
    for (const figure of document.querySelectorAll("[data-mounted]")) {
        const edge = figure.getBoundingClientRect();
        const out = ({ left, right }) =>
            left < edge.left - 1 || right > edge.right + 1;
        const name = (node) => `${node.getAttribute("class")}: `
            + (node.ariaLabel ?? node.textContent).trim().slice(0, 40);
        for (const node of figure.querySelectorAll("button, input, select")) {
            if (!node.checkVisibility()) continue;
            if (out(node.getBoundingClientRect()))
                found.push(`reaches out: ${name(node)}`);
            if (node.type === "number"
                && node.scrollWidth > node.clientWidth)
                found.push(`cut off: ${name(node)} ${node.value}`);
        }
        const walker = document.createTreeWalker(figure, NodeFilter.SHOW_TEXT);
        const words = [];
        while (walker.nextNode()) {
            const { data, parentElement: node } = walker.currentNode;
            if (!data.trim() || !node.checkVisibility() || node.closest(
                "option, script, style, canvas")) continue;
            const style = getComputedStyle(node);
            if (style.clipPath !== "none") continue;
            const range = document.createRange();
            range.selectNodeContents(walker.currentNode);
            for (const box of range.getClientRects()) {
                if (out(box)) found.push(`reaches out: ${data.trim()}`);
                words.push({ box, data: data.trim(), node });
            }
        }
        const overlap = (a, b, start, end) =>
            Math.min(a[end], b[end]) - Math.max(a[start], b[start]);
        words.forEach((a, i) => words.slice(i + 1).forEach((b) => {
            if (a.node !== b.node
                && overlap(a.box, b.box, "left", "right") > 1
                && overlap(a.box, b.box, "top", "bottom") > 5)
                found.push(`${a.data} lies on ${b.data}`);
        }));
    }
    return [...new Set(found)];
}"""


def crowded(page: Page) -> list[str]:
    """Words of a figure that overlap, are cut off or reach out of it."""
    return page.evaluate(CROWDED)


SWITCHES = "[data-mounted] :is([aria-pressed], [aria-checked])"
FLIP = """(node) => {
    const name = node.ariaPressed === null ? "aria-checked" : "aria-pressed";
    node.setAttribute(name, node.getAttribute(name) !== "true");
}"""


def alike_when_pressed(page: Page) -> list[str]:
    """Switches and buttons of a figure whose state is not to be seen."""
    found = []
    for switch in page.locator(SWITCHES).all():
        if not switch.is_visible():
            continue
        pictures = []
        for _ in range(2):
            picture = switch.screenshot(animations="disabled")
            pictures.append(Image.open(io.BytesIO(picture)).convert("L"))
            switch.evaluate(FLIP)
        counts = ImageChops.difference(*pictures).histogram()
        if sum(counts[CHANGED:]) < PIXELS:
            found.append(" ".join(switch.text_content().split()))
    return found


# Of drawings, bars and the edges of controls; text is axe's. A mark is seen
# by its inside or by its edge.
FAINT = """() => {
    const paint = document.createElement("canvas").getContext("2d",
        { willReadFrequently: true });
    const light = (colour, ground) => {
        paint.fillStyle = ground;
        paint.fillRect(0, 0, 1, 1);
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data]
            .map((part) => part / 255).map((part) => part <= 0.04045
                ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const groundOf = (node) => {
        for (let up = node; up; up = up.parentElement) {
            const { backgroundColor } = getComputedStyle(up);
            if (!/^rgba.*, 0\\)$/.test(backgroundColor))
                return backgroundColor;
        }
        return "white";
    };
    const found = new Set();
    for (const node of document.querySelectorAll(`[data-mounted] :is(
        svg:not(:has(image)) :is(path, rect), button, input, select,
        [class$="-bar"])`)) {
        if (!node.checkVisibility() || node.ariaDisabled === "true") continue;
        const style = getComputedStyle(node);
        const isDrawn = Boolean(node.ownerSVGElement);
        const { width, height } = node.getBoundingClientRect();
        // Lines between the pixels of a row are no marks.
        if (!(width + height) || /grid/.test(node.getAttribute("class")))
            continue;
        if (!isDrawn && !/bar/.test(node.className)
            && style.borderTopStyle === "none") continue;
        const ground = groundOf(isDrawn ? node.ownerSVGElement
            : node.parentElement);
        const inks = isDrawn ? [style.fill, style.stroke]
            : [style.backgroundColor, style.borderTopColor];
        const ratios = inks.filter((ink) => ink !== "none").map((ink) => {
            const [a, b] = [light(ink, ground), light(ground, ground)];
            return Math.max(a, b) / Math.min(a, b);
        });
        const best = Math.max(1, ...ratios);
        if (best < 3) found.add(`${best.toFixed(1)}:1, `
            + `${node.tagName} ${node.getAttribute("class")}`);
    }
    return [...found];
}"""


def faint_marks(page: Page) -> list[str]:
    """Marks and edges of a figure with less contrast than 3:1."""
    return page.evaluate(FAINT)


@dataclass(frozen=True)
class Check:
    """What a reader is promised, and what looks after it."""

    promise: str
    criteria: str  # of WCAG 2.1
    find: Callable[[Page], list[str]]
    widths: tuple[int, ...] = (1280,)
    schemes: tuple[str, ...] = ("light", "dark")
    acts: bool = True  # the page is another one afterwards


LIGHT = ("light",)  # for what colours do not change

CHECKS = [
    Check("axe-core finds nothing", "many", axe, acts=False),
    Check(
        "axe-core finds nothing in a narrow window",
        "many",
        axe,
        (320,),
        LIGHT,
        acts=False,
    ),
    Check("The focus is seen", "2.4.7, 1.4.11", unseen_focus),
    Check(
        "The focus is seen on a phone", "2.4.7", unseen_focus, (390,), LIGHT
    ),
    Check(
        "At 320 pixels nothing scrolls sideways",
        "1.4.10",
        too_wide,
        (320,),
        LIGHT,
        acts=False,
    ),
    Check("Text may be spaced", "1.4.12", lost_by_spacing, (1280, 320), LIGHT),
    Check("Forced colours leave all marks", "1.4.11", invisible_when_forced),
    Check(
        f"At most {MANY} stops of the Tab key",
        "2.1.1",
        many_stops,
        acts=False,
    ),
    Check(
        "Single keys can be switched off", "2.1.4", single_keys, (1280,), LIGHT
    ),
    Check(
        "On a projector all can be read",
        "",
        small_on_the_wall,
        (1920,),
        LIGHT,
    ),
]


def sittings() -> list[tuple[list[Check], int, str]]:
    """Checks that one opened page is enough for, its width and its scheme."""
    found = []
    views = {
        (width, scheme): [
            check
            for check in CHECKS
            if width in check.widths and scheme in check.schemes
        ]
        for one in CHECKS
        for width in one.widths
        for scheme in one.schemes
    }
    for view, checks in views.items():
        reading = [check for check in checks if not check.acts]
        for check in (check for check in checks if check.acts):
            found.append(([*reading, check], *view))
            reading = []
        if reading:
            found.append((reading, *view))
    return found


# What fails today, and is told to readers: a part of what a check finds.
KNOWN: dict[str, str] = {}

# What no check sees, but we know; the page tells it, too.
UNSEEN = [
    "Nobody has tried the book with a screen reader, on a touch screen or in "
    "Safari; the figures were driven in WebKitGTK.",
]


def unknown(found: list[str]) -> list[str]:
    """What is found and not known."""
    return [
        finding
        for finding in found
        if not any(re.search(known, finding) for known in KNOWN)
    ]
