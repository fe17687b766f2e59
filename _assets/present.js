/* Presenter mode: `p` (or #present in the address) shows the chapter screen
   by screen, as large as the window allows. Arrow keys, space and Page Up/Down
   turn the screens, Home and End jump, Esc or `p` leaves. Everything on the
   page keeps working.

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
  let screens = []; // arrays of elements
  let current = 0;
  let place = null; // the "3 / 17" in the corner; null: not presenting

  /** The page's headings, paragraphs, code and outputs, in order. */
  function blocks(parent) {
    return [...parent.children].flatMap((child) =>
      child.matches("section, div.cell") ? blocks(child) : [child]);
  }

  function makeScreens(article) {
    const room = window.innerHeight * 0.88;
    screens = [];
    let top = 0;
    for (const block of blocks(article)) {
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
  }

  /** Cut the page anew and show the screen that holds `block`. */
  function cut(block) {
    document.querySelectorAll(".present-off").forEach((hidden) =>
      hidden.classList.remove("present-off"));
    makeScreens(document.querySelector("article.bd-article"));
    show(screens.findIndex((screen) => screen.includes(block)));
  }

  function enter() {
    const all = blocks(document.querySelector("article.bd-article"));
    const visible = all.find(
      (block) => block.getBoundingClientRect().bottom > 60);
    place = document.createElement("div");
    place.className = "present-place";
    document.body.append(place);
    document.body.classList.add("presenting");
    cut(visible);
  }

  function leave() {
    const block = screens[current][0];
    document.body.classList.remove("presenting");
    document.querySelectorAll(".present-off").forEach((hidden) =>
      hidden.classList.remove("present-off"));
    place.remove();
    place = null;
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
    await window.MathJax?.startup?.promise;
    enter();
  });
})();
