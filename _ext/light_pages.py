"""Pages that are light on the wire and quick to show."""

import re
from collections.abc import Iterable
from functools import cache
from os import fspath
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote

from PIL import Image
from pygments.formatters import HtmlFormatter
from pygments.styles import get_style_by_name
from pygments.token import Text, _TokenType
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.highlighting import PygmentsBridge

# What a file of styles or of scripts works on: a page without it does not
# load the file.
SERVES = {
    "katex.min.css": 'class="math',
    "copy-tex.min.js": 'class="math',
    "mystnb.": 'class="cell',
    "sphinx-design.min.css": 'class="sd-',
    "design-tabs.js": 'class="sd-tab',
    "clipboard.min.js": 'class="highlight',
    "copybutton.css": 'class="highlight',
    "copybutton.js": 'class="highlight',
}

# In the theme's script, what becomes a stop of the Tab key where it scrolls.
# All of it is asked for its size at every change of the page, which keeps a
# phone busy for 0.4 s; access.js does the same for less.
SCROLLABLE = re.compile(r'\["pre",[^]]*\](?=\.join\(", "\)\)\.forEach)')

PICTURE = re.compile(r'<img ([^>]*)src="([^"]*_images/)([^"/]+)"')


class Highlighter(HtmlFormatter):
    """Writes a span around what is coloured, and around nothing else.

    Names, points and blanks have the colour of the text, in light and dark;
    around each of them Pygments would write a span as well, and a page would
    be four times as large.

    Attributes:
        styles: the names of the styles that pages may have.
    """

    styles: tuple[str, ...] = ()

    def format(
        self, tokens: Iterable[tuple[_TokenType, str]], file: TextIO
    ) -> None:
        """Write the tokens to the file."""
        super().format(
            (
                (Text if self.is_plain(kind) else kind, text)
                for kind, text in tokens
            ),
            file,
        )

    @classmethod
    @cache
    def is_plain(cls, kind: _TokenType) -> bool:
        """Whether such a token looks like the text around it."""
        return all(
            style.style_for_token(kind) == style.style_for_token(Text)
            for style in map(get_style_by_name, cls.styles)
        )


def know_styles(app: Sphinx) -> None:
    """Tell the highlighter what the theme colours."""
    options = app.builder.theme.get_options()
    Highlighter.styles = (
        options["pygments_light_style"],
        options["pygments_dark_style"],
    )


def load_less(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Load only what the page can use, and no script before the text."""
    body = context.get("body", "")

    def is_wanted(file) -> bool:
        name = fspath(file.filename or "").rpartition("/")[2]
        signs = [SERVES[start] for start in SERVES if name.startswith(start)]
        return all(sign in body for sign in signs)

    def that_waits(script):
        """A copy that runs after the text is there, in the page's order."""
        waits = {"defer": "defer"} if script.filename else {"type": "module"}
        return type(script)(
            script.filename,
            priority=script.priority,
            **script.attributes | waits,
        )

    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if is_wanted(file)]
    context["script_files"] = [*map(that_waits, context["script_files"])]


def lighten_pictures(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Let pictures come as they are needed, each in the smaller format.

    Its size is written beside a picture, so that the text does not jump when
    it comes. WebP without loss is often smaller than PNG.
    """
    images = app.builder.images  # names in the pages, by source
    sources = {name: source for source, name in images.items()}
    folder = Path(app.outdir, app.builder.imagedir)
    folder.mkdir(exist_ok=True)

    def lighten(found: re.Match) -> str:
        before, address, name = found.groups()
        source = Path(app.srcdir, sources[unquote(name)])
        if source.suffix == ".svg":
            return f'<img loading="lazy" {before}src="{address}{name}"'
        with Image.open(source) as picture:
            width, height = picture.size
            webp = (folder / name).with_suffix(".webp")
            if source.suffix == ".png" and not webp.exists():
                picture.save(webp, lossless=True)
        if webp.exists() and webp.stat().st_size < source.stat().st_size:
            images.pop(sources[unquote(name)], None)  # else Sphinx copies it
            name = webp.name
        return (
            f'<img loading="lazy" width="{width}" height="{height}" '
            f'{before}src="{address}{name}"'
        )

    if "body" in context:
        context["body"] = PICTURE.sub(lighten, context["body"])


def take_tab_stops(app: Sphinx, error: Exception | None) -> None:
    """Let the theme's script make no stops of the Tab key.

    Raises:
        ExtensionError: the script has no such part, or more than one.
    """
    if error is not None:
        return
    script = Path(app.outdir, "_static/scripts/pydata-sphinx-theme.js")
    text, found = SCROLLABLE.subn('[":not(*)"]', script.read_text("utf-8"))
    if found != 1:
        raise ExtensionError(
            f"{script} makes stops of the Tab key in {found} places, not in "
            "one; with another theme, SCROLLABLE in light_pages.py must change"
        )
    script.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    PygmentsBridge.html_formatter = Highlighter
    app.connect("builder-inited", know_styles)
    app.connect("html-page-context", lighten_pictures)
    app.connect("html-page-context", load_less, priority=900)
    app.connect("build-finished", take_tab_stops)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
