"""What a page tells about itself: to searchers, to those who cite or share it.

The address of the published pages follows from the repository's, as GitHub
makes it.
"""

from html import escape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

ENOUGH = 60  # characters of a paragraph that says something
ROOM = 200  # what a list of hits shows of it


def set_address(app: Sphinx, config: Config) -> None:
    """Decide where the pages are published; canonical addresses follow."""
    repository = urlsplit(config.html_theme_options["repository_url"]).path
    owner, _, name = repository.strip("/").partition("/")
    config.html_baseurl = f"https://{owner}.github.io/{name}/"


def description(doctree: nodes.document) -> str:
    """Return the beginning of a page's text."""
    paragraphs = (
        " ".join(paragraph.astext().split())
        for paragraph in doctree.findall(nodes.paragraph)
    )
    text = next((text for text in paragraphs if len(text) >= ENOUGH), "")
    if len(text) <= ROOM:
        return text
    return text[:ROOM].rpartition(" ")[0] + " …"


def describe(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Write the tags into a page's head."""
    if doctree is None:  # the search: nobody cites it
        return
    config = app.config
    about = yaml.safe_load(Path(app.srcdir, "CITATION.cff").read_text("utf-8"))
    title = app.env.titles[page].astext()
    address = context["pageurl"]
    picture = urljoin(config.html_baseurl, "_static/screenshot.png")
    tags = {
        "name": {
            "description": description(doctree),
            "citation_title": title,
            "citation_author": config.author,
            "citation_language": config.language,
            "citation_fulltext_html_url": address,
            "twitter:card": "summary_large_image",
        },
        "property": {
            "og:type": "article",
            "og:site_name": config.html_title,
            "og:title": title,
            "og:description": description(doctree),
            "og:url": address,
            "og:image": picture,
            "og:image:alt": "A chapter of the book, with a figure that moves",
        },
    }
    if "date-released" in about:  # an edition has one, main has not
        released = str(about["date-released"]).replace("-", "/")
        tags["name"]["citation_publication_date"] = released
    if page != config.root_doc:
        tags["name"]["citation_inbook_title"] = about["title"]
    context["metatags"] += "".join(
        f'\n    <meta {kind}="{name}" content="{escape(text)}" />'
        for kind, named in tags.items()
        for name, text in named.items()
    )


def write_sitemap(app: Sphinx, error: Exception | None) -> None:
    """List the addresses of all pages, for search engines."""
    if error or app.builder.name != "html":
        return
    base = app.config.html_baseurl
    places = "".join(
        f"<url><loc>{base}{app.builder.get_target_uri(page)}</loc></url>\n"
        for page in sorted(app.env.found_docs)
    )
    Path(app.outdir, "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{places}</urlset>\n",
        "utf-8",
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    # Behind bookext, which decides the repository.
    app.connect("config-inited", set_address, priority=600)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
