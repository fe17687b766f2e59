/* The contents beside a chapter: they follow the reader, and show which
   exercises are done. An exercise is done when the reader says so, below its
   heading; the browser remembers that (store.js). */
(() => {
  "use strict";
  const store = window.bookStore;
  const PAGE = `done/${DOCUMENTATION_OPTIONS.pagename}`;
  const contents = document.querySelector(".bd-sidebar-secondary .page-toc nav"
    + ", nav.page-toc");
  if (!contents) return;
  const entries = [...contents.querySelectorAll("a[href^='#']")].map((link) => {
    const id = decodeURIComponent(link.hash.slice(1));
    const heading = document.getElementById(id)?.querySelector("h1, h2, h3, h4");
    return { link, id, heading };
  }).filter(({ heading }) => heading);

  // ---- where the reader is ---------------------------------------------------

  let shown = null;

  const sections = entries.filter(({ heading }) => heading.matches("h1, h2"));

  /** The last of some entries whose heading is above the upper third. */
  const lastAbove = (some) => some.findLast(({ heading }) =>
    heading.getBoundingClientRect().top < innerHeight * 0.3);

  /** Mark the last heading above the window's upper third. The theme marks
      headings that come into sight; when one scrolls back to the end of a
      long section, none does. Headings in other sections are not asked: to
      say where they are, the browser would have to lay those sections out. */
  function follow() {
    const section = lastAbove(sections);
    const within = section && document.getElementById(section.id);
    const here = section && (lastAbove(entries.filter(({ heading }) =>
      heading.closest("section:has(> h2)") === within)) ?? section);
    for (const { link } of entries) {
      const isAround = here && link.parentElement.contains(here.link);
      link.classList.toggle("active", Boolean(isAround));
      link.removeAttribute("aria-current");
    }
    here?.link.setAttribute("aria-current", "true");
    if (here !== shown && here) keepInSight(here.link);
    shown = here;
  }

  /** Scroll the contents, and nothing else, so that an entry is in sight. */
  function keepInSight(link) {
    const box = link.closest(".bd-sidebar-secondary, dialog");
    if (!box || box.contains(document.activeElement)) return;
    const { top, bottom } = link.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    if (top < frame.top + 60 || bottom > frame.bottom - 60)
      box.scrollTop += top - frame.top - box.clientHeight / 2;
  }

  let waiting = false;
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      follow();
    });
  }
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  addEventListener("load", soon);

  // ---- what the reader has done ----------------------------------------------

  const exercises = entries.filter(({ id }) => id.startsWith("exercise-"));
  const boxes = new Map();

  function show() {
    const done = store.get(PAGE);
    let count = 0;
    for (const { link, id } of exercises) {
      count += Boolean(done[id]);
      boxes.get(id).checked = Boolean(done[id]);
      mark(link, done[id] ? "✓" : "", "done");
    }
    const all = contents.querySelector("a[href='#exercises']");
    if (all) mark(all, count ? `${count} of ${exercises.length}` : "", "done");
  }

  /** Write something small behind an entry, with words for who listens. */
  function mark(link, sign, words) {
    link.querySelector(".contents-done")?.remove();
    if (!sign) return;
    const small = document.createElement("small");
    small.className = "contents-done";
    small.append(` ${sign}`);
    const spoken = document.createElement("span");
    spoken.className = "visually-hidden";
    spoken.textContent = ` ${words}`;
    small.append(spoken);
    link.append(small);
  }

  for (const { id, heading } of exercises) {
    const label = document.createElement("label");
    label.className = "exercise-done d-print-none";
    label.innerHTML = '<input type="checkbox"> Done';
    const box = boxes.set(id, label.firstChild).get(id);
    box.setAttribute("aria-label", `Done: ${heading.firstChild.data}`);
    box.addEventListener("change", () => {
      const { [id]: before, ...others } = store.get(PAGE);
      store.set(PAGE, box.checked ? { ...others, [id]: true } : others);
      show();
    });
    heading.after(label);
  }
  document.addEventListener("book-forgets", show);
  show();
})();
