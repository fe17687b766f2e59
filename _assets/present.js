/* Presenter mode shows a chapter screen by screen, as large as the window
   allows. Its button stands at the head of a page; the key `p` and #present in
   the address open it, too. Everything on the page keeps working. It goes on
   where it was interrupted: the browser remembers the place (store.js) until
   one leaves, or reaches the end; a reload always comes back to its screen.

   A new screen begins at a heading of the first or second level, at one of the
   third that would stand below the upper third, at a cell tagged "slide", at
   the output of one tagged "slide-break", and where the window is full. What
   is still too tall is shown smaller, down to the smallest text that can be
   read from the last row; then it scrolls.

   The teacher's notes and clock are in a second window, speaker.html. What it
   is told and what it may ask for stands in speaker_host.js, which is loaded
   with the notes when a presentation begins. */
(() => {
  "use strict";
  const TYPING = "input, textarea, select, [contenteditable], [role=slider]";
  const PRESSABLE = "button, summary, a[href]";
  const ARROWS_LEAD = "[role=toolbar], [role=grid], [role=spinbutton]";
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
  const LOW = 1 / 3; // of the height; a subheading below begins a screen
  const ROOM = 0.88; // of the height, above the bar; see book.css
  const store = window.bookStore;
  const PAGE = DOCUMENTATION_OPTIONS.pagename;
  const ROOT = document.documentElement.dataset.content_root;
  const BLOCKED = "Your browser opened no second window. Allow pop-ups for "
    + "this page, then press Notes again.";
  const NO_CLOCK = "The clock is in the window of notes: press Notes first.";
  const article = document.querySelector("article.bd-article");
  if (!article) return; // the page for searching
  let screens = []; // arrays of elements
  let current = 0;
  let bar = null; // at the bottom of the window; null: not presenting
  let close = null; // ends what covers the screen: a blank one, a figure
  let speaker = null; // the window of notes

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
      const starts = block.matches(STARTS)
        || block.matches("h3") && box.top - top > LOW * room;
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
    bar.note.textContent = "";
    fit(screens[current]);
    bar.place.textContent = `${current + 1} / ${screens.length}`;
    window.bookSay?.(`Screen ${current + 1} of ${screens.length}`);
    const block = allBlocks().indexOf(screens[current][0]);
    setAddress("#present", { block });
    if (current === screens.length - 1) store.remove("present");
    else store.set("present", { page: PAGE, block });
    tellSpeaker();
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

  /** Show the screen that holds an element. */
  function showTarget(target) {
    const block = blockOf(target);
    if (!block) return;
    show(screens.findIndex((screen) => screen.includes(block)));
    target.scrollIntoView({ block: "nearest" });
  }

  /** Begin with `block`, or with what the window shows. */
  function enter(block) {
    const all = allBlocks();
    const visible = all.find(
      (each) => each.getBoundingClientRect().bottom > 60) ?? all.at(-1);
    bar = makeBar();
    document.body.classList.add("presenting");
    document.dispatchEvent(new Event("mount-figures")); // sizes are needed
    loadNotes();
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
    tellSpeaker();
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

  function toggle(cover) {
    if (close) close();
    else cover();
    tellSpeaker();
  }

  // ---- the window of notes ------------------------------------------------

  /** Once, and only for those who present: no page is heavier by it. */
  function loadNotes() {
    if (document.querySelector("script[src$='speaker_host.js']")) return;
    for (const name of ["speaker-notes.js", "_static/speaker_host.js"]) {
      const script = document.createElement("script");
      script.src = ROOT + name;
      script.async = false; // in this order
      document.head.append(script);
    }
  }

  function openSpeaker() {
    if (speaker && !speaker.closed) return speaker.focus();
    speaker = window.open(`${ROOT}_static/speaker.html`, "book-speaker",
      "popup,width=960,height=760");
    if (!speaker) bar.note.textContent = BLOCKED;
  }

  /** The key for the clock works in both windows. */
  function toggleClock() {
    if (speaker && !speaker.closed)
      return speaker.postMessage({ book: "presenter", toggleClock: true }, "*");
    bar.note.textContent = NO_CLOCK;
  }

  const tellSpeaker = () => document.dispatchEvent(new Event("present-screen"));

  window.bookPresenter = {
    page: PAGE,
    /** What is shown; null: not presenting. */
    shown: () => bar && {
      screens, current, goesOn: !bar.more.hidden,
      covered: !close ? "" : document.querySelector(".present-blank")
        ? "The screen is blank." : "A figure is enlarged.",
    },
    /** After a reload its window is known again by what it says. */
    setSpeaker(source) { speaker = source; },
    getSpeaker: () => speaker,
    singleKeys: () => singleKeys(),
    do: {
      enter: () => bar || enter(),
      turn: (step) => bar && turn(step),
      show: (id) => bar && showTarget(document.getElementById(id)),
      blank: () => bar && toggle(blank),
      enlarge: () => bar && toggle(enlarge),
      uncover: () => close && toggle(),
    },
  };

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
    made.note = document.createElement("span");
    made.note.className = "present-note";
    made.note.setAttribute("role", "status");
    made.append(
      made.more,
      made.note,
      button("Previous screen", "◀", () => turn(-1)),
      made.place,
      button("Next screen", "▶", () => turn(1)),
      button("Enlarge a figure", "⤢", () => toggle(enlarge)),
      button("Blank the screen", "■", () => toggle(blank)),
      button("Notes and clock in a second window", "Notes", openSpeaker),
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
    ".": () => bar && toggle(blank), // what many clickers send
    z: () => bar && toggle(enlarge),
    s: () => bar && openSpeaker(),
    c: () => bar && toggleClock(),
  };
  let clicked = null; // the field or slider that the mouse has left focused

  document.addEventListener("pointerdown", ({ target }) => {
    clicked = target.closest?.(TYPING);
  }, true);

  /** Whether a key is for the screens although the focus is in a field. A
      clicker must still turn after the mouse has moved a slider; who moves it
      by keys keeps Page Up and Page Down there. */
  const isClicker = ({ key, target, defaultPrevented }) => bar
    && key.startsWith("Page") && target === clicked && !defaultPrevented;

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (bar && key === "Escape" && !event.defaultPrevented)
      return close ? close() : leave();
    // A clicker's button for the start: we have begun. It must not reload.
    if (bar && key === "F5") return event.preventDefault();
    if (target.closest(TYPING) && !isClicker(event)) {
      clicked = null;
      return;
    }
    if (key in SINGLE) {
      if (singleKeys()) SINGLE[key]();
    } else if (bar && key in STEPS) {
      if (key === " " && target.closest(PRESSABLE)) return;
      // What a figure has used; and at the end of its buttons the screen stays.
      if (event.defaultPrevented
          || !key.startsWith("Page") && target.closest(ARROWS_LEAD)) return;
      event.preventDefault();
      turn(STEPS[key]);
    }
  });

  // A link within the chapter leads to the screen that holds its target.
  document.addEventListener("click", (event) => {
    const hash = event.target.closest("a[href^='#']")?.hash;
    if (!bar || !hash || event.defaultPrevented) return;
    const target = document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target || !blockOf(target)) return;
    event.preventDefault();
    showTarget(target);
  });

  // ---- touch --------------------------------------------------------------

  const KEEPS_SWIPES = `[data-figure], .present-bar, ${TYPING}`;
  let touched = null; // where a finger that may swipe came down

  /** Code and tables that are wider than the page move with the finger. */
  function scrollsSideways(node) {
    for (let up = node; up !== document.body; up = up.parentElement)
      if (up.scrollWidth > up.clientWidth + 1
          && /auto|scroll/.test(getComputedStyle(up).overflowX)) return true;
    return false;
  }

  // In a page that is zoomed in, and with a second finger, one moves about.
  document.addEventListener("touchstart", ({ touches, target }) => {
    const may = bar && touches.length === 1
      && (window.visualViewport?.scale ?? 1) < 1.05
      && !target.closest(KEEPS_SWIPES) && !scrollsSideways(target);
    touched = may ? touches[0] : null;
  }, { passive: true });
  document.addEventListener("touchend", ({ changedTouches: [finger] }) => {
    if (!touched || !bar) return;
    const [x, y] = [finger.clientX - touched.clientX,
      finger.clientY - touched.clientY];
    touched = null;
    if (Math.abs(x) > 50 && Math.abs(x) > 2 * Math.abs(y)
        && getSelection().isCollapsed) show(current - Math.sign(x));
  });
  document.addEventListener("touchcancel", () => { touched = null; });

  // ---- what changes the page ----------------------------------------------

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
