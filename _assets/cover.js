/* The cover shows one network at a time, one key apart. Where no script runs,
   all six stand below each other. */
(() => {
  "use strict";
  const cover = document.querySelector(".cover-book");
  const list = cover.querySelector("[role=tablist]");
  const tabs = [...list.children];
  const panels = [...cover.querySelectorAll(".cover-panel")];
  const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

  function show(place) {
    tabs.forEach((tab, each) => {
      tab.setAttribute("aria-selected", each === place);
      tab.tabIndex = each === place ? 0 : -1;
      panels[each].classList.toggle("cover-off", each !== place);
    });
  }

  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => show(place));
    panels[place].setAttribute("role", "tabpanel");
  });
  list.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    const place = tabs.indexOf(document.activeElement) + step;
    const next = Math.max(0, Math.min(tabs.length - 1, place));
    show(next);
    tabs[next].focus();
    event.preventDefault();
    event.stopPropagation();
  });
  list.hidden = false;
  cover.classList.add("cover-live");
  show(0);
})();
