/* What the book remembers in the reader's browser: one small store for the
   questions, marks and the presenter. Nothing in it is ever sent.

   A name holds an object. Where the browser forbids storage or has no room
   left, the object lives until the reader leaves the page. */
window.bookStore = (() => {
  "use strict";
  const PREFIX = "modern-convnets/"; // other books may have the same address
  const memory = new Map(); // texts that the browser would not keep

  function names() {
    let kept = [];
    try {
      kept = Object.keys(localStorage)
        .filter((key) => key.startsWith(PREFIX))
        .map((key) => key.slice(PREFIX.length));
    } catch { /* forbidden */ }
    return [...new Set([...kept, ...memory.keys()])].sort();
  }

  /** The object under a name; an empty one if there is none. */
  function get(name) {
    try {
      const text = memory.get(name) ?? localStorage.getItem(PREFIX + name);
      const value = JSON.parse(text);
      if (value && typeof value === "object") return value;
    } catch { /* forbidden, or damaged */ }
    return {};
  }

  /** Keep an object; says whether it outlives the page. */
  function set(name, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(PREFIX + name, text);
      memory.delete(name);
    } catch {
      memory.set(name, text);
    }
    return !memory.has(name);
  }

  /** Whether what is kept now outlives the page. */
  function lasts() {
    const kept = set("test", {});
    remove("test");
    return kept;
  }

  function remove(name) {
    memory.delete(name);
    try {
      localStorage.removeItem(PREFIX + name);
    } catch { /* forbidden: nothing is there */ }
  }

  /** Everything as JSON, for the reader to keep or to show. */
  function exported() {
    const kept = Object.fromEntries(names().map((name) => [name, get(name)]));
    return JSON.stringify(
      { book: "Modern Convolutional Networks", kept }, null, 2);
  }

  /** Forget everything, and tell what shows it on this page. */
  function removeAll() {
    names().forEach(remove);
    document.dispatchEvent(new Event("book-forgets"));
  }

  return { names, get, set, remove, lasts, export: exported, removeAll };
})();

/* At the foot of every page the reader sees what is kept, can save it as a
   file, and can delete it. */
(() => {
  "use strict";
  const store = window.bookStore;
  const panel = document.createElement("details");
  panel.className = "remembers d-print-none";
  panel.innerHTML = `
    <summary>What this book remembers in your browser</summary>
    <p>Your answers to its questions, the exercises you have done, where a
    presentation stopped, its clock, and whether you switched single keys off.
    It stays on this device: nothing is ever sent.</p>
    <p role="status"></p>
    <button type="button">Save as a file</button>
    <button type="button">Delete all</button>`;
  const status = panel.querySelector("[role=status]");
  const [save, erase] = panel.querySelectorAll("button");

  function tell() {
    const chapters = store.names().filter((name) => name.startsWith("answers/"));
    const answers = chapters.flatMap((name) => Object.keys(store.get(name)));
    status.textContent = `Answers remembered: ${answers.length}.`
      + (store.lasts() ? ""
        : " This browser keeps nothing new: it is forgotten with this page.");
  }

  panel.addEventListener("toggle", tell);
  save.addEventListener("click", () => {
    const file = new Blob([store.export()], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "modern-convnets.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  erase.addEventListener("click", () => {
    if (!confirm("Delete all that this book remembers here?")) return;
    store.removeAll();
    tell();
  });
  document.querySelector(".extra_footer")?.append(panel);
})();
