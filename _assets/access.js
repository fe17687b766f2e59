/* What the theme leaves unsaid to readers who listen, and undone for those who
   have no mouse. */

/** Let screen readers say a sentence, which nobody sees. */
window.bookSay = (() => {
  "use strict";
  const spoken = document.createElement("div");
  spoken.className = "visually-hidden";
  spoken.setAttribute("role", "status");
  // Within a landmark: axe asks for that.
  (document.querySelector("main") ?? document.body).append(spoken);
  return (sentence) => { spoken.textContent = sentence; };
})();

/* The button for colours names its state. */
(() => {
  "use strict";
  const NAMES = { light: "light", dark: "dark", auto: "as the system" };
  const root = document.documentElement;
  const buttons = document.querySelectorAll(".theme-switch-button");

  function label() {
    const name = `Colours: ${NAMES[root.dataset.mode]}`;
    for (const button of buttons) {
      button.setAttribute("aria-label", name);
      button.title = name;
      button.querySelectorAll("i").forEach((icon) =>
        icon.removeAttribute("title"));
    }
    return name;
  }

  label();
  new MutationObserver(() => window.bookSay(label())).observe(
    root, { attributeFilter: ["data-mode"] });
})();

/* The buttons that copy code: each is named after its code, those of a section
   are one stop of the Tab key, and arrow keys lead from one to the next. */
(() => {
  "use strict";
  const groups = new Map(); // from a section, or a solution, to its buttons
  const names = new Set();

  const few = (words) => words.length < 5 ? words.join(", ")
    : `${words.slice(0, 3).join(", ")} and ${words.length - 3} more`;

  /** What a reader would call the code. */
  function nameOf(pre) {
    const code = pre.textContent;
    const what = pre.closest(".cell") ? "cell" : "code";
    const title = code.match(/^# @title (.+)/m)?.[1];
    if (title) return `Copy ${title}`;
    const defined = [...code.matchAll(/^(?:class|def) (\w+)/gm)]
      .map((match) => match[1]);
    if (defined.length) return `Copy the ${what} that defines ${few(defined)}`;
    const set = code.match(/^(\w+)(?:, \w+)* = /m)?.[1];
    if (set) return `Copy the ${what} that sets ${set}`;
    const line = code.trim().split("\n")[0].slice(0, 60);
    return `Copy the ${what} that begins: ${line}`;
  }

  for (const button of document.querySelectorAll(".copybtn")) {
    const name = nameOf(button.previousElementSibling);
    let unique = name;
    for (let i = 2; names.has(unique); i += 1) unique = `${name}, number ${i}`;
    names.add(unique);
    button.setAttribute("aria-label", unique);
    const group = button.closest(
      "details, article > section > section, article");
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(button);
  }
  const hint = document.createElement("p");
  hint.id = "copy-keys";
  hint.hidden = true;
  hint.textContent = "Arrow keys lead to the other cells of this section.";
  document.body.append(hint);

  function makeStop(group, button) {
    for (const each of group) each.tabIndex = each === button ? 0 : -1;
  }

  for (const group of groups.values()) {
    if (group.length === 1) continue;
    makeStop(group, group[0]);
    group.forEach((button, i) => {
      button.setAttribute("aria-describedby", hint.id);
      button.addEventListener("focus", () => makeStop(group, button));
      button.addEventListener("keydown", (event) => {
        const next = {
          ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: group.length - 1,
        }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        event.stopPropagation(); // else Home turns the presenter's screens
        group[next]?.focus();
      });
    });
  }

  // Copying takes the focus away.
  document.addEventListener("click", (event) => {
    event.target.closest(".copybtn")?.focus({ preventScroll: true });
  });
  const article = document.querySelector("article.bd-article");
  if (!article) return;
  new MutationObserver((changes) => {
    for (const { target } of changes)
      if (target.dataset.tooltip !== "Copy")
        window.bookSay(target.dataset.tooltip);
  }).observe(article, { attributeFilter: ["data-tooltip"], subtree: true });
})();

/* Code, an output, a table or a formula is a stop of the Tab key only where it
   scrolls. The theme would ask all of them for their sizes at every change of
   the page, see light_pages.py. */
(() => {
  "use strict";
  const boxes = [...document.querySelectorAll(`article :is(pre, div.math,
    .cell_output > .output, .data-table, .pst-scrollable-table-container)`)];
  const scrolls = (box) => box.scrollWidth > box.clientWidth;

  function settle(some) {
    // First all sizes, then all changes: the page is laid out only once.
    const stops = some.map(scrolls);
    some.forEach((box, i) => { box.tabIndex = stops[i] ? 0 : -1; });
  }

  const observer = new ResizeObserver((changed) =>
    settle(changed.map(({ target }) => target)));
  boxes.forEach((box) => observer.observe(box));

  // Sections out of sight are laid out only when they come near (book.css), and
  // nothing in them is observed before. They are asked in the browser's idle
  // moments, again when the window changes or letters arrive that make a formula
  // wider. Safari has neither sections that wait nor idle moments.
  let rest = [];
  function askSome(deadline) {
    while (rest.length && deadline.timeRemaining() > 5)
      settle(rest.splice(0, 8));
    if (rest.length) requestIdleCallback(askSome);
  }
  function askAll() {
    if (!rest.length) window.requestIdleCallback?.(askSome);
    rest = [...boxes];
  }
  askAll();
  addEventListener("resize", askAll);
  document.fonts.addEventListener("loadingdone", askAll);
})();

/* What opens a part of the contents is named after it. */
for (const toggle of document.querySelectorAll("summary:has(.toctree-toggle)")) {
  const part = toggle.parentElement.previousElementSibling.textContent;
  toggle.setAttribute("aria-label", `Pages of “${part}”`);
}

/* When a drawer closes, the focus returns to the button that opened it. */
for (const name of ["primary", "secondary"]) {
  const drawer = document.getElementById(`pst-${name}-sidebar-modal`);
  const button = document.querySelector(`.${name}-toggle`);
  button?.setAttribute("aria-label",
    name === "primary" ? "Contents of the book" : "Contents of this page");
  drawer?.addEventListener("close", () => setTimeout(() => button.focus()));
}

/* The logo belongs to a landmark, and who dictates says what is written on the
   field for searching. */
(() => {
  "use strict";
  const home = document.querySelector(".navbar-brand")?.parentElement;
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "Cover of the book");
  document.querySelector(".search-button-field")?.removeAttribute("aria-label");
})();

