/* A formula that is wider than the page scrolls in its own box. Only then is
   it a stop of the Tab key, so that the arrow keys can move it. */
(() => {
  "use strict";
  function makeStops() {
    for (const box of document.querySelectorAll("article div.math")) {
      const scrolls = box.scrollWidth > box.clientWidth;
      box.toggleAttribute("tabindex", false);
      if (scrolls) box.tabIndex = 0;
    }
  }
  document.fonts.ready.then(makeStops);
  window.addEventListener("resize", makeStops);
})();
