/* Links to places: a click on one (#) also copies its address, and a link that
   leads into something folded, a solution for instance, unfolds it. */
(() => {
  "use strict";

  const said = document.createElement("div");
  said.className = "link-copied d-print-none";
  said.setAttribute("role", "status");
  document.body.append(said);
  let soon = 0;

  function say(sentence) {
    clearTimeout(soon);
    said.textContent = sentence;
    soon = setTimeout(() => { said.textContent = ""; }, 3000);
  }

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.headerlink");
    if (!link) return;
    try {
      await navigator.clipboard.writeText(link.href);
      say("Link copied");
    } catch { /* forbidden: the address line has it */ }
  });

  /** Open what hides the place that the address names, and go there. */
  function unfold() {
    const place = document.getElementById(
      decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    const within = place.matches(".tag_solution")
      ? place.querySelector("details") : place;
    let moved = false;
    for (let fold = within; fold; fold = fold.parentElement) {
      if (!fold.matches("details") || fold.open) continue;
      fold.open = moved = true;
    }
    if (moved) place.scrollIntoView();
  }

  window.addEventListener("hashchange", unfold);
  unfold();
})();
