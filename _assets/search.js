/* The search: in the dialog that the magnifying glass or Ctrl+K opens, and on
   a page of its own. It ranks sections, with MiniSearch. That library and the
   text of the book (search-sections.js, from _ext/search_pages.py) are loaded
   when somebody searches, as classic scripts, so that all works from file://.

   A hit leads to its section, with the words that were found in the address;
   there they are marked. */
(() => {
  "use strict";
  const ROOT = document.documentElement.dataset.content_root;
  const SCRIPTS = [
    "_static/vendor/minisearch/minisearch-7.2.0.js", "search-sections.js",
  ];
  const MOST = 30; // hits that are shown
  const ROOM = 180; // characters of an excerpt
  const ASIDE = /#(exercise|quiz|sources)|^bibliography/;
  const EMPTY = new Set(("a an and are as at be by can did do does for from has "
    + "have how i in is it its of on or that the their there these they this to "
    + "was what when where which who why will with").split(" "));

  // ---- words -----------------------------------------------------------------

  /** The words of a text as they are compared. However they are written, a
      kernel is "3x3" and a number "61100840"; accents do not count. */
  function words(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()
      .replace(/(?<=\d)[,'\u00a0\u202f](?=\d{3}(?!\d))/g, "")
      .replace(/(?<=\d)\s*[×x*]\s*(?=\d)/g, "x")
      .match(/[\p{L}\p{N}_]+(?:\.\d+)*/gu) ?? [];
  }

  /** The words of a query; of "61 100 840" one. */
  function asked(query) {
    const all = words(query.replace(/(?<=\d) (?=\d{3}(?!\d))/g, ""));
    const telling = all.filter((word) => !EMPTY.has(word));
    return telling.length ? telling : all;
  }

  /** What finds such words in a text as it is written. */
  function pattern(found) {
    const written = found.map((word) => {
      if (/^\d{4,}$/.test(word)) // 61,100,840
        return word.replace(/\B(?=(\d{3})+$)/g, "[,'\\s]?");
      return word.replace(/\./g, "\\.").replace(/(?<=\d)x(?=\d)/g, "\\s*[×x*]\\s*");
    });
    const edge = "[\\p{L}\\p{N}]";
    return new RegExp(`(?<!${edge})(?:${written.join("|")})(?!${edge})`, "giu");
  }

  // ---- ranking ---------------------------------------------------------------

  function load(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = ROOT + address;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
  }

  async function makeIndex() {
    await Promise.all(SCRIPTS.map(load));
    const index = new MiniSearch({
      fields: ["title", "text", "code"],
      storeFields: ["page", "anchor", "chapter", "title", "text"],
      tokenize: (text) => words(text).flatMap((word) =>
        word.includes("_") ? [word, ...word.split("_")] : word),
      processTerm: (term) => term || null,
    });
    for (const { address, sections } of window.bookPages)
      sections.forEach(([anchor, title, text, code]) => index.add({
        id: `${address}#${anchor}`,
        page: address, anchor, title, text, code, chapter: sections[0][1],
      }));
    return index;
  }

  let index = null; // a promise, as soon as somebody searches
  const opened = () => index ??= makeIndex();

  /** The sections that fit a query, the best first: those that have all of its
      words, and behind them those that have some. */
  async function search(query) {
    const options = {
      tokenize: asked,
      boost: { title: 4, code: 0.3 },
      weights: { prefix: 0.2, fuzzy: 0.2 }, // beside 1 for the word itself
      // Readers look for what explains a thing rather than for what asks or
      // names a source.
      boostDocument: (id) => (ASIDE.test(id) ? 0.5 : 1),
      prefix: (word) => word.length > 2 && !/^[\d.]+$/.test(word),
      fuzzy: (word) => (word.length > 4 && !/\d/.test(word) ? 0.2 : false),
    };
    const ready = await opened();
    const hits = new Map();
    for (const combineWith of ["AND", "OR"])
      for (const hit of ready.search(query, { ...options, combineWith }))
        if (!hits.has(hit.id)) hits.set(hit.id, hit);
    return [...hits.values()];
  }

  // ---- showing what was found ------------------------------------------------

  /** Where an excerpt begins: most of the words stand behind it. */
  function beginning(text, places) {
    const kinds = (from) => new Set(places
      .filter(({ index }) => index >= from && index < from + ROOM * 0.8)
      .map(([word]) => word.toLowerCase())).size;
    let best = 0, most = 0;
    for (const place of places)
      if (kinds(place.index) > most)
        [best, most] = [place.index, kinds(place.index)];
    if (best < ROOM / 2) return 0;
    return text.indexOf(" ", best - ROOM / 3) + 1;
  }

  /** Some of a text, with marks around the words that were found. */
  function excerpt(text, found) {
    const places = [...text.matchAll(pattern(found))];
    const start = beginning(text, places);
    const blank = text.indexOf(" ", start + ROOM);
    const end = blank < 0 ? text.length : blank;
    const shown = document.createElement("p");
    if (start) shown.append("… ");
    let last = start;
    for (const { 0: word, index } of places) {
      if (index < last || index + word.length > end) continue;
      const mark = document.createElement("mark");
      mark.textContent = word;
      shown.append(text.slice(last, index), mark);
      last = index + word.length;
    }
    shown.append(text.slice(last, end), end < text.length ? " …" : "");
    return shown;
  }

  function show({ page, anchor, chapter, title, text, terms }) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const where = new URLSearchParams({ found: terms.join(" ") });
    link.href = `${ROOT}${page}?${where}#${anchor}`;
    link.textContent = title;
    item.append(link);
    if (chapter !== title) {
      const small = document.createElement("small");
      small.textContent = chapter;
      item.append(" ", small);
    }
    if (text) item.append(excerpt(text, terms));
    return item;
  }

  /** List what is found below a field, as the reader types. */
  function listBelow(form) {
    const field = form.querySelector("input");
    const found = document.createElement("div");
    found.className = "search-found";
    found.innerHTML = '<p role="status"></p><ol></ol>';
    const [status, list] = found.children;
    form.after(found);

    async function update() {
      const query = field.value;
      if (!asked(query).length) {
        list.replaceChildren();
        status.textContent = "";
        return;
      }
      const hits = await search(query);
      if (query !== field.value) return; // the reader has typed on
      list.replaceChildren(...hits.slice(0, MOST).map(show));
      status.textContent = hits.length > MOST
        ? `The best ${MOST} of ${hits.length} sections`
        : `${hits.length || "No"} section${hits.length === 1 ? "" : "s"}`;
    }

    let soon = 0;
    field.addEventListener("focus", opened);
    field.addEventListener("input", () => {
      clearTimeout(soon);
      soon = setTimeout(update, 150);
    });
    // Up and down lead from the field through the links.
    form.parentElement.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const stops = [field, ...list.querySelectorAll("a")];
      const here = stops.indexOf(document.activeElement);
      if (!step || here < 0 || !stops[here + step]) return;
      event.preventDefault();
      stops[here + step].focus();
    });
    return { field, update };
  }

  // ---- marking it where it stands --------------------------------------------

  /** The places in an element where such words stand, as ranges. A word may
      go through several nodes: in "3 × 3" each sign has its own. */
  function ranges(element, found) {
    const IGNORED = "script, style, .katex-mathml, .headerlink";
    const BLOCK = "p, li, td, th, pre, figcaption, summary, h1, h2, h3, div";
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const nodes = [];
    let text = "", block = null;
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const parent = node.parentElement;
      if (parent.closest(IGNORED)) continue;
      if (parent.closest(BLOCK) !== block) text += "\n";
      block = parent.closest(BLOCK);
      nodes.push({ node, start: text.length });
      text += node.data;
    }
    const at = (place) => nodes.findLast(({ start }) => start <= place);
    return [...text.matchAll(pattern(found))].map(({ 0: word, index }) => {
      const range = new Range();
      const first = at(index), last = at(index + word.length - 1);
      range.setStart(first.node, index - first.start);
      range.setEnd(last.node, index + word.length - last.start);
      return range;
    });
  }

  /** Mark what the search found, if it has led here. */
  function arrive() {
    const found = new URLSearchParams(location.search).get("found");
    if (!found || !window.Highlight) return;
    const section = document.getElementById(
      decodeURIComponent(location.hash.slice(1)));
    if (!section) return;
    // What a term of the glossary means stands behind it.
    const parts = section.matches("dt")
      ? [section, section.nextElementSibling] : [section];
    const all = parts.flatMap((part) => ranges(part, words(found)));
    CSS.highlights.set("search-found", new Highlight(...all));
    try { // the address that one copies is that of the section
      history.replaceState(null, "", location.pathname + location.hash);
    } catch { /* a browser that wants no such change on file:// */ }
    if (!all.length) return;
    const hide = document.createElement("button");
    hide.type = "button";
    hide.className = "search-hide d-print-none";
    hide.textContent = "Hide what was found";
    hide.addEventListener("click", () => {
      CSS.highlights.delete("search-found");
      hide.remove();
    });
    const heading = section.querySelector("h1, h2, h3, h4");
    if (heading) heading.after(hide);
    else section.append(hide);
    // The section's beginning is in sight; a word may stand far below it.
    const { commonAncestorContainer: place } = all[0];
    const element = place.parentElement;
    for (let fold = element; fold; fold = fold.parentElement)
      if (fold.matches("details")) fold.open = true;
    if (all[0].getBoundingClientRect().bottom > innerHeight)
      element.scrollIntoView({ block: "center" });
  }

  document.querySelectorAll("form.bd-search").forEach((form) => {
    const { field, update } = listBelow(form);
    if (form.closest("dialog")) return;
    field.value = new URLSearchParams(location.search).get("q") ?? "";
    field.focus();
    update();
  });
  window.addEventListener("load", arrive);
})();