/* All shortcuts, at the foot of every page. Those of one key can be switched
   off: who dictates would press them by speaking. */
(() => {
  "use strict";
  const KEYS = [
    ["p", "presenter mode: enter, leave"],
    ["b .", "presenting: blank the screen"],
    ["z", "presenting: enlarge a figure"],
    ["s", "presenting: notes and a clock in a second window"],
    ["c", "presenting: start and pause the clock there"],
    ["→ ← Space Page Up Page Down", "presenting: turn the screens"],
    ["Home End", "presenting: first, last screen"],
    ["F5", "presenting: nothing, since clickers send it; Ctrl R reloads"],
    ["Esc", "leave what is open"],
    ["Ctrl K", "search"],
    ["↑ ↓", "from one copy button to the next"],
  ];
  const panel = document.createElement("details");
  panel.className = "keys d-print-none";
  panel.innerHTML = `
    <summary>Keyboard shortcuts</summary>
    <dl>${KEYS.map(([keys, what]) =>
      `<div><dt>${keys}</dt><dd>${what}</dd></div>`).join("")}</dl>
    <p><label><input type="checkbox"> Single keys (p, b, z, s, c and the full stop) work</label></p>`;
  const box = panel.querySelector("input");
  const read = () => { box.checked = window.bookStore.get("keys").off !== true; };
  box.addEventListener("change", () => box.checked
    ? window.bookStore.remove("keys")
    : window.bookStore.set("keys", { off: true }));
  document.addEventListener("book-forgets", read);
  read();
  document.querySelector(".extra_footer")?.append(panel);
})();
