/* Presenter mode: `p` (or #present in the address) shows the chapter screen
   by screen, as large as the window allows. Arrow keys, space and Page Up/Down
   turn the screens, Home and End jump, Esc or `p` leaves. Everything on the
   page keeps working. #present goes on where it was interrupted: the browser
   remembers the place (store.js) until one leaves, or reaches the end.

   A new screen begins at a heading of the first or second level, at a cell
   tagged "slide", and where the window is full. */
(() => {
  "use strict";
  const TYPING = "input, textarea, select, [contenteditable], [role=slider]";
  const PRESSABLE = "button, summary, a[href]";
  const STEPS = {
    ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1,
    Home: -Infinity, End: Infinity,
  };
  const store = window.bookStore;
  const PAGE = DOCUMENTATION_OPTIONS.pagename;
  let screens = []; // arrays of elements
  let current = 0;
  let place = null; // the "3 / 17" in the corner; null: not presenting

  /** The page's headings, paragraphs, code and outputs, in order. */
  function blocks(parent) {
    return [...parent.children].flatMap((child) =>
      child.matches("section, div.cell") ? blocks(child) : [child]);
  }

  const allBlocks = () => blocks(document.querySelector("article.bd-article"));

  function makeScreens() {
    const room = window.innerHeight * 0.88;
    screens = [];
    let top = 0;
    for (const block of allBlocks()) {
      const box = block.getBoundingClientRect();
      const starts = block.matches("h1, h2, .tag_slide > :first-child");
      if (!screens.length || starts || box.bottom - top > room) {
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

  function show(index) {
    current = Math.max(0, Math.min(screens.length - 1, index));
    screens.forEach((screen, i) => screen.forEach((block) =>
      block.classList.toggle("present-off", i !== current)));
    place.textContent = `${current + 1} / ${screens.length}`;
    window.scrollTo(0, 0);
    if (screens[current] === screens.at(-1)) return store.remove("present");
    const block = allBlocks().indexOf(screens[current][0]);
    store.set("present", { page: PAGE, block });
  }

  /** Cut the page anew and show the screen that holds `block`. */
  function cut(block) {
    document.querySelectorAll(".present-off").forEach((hidden) =>
      hidden.classList.remove("present-off"));
    makeScreens();
    show(screens.findIndex((screen) => screen.includes(block)));
  }

  /** Begin with `block`, or with what the window shows. */
  function enter(block) {
    const visible = allBlocks().find(
      (each) => each.getBoundingClientRect().bottom > 60);
    place = document.createElement("div");
    place.className = "present-place";
    document.body.append(place);
    document.body.classList.add("presenting");
    cut(block ?? visible);
  }

  function leave() {
    const block = screens[current][0];
    document.body.classList.remove("presenting");
    document.querySelectorAll(".present-off").forEach((hidden) =>
      hidden.classList.remove("present-off"));
    place.remove();
    place = null;
    store.remove("present");
    block.scrollIntoView();
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (target.closest(TYPING) || document.querySelector("dialog[open]")) return;
    if (key === "p") {
      place ? leave() : enter();
    } else if (place && key === "Escape") {
      leave();
    } else if (place && key in STEPS) {
      if (key === " " && target.closest(PRESSABLE)) return;
      event.preventDefault();
      show(current + STEPS[key]);
    }
  });
  window.addEventListener("resize", () => {
    if (place) cut(screens[current][0]);
  });
  window.addEventListener("load", async () => {
    if (location.hash !== "#present") return;
    await document.fonts.ready;
    const { page, block } = store.get("present");
    enter(page === PAGE ? allBlocks()[block] : undefined);
  });
})();
