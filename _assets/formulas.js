/* A formula that is wider than the page scrolls in its own box. Then, and only
   then, it is a stop of the Tab key, so that the arrow keys can move it. */
(() => {
  "use strict";
  const observer = new ResizeObserver((changed) => {
    for (const { target } of changed) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll("article div.math")) {
    observer.observe(box);
  }
})();
