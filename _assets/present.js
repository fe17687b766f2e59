/* Presenter mode shows a chapter screen by screen, as large as the window
   allows. Its button stands at the head of a page; the key `p` and #present in
   the address open it, too. Everything on the page keeps working. It goes on
   where it was interrupted: the browser remembers the place (store.js) until
   one leaves, or reaches the end; a reload always comes back to its screen.

   A new screen begins at a heading of the first or second level, at a cell
   tagged "slide", at the output of one tagged "slide-break", and where the
   window is full. What is still too tall is shown smaller, down to the
   smallest text that can be read from the last row; then it scrolls. */
(() => {
  "use strict";
  const TYPING = "input, textarea, select, [contenteditable], [role=slider]";
  const PRESSABLE = "button, summary, a[href]";
  const STEPS = {
    ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1,
    Home: -Infinity, End: Infinity,
  };
  const STARTS = "h1, h2, .tag_slide > :first-child,"
    + ".tag_slide-break > .cell_output,"
    + ".tag_slide-break > .cell_output > :first-child";
  const FIGURES = "figure, img, [data-mounted], .data-table, table, pre";
  const UNSEEN = ".katex-mathml, .visually-hidden, [class$=-spoken]";
  const WORDS = /[^\s\u200b]/; // KaTeX writes spaces of no width
  const WIDE = 1920 / 1.8; // a window shows as much as one so wide does
  const SMALLEST = 18 / 1920; // of all text, by the width of the window
  const MIN_TEXT = 8; // what is smaller does not make all else larger
  const ROOM = 0.88; // of the height, above the bar; see book.css
  const store = window.bookStore;
  const PAGE = DOCUMENTATION_OPTIONS.pagename;
  const article = document.querySelector("article.bd-article");
  if (!article) return; // the page for searching
  let screens = []; // arrays of elements
  let current = 0;
  let bar = null; // at the bottom of the window; null: not presenting
  let close = null; // ends what covers the screen: a blank one, a figure

  // ---- the screens --------------------------------------------------------

  /** The page's headings, paragraphs, code and outputs, in order. */
  function blocks(parent) {
    return [...parent.children].flatMap((child) => child.matches(
      "section, div.cell, .cell_output:has(> :nth-child(2))")
      ? blocks(child) : [child]);
  }

  const allBlocks = () => blocks(article);

  /** The size of the smallest text within, before any zoom. */
  function smallestText(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const sizes = new Map();
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (sizes.has(parent) || !WORDS.test(walker.currentNode.data)) continue;
      if (parent.closest(UNSEEN) || !parent.getClientRects().length) continue;
      let size = parseFloat(getComputedStyle(parent).fontSize);
      if (parent.ownerSVGElement)
        size *= parent.getScreenCTM().a / article.style.zoom;
      sizes.set(parent, size);
    }
    return Math.min(...sizes.values(), 16);
  }

  /** The least zoom by which all text of these elements can be read. */
  const readable = (elements) => SMALLEST * window.innerWidth
    / Math.max(MIN_TEXT, Math.min(...elements.map(smallestText)));

  const usual = () => Math.max(1, window.innerWidth / WIDE);

  const height = () => article.getBoundingClientRect().height;

  function makeScreens() {
    article.style.zoom = usual();
    const room = window.innerHeight * ROOM;
    screens = [];
    let top = 0;
    for (const block of allBlocks()) {
      const box = block.getBoundingClientRect();
      const starts = block.matches(STARTS);
      const tall = box.bottom - top;
      // What becomes a little smaller by it may still fit.
      if (!screens.length || starts || tall > 1.2 * room || tall > room
        && tall * readable([...screens.at(-1), block]) > room * usual()) {
        // A subheading moves along with what it introduces.
        const last = screens.at(-1);
        const heading = !starts && last?.length > 1
          && last.at(-1).matches("h3, h4") ? last.pop() : null;
        screens.push(heading ? [heading] : []);
        top = (heading ?? block).getBoundingClientRect().top;
      }
      screens.at(-1).push(block);
    }
  }

  /** Show these elements only, at a size at which they fit or can be read. */
  function fit(screen) {
    for (const block of allBlocks())
      block.classList.toggle("present-off", !screen.includes(block));
    const least = readable(screen);
    let zoom = Math.max(usual(), least);
    do { // smaller text flows anew, so that one step is seldom enough
      article.style.zoom = zoom;
      zoom *= 0.97;
    } while (zoom > least && height() > window.innerHeight * ROOM);
    window.scrollTo(0, 0);
    tellMore();
  }

  /** Say in the bar that the screen goes on below the window. */
  function tellMore() {
    if (bar) bar.more.hidden = pixelsBelow() < 8;
  }

  const pixelsBelow = () => document.documentElement.scrollHeight
    - window.scrollY - window.innerHeight;

  function show(index) {
    close?.();
    current = Math.max(0, Math.min(screens.length - 1, index));
    fit(screens[current]);
    bar.place.textContent = `${current + 1} / ${screens.length}`;
    window.bookSay?.(`Screen ${current + 1} of ${screens.length}`);
    const block = allBlocks().indexOf(screens[current][0]);
    setAddress("#present", { block });
    if (current === screens.length - 1) store.remove("present");
    else store.set("present", { page: PAGE, block });
  }

  /** Cut the page anew and show the screen that holds `block`. */
  function cut(block) {
    uncover();
    makeScreens();
    show(screens.findIndex((screen) => screen.includes(block)));
  }

  function uncover() {
    document.querySelectorAll(".present-off").forEach((hidden) =>
      hidden.classList.remove("present-off"));
  }

  /** The block that a link leads to. */
  const blockOf = (target) => allBlocks().find((block) =>
    block.contains(target) || target.contains(block));

  function setAddress(hash, state) {
    try {
      history.replaceState(state, "", location.href.split("#")[0] + hash);
    } catch { /* forbidden: a reload begins anew */ }
  }

  /** Begin with `block`, or with what the window shows. */
  function enter(block) {
    const all = allBlocks();
    const visible = all.find(
      (each) => each.getBoundingClientRect().bottom > 60) ?? all.at(-1);
    bar = makeBar();
    document.body.classList.add("presenting");
    document.dispatchEvent(new Event("mount-figures")); // sizes are needed
    cut(block ?? visible);
  }

  function leave() {
    close?.();
    const [block] = screens[current];
    const hadFocus = bar.contains(document.activeElement);
    document.body.classList.remove("presenting");
    article.style.zoom = "";
    uncover();
    bar.remove();
    bar = null;
    store.remove("present");
    setAddress("", null);
    block.scrollIntoView();
    if (hadFocus) start.focus({ preventScroll: true });
  }

  // ---- what covers a screen -----------------------------------------------

  /** A dark screen, until the next key or click. */
  function blank() {
    const cover = document.createElement("div");
    cover.className = "present-blank";
    cover.addEventListener("click", () => close());
    bar.after(cover);
    close = () => {
      cover.remove();
      close = null;
    };
    window.bookSay?.("The screen is blank.");
  }

  /** One figure, as large as the window: where the focus or the mouse is, or
      the first. The same key ends it. */
  function enlarge() {
    const inside = screens[current].flatMap((block) =>
      block.matches(FIGURES) ? [block] : [...block.querySelectorAll(FIGURES)]);
    const figures = inside.filter((one) =>
      !inside.some((other) => other !== one && other.contains(one)));
    const figure = figures.find((one) => one.matches(":focus-within, :hover"))
      ?? figures.find((one) => !one.matches("pre")) ?? figures[0];
    if (!figure) return window.bookSay?.("No figure on this screen.");
    const block = screens[current].find((one) => one.contains(figure));
    document.body.classList.add("present-enlarged");
    for (const image of block.querySelectorAll("img"))
      image.style.setProperty(
        "--ratio", image.naturalWidth / image.naturalHeight);
    fit([block]);
    const least = readable([block]);
    // A picture fills the window by its style. What is made of text flows anew
    // at each size, so sizes are tried.
    let zoom = usual() * (figure.matches(":has(img), img") ? 1 : 1.6);
    do {
      article.style.zoom = zoom;
      article.style.setProperty("--zoom", zoom);
      zoom *= 0.95;
    } while (zoom > least && (height() > window.innerHeight * ROOM
      || figure.scrollWidth > figure.clientWidth + 1));
    figure.scrollIntoView({ block: "nearest" });
    tellMore();
    close = () => {
      close = null;
      document.body.classList.remove("present-enlarged");
      fit(screens[current]);
    };
  }

  const toggle = (cover) => close ? close() : cover();

  // ---- buttons and keys ---------------------------------------------------

  function button(name, sign, press) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = sign;
    if (name !== sign) made.setAttribute("aria-label", name);
    made.title = name;
    made.addEventListener("click", press);
    return made;
  }

  function makeBar() {
    const made = document.createElement("nav");
    made.className = "present-bar d-print-none";
    made.setAttribute("aria-label", "Presentation");
    made.more = button("More below", "▼ more below", () => turn(1));
    made.place = document.createElement("span");
    made.place.className = "present-place";
    made.append(
      made.more,
      button("Previous screen", "◀", () => turn(-1)),
      made.place,
      button("Next screen", "▶", () => turn(1)),
      button("Enlarge a figure", "⤢", () => toggle(enlarge)),
      button("Blank the screen", "■", () => toggle(blank)),
      button("Leave presenter mode", "✕", leave),
    );
    document.body.append(made);
    return made;
  }

  /** A step on; within a screen that is taller than the window first. */
  function turn(step) {
    if (step === 1 && !close && pixelsBelow() >= 8)
      return window.scrollBy(0, window.innerHeight * 0.75);
    show(current + step);
  }

  const start = button("Present this page", "", () => enter());
  start.className = "btn btn-sm pst-navbar-icon";
  start.innerHTML = '<i class="fa-solid fa-present"></i>';
  document.querySelector(".article-header-buttons")?.prepend(start);

  const singleKeys = () => store.get("keys").off !== true;
  const SINGLE = {
    p: () => bar ? leave() : enter(),
    b: () => bar && toggle(blank),
    z: () => bar && toggle(enlarge),
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (bar && key === "Escape" && !event.defaultPrevented)
      return close ? close() : leave();
    if (target.closest(TYPING)) return;
    if (key in SINGLE) {
      if (singleKeys()) SINGLE[key]();
    } else if (bar && key in STEPS) {
      if (key === " " && target.closest(PRESSABLE)) return;
      event.preventDefault();
      turn(STEPS[key]);
    }
  });

  // A link within the chapter leads to the screen that holds its target.
  document.addEventListener("click", (event) => {
    const hash = event.target.closest("a[href^='#']")?.hash;
    if (!bar || !hash || event.defaultPrevented) return;
    const target = document.getElementById(decodeURIComponent(hash.slice(1)));
    const block = target && blockOf(target);
    if (!block) return;
    event.preventDefault();
    show(screens.findIndex((screen) => screen.includes(block)));
    target.scrollIntoView({ block: "nearest" });
  });

  // What a figure adds later must be readable, too.
  new ResizeObserver(() => {
    if (!bar) return;
    const zoom = Math.max(article.style.zoom, readable(screens[current]));
    if (zoom > article.style.zoom) article.style.zoom = zoom;
    tellMore();
  }).observe(article);
  window.addEventListener("scroll", tellMore, { passive: true });
  window.addEventListener("resize", () => {
    if (bar) cut(screens[current][0]);
  });
  window.addEventListener("hashchange", () => {
    if (location.hash === "#present" && !bar) enter();
  });
  window.addEventListener("load", async () => {
    if (location.hash !== "#present") return;
    const reloaded = history.state?.block; // before anything changes it
    await document.fonts.ready;
    const { page, block } = store.get("present");
    const last = page === PAGE ? block : undefined;
    enter(allBlocks()[reloaded ?? last]);
  });
})();
