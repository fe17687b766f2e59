"""The contents beside a chapter follow the reader and show what is done."""

from tests.test_pages import address, opened, site

__all__ = ["address", "site"]

HERE = """() => document.querySelector(".page-toc [aria-current=true]")
    ?.getAttribute("href")"""
IN_SIGHT = """() => {
    const entry = document.querySelector(".page-toc [aria-current=true]");
    const { top, bottom } = entry.getBoundingClientRect();
    return 0 <= top && bottom <= innerHeight;
}"""


def test_contents_follow_the_reader(browser, site):
    url = (site / "chapters/02_alexnet.html").as_uri()
    with opened(browser, url) as (page, found):
        for where in ("the-run", "sources", "the-first-filters"):
            page.evaluate(
                f"document.getElementById('{where}')"
                ".scrollIntoView({ behavior: 'instant' })"
            )
            page.wait_for_function(f"({HERE})() === '#{where}'")
            page.wait_for_function(IN_SIGHT)
        # Up into the end of the section before, whose heading is far above.
        page.evaluate("scrollBy({ top: -400, behavior: 'instant' })")
        page.wait_for_function(
            f"({HERE})() === '#a-look-inside' || "
            f"({HERE})() === '#the-224-pixel-recipe'"
        )
        assert found == []


def test_exercises_done_are_marked(browser, address):
    url = f"{address}/chapters/02_alexnet.html"
    entry = ".page-toc a[href='#exercise-2-1']"
    with opened(browser, url) as (page, found):
        box = page.get_by_role("checkbox", name="Done: Exercise 2.1")
        box.check()
        assert "✓" in page.locator(entry).text_content()
        total = page.locator("section[id^=exercise-]").count()
        chapter = page.locator(".page-toc a[href='#exercises']")
        assert f"1 of {total}" in chapter.text_content()
        page.reload()
        assert box.is_checked()
        assert "✓" in page.locator(entry).text_content()
        assert '"exercise-2-1": true' in page.evaluate("bookStore.export()")
        page.evaluate("bookStore.removeAll()")
        assert not box.is_checked()
        assert "✓" not in page.locator(entry).text_content()
        assert found == []
