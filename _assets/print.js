/* Before the page is printed: its links become notes at its end, and pictures
   further down, which a window would load when they are near, are loaded, as
   are figures. */
(() => {
  "use strict";
  const article = document.querySelector("article.bd-article");
  if (!article) return;
  let added = [];

  function note(address) {
    const item = document.createElement("li");
    item.textContent = address;
    return item;
  }

  addEventListener("beforeprint", () => {
    if (added.length) return;
    document.dispatchEvent(new Event("mount-figures"));
    article.querySelectorAll("img[loading=lazy]").forEach((image) => {
      image.loading = "eager";
    });
    const numbers = new Map(); // one note for each address
    for (const link of article.querySelectorAll("a[href^=http]")) {
      if (!numbers.has(link.href)) numbers.set(link.href, numbers.size + 1);
      const number = document.createElement("sup");
      number.className = "print-only";
      number.textContent = `[${numbers.get(link.href)}]`;
      link.after(number);
      added.push(number);
    }
    if (!numbers.size) return;
    const list = document.createElement("section");
    list.className = "print-only print-links";
    list.innerHTML = "<h2>Links</h2><ol></ol>";
    list.lastChild.append(...[...numbers.keys()].map(note));
    article.append(list);
    added.push(list);
  });

  addEventListener("afterprint", () => {
    added.forEach((element) => element.remove());
    added = [];
  });
})();
