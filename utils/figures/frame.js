/* What all figures share. The word in capitals stands for the figure's class.
 * frame.py puts this file and those of a figure into one function, a classic
 * script that needs nothing else.
 */

/** An element; class names get the figure's prefix, "on..." are listeners. */
function make(tag, settings, ...children) {
  const isDrawing = /^(svg|g|image|path|rect|text)$/.test(tag);
  const node = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name === "class") {
      node.setAttribute("class", value.replace(/(^| )/g, "$1FIGURE-"));
    } else if (name.startsWith("on")) {
      node.addEventListener(name.slice(2), value);
    } else {
      node.setAttribute(name, value);
    }
  }
  node.append(...children);
  return node;
}

/**
 * Put a figure's frame into its element, in place of what stood there.
 *
 * Returns body, where the figure goes; summary, a line for its result, to be
 * put where it fits; say(sentence, more), which writes the sentence there and,
 * when the reader pauses, lets a screen reader speak what is new of both;
 * id(name), an id that no other figure has.
 */
function frame(element, data, title) {
  const body = make("div", { class: "body" });
  const summary = make("p", { class: "summary" });
  const spoken = make("div", { class: "spoken", role: "status" });
  const own = Math.random().toString(36).slice(2);
  const id = (name) => `FIGURE-${own}-${name}`;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", title);
  element.replaceChildren(
    data.guess ? firstGuess(data.guess, id("guess")) : "", body, spoken);
  keepKeys(element);

  const PAUSE = 700; // milliseconds without a change: then it has ended
  const told = [];
  let waiting = 0;
  function say(...sentences) {
    [summary.textContent] = sentences;
    // What the figure begins with is no change.
    sentences.forEach((sentence, i) => { told[i] ??= sentence; });
    const speak = () => {
      if (element.matches(":active")) { // a pointer still drags something
        waiting = setTimeout(speak, PAUSE);
        return;
      }
      const news = sentences.filter((sentence, i) => sentence !== told[i]);
      Object.assign(told, sentences);
      if (news.length) spoken.textContent = news.join(" ");
    };
    clearTimeout(waiting);
    waiting = setTimeout(speak, PAUSE);
  }
  return { body, summary, say, id };
}

/**
 * Keep the keys pressed in a figure from JupyterLab, where "d" twice would
 * delete the cell and an arrow would leave it.
 *
 * JupyterLab listens before everything in the page does, and asks the element
 * that has the focus for this attribute; one around it is asked too late.
 * Combinations with Ctrl, as for saving, stay JupyterLab's.
 */
function keepKeys(element) {
  for (const type of ["focusin", "keydown", "keyup"]) {
    element.addEventListener(type, ({ target, ctrlKey, metaKey }) =>
      target.toggleAttribute("data-lm-suppress-shortcuts",
        !ctrlKey && !metaKey));
  }
}

/**
 * A question that the reader may answer with a number, or skip.
 *
 * guess is {question, answer, unit, tolerance, explain}. The figure stays
 * usable all the time, and nothing is kept.
 */
function firstGuess(guess, id) {
  const { question, answer, unit, tolerance, explain } = guess;
  const amount = (value) => value.toLocaleString("en-GB",
    { maximumFractionDigits: 6 }).replace("-", "−") + (unit && ` ${unit}`);
  const result = make("p", { role: "status", tabindex: -1 });
  const show = (words) => {
    form.remove();
    result.textContent = `${words} ${explain}`;
    result.focus(); // or the focus would be lost with the button
  };
  const input = make("input", { type: "number", step: "any", id,
    required: "" });
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    const said = input.valueAsNumber;
    const right = Math.abs(said - answer) <= tolerance;
    show(`You said ${amount(said)}` +
      (said === answer ? ", and that is right."
        : `${right ? ", near enough" : ""}. It is ${amount(answer)}.`));
  } }, input, unit,
  make("button", { type: "submit" }, "Guess"),
  make("button", { type: "button",
    onclick: () => show(`It is ${amount(answer)}.`) }, "Skip"));
  return make("div", { class: "guess" }, make("label", { for: id },
    make("strong", {}, "First, a guess: "), question), form, result);
}

/**
 * A choice among few: choices are [value, words], name is from id().
 * Returns its node, and show(value), which marks that choice.
 */
function radios(name, legend, choices, choose) {
  const inputs = choices.map(([value]) => make("input",
    { type: "radio", name, onchange: () => choose(value) }));
  const node = make("fieldset", { class: "control" },
    make("legend", {}, legend), make("div", { class: "choice" },
      ...choices.map(([, words], i) => make("label", {}, inputs[i], words))));
  const show = (value) => choices.forEach(([one], i) => {
    inputs[i].checked = one === value;
  });
  return { node, show };
}

/** Buttons in a row, one stop of the Tab key. */
function toolbar(label, ...buttons) {
  const node = make("div", { class: "buttons", role: "toolbar",
    "aria-label": label }, ...buttons);
  oneStop(node);
  return node;
}

/** A number between two buttons for a pointer; change(-1 or 1) is its step. */
function spin(label, number, change) {
  const step = (by, sign, word) => make("button", { type: "button",
    // Where the number stands, the arrow keys do the same.
    tabindex: -1, "aria-label": `${label}: ${word}`,
    onclick: () => change(by) }, sign);
  return make("div", { class: "spin" }, step(-1, "−", "less"), number,
    step(1, "+", "more"));
}

/**
 * A whole number that arrow keys change, as do buttons for a pointer;
 * change(-1 or 1) is its step. Returns its node, and show(value, words), which
 * writes it, and what a screen reader says in its place if that is more.
 */
function stepper(label, [least, most], change) {
  const shown = make("span", { role: "spinbutton", tabindex: 0,
    "aria-label": label, "aria-valuemin": least, "aria-valuemax": most,
    onkeydown: (event) => {
      const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      change(by);
    } });
  const show = (value, words = value) => {
    shown.textContent = value;
    shown.setAttribute("aria-valuenow", value);
    shown.setAttribute("aria-valuetext", words);
  };
  return { node: spin(label, shown, change), show };
}

/**
 * Make what lies in a toolbar or a grid one stop of the Tab key: the item
 * that had the focus last. Arrow keys lead to the others, see neighbour.
 * Items are those of a selector; they may come, go and hide.
 */
function oneStop(node, selector = "button") {
  const items = () =>
    [...node.querySelectorAll(`:is(${selector}):not([hidden])`)];
  const settle = (stop) => {
    for (const item of items()) item.tabIndex = item === stop ? 0 : -1;
  };
  const tidy = () => settle(items().find((item) => item.tabIndex === 0) ??
    items()[0]);
  tidy();
  new MutationObserver(tidy).observe(node,
    { childList: true, subtree: true, attributeFilter: ["hidden"] });
  node.addEventListener("focusin", ({ target }) => {
    if (items().includes(target)) settle(target);
  });
  node.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (ctrlKey || metaKey || altKey || shiftKey) return;
    const isNumber = target.matches("input, [role=spinbutton]");
    // Up and down change a number, unless it is one of a grid.
    if (isNumber && /Up|Down/.test(key) && node.role !== "grid") return;
    // In a field these two are for what is written there.
    if (isNumber && /Home|End/.test(key)) return;
    const next = neighbour(items(), target, key);
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.select?.(); // so that what is typed replaces it
  });
}

/**
 * Where a key leads from an item: left and right to the one before and behind,
 * up and down to the nearest one in that direction, Home and End to the ends.
 */
function neighbour(items, from, key) {
  const at = items.indexOf(from);
  if (at === -1) return undefined;
  if (key === "ArrowLeft") return items[at - 1];
  if (key === "ArrowRight") return items[at + 1];
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const SAME_ROW = 8; // pixels
  const middle = (item) => {
    const { left, top, width, height } = item.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  };
  const [x, y] = middle(from);
  return items.map((item) => {
    const [itemX, itemY] = middle(item);
    const ahead = key === "ArrowUp" ? y - itemY : itemY - y;
    return { item, ahead, far: Math.hypot(ahead, itemX - x) };
  }).filter(({ ahead }) => ahead > SAME_ROW)
    .sort((one, other) => one.far - other.far)[0]?.item;
}

/** Draw now, and again whenever the element has got another width. */
function drawToWidth(element, draw) {
  let drawnAt = element.clientWidth;
  draw();
  new ResizeObserver(() => {
    if (element.clientWidth === drawnAt) return;
    drawnAt = element.clientWidth;
    draw();
  }).observe(element);
}

/**
 * The bytes of the network that came with a figure, as an ArrayBuffer.
 *
 * A notebook has them in the figure itself. The build moves them into a
 * script beside the page, whose one line is
 *     document.currentScript.dataset.network = "...";
 * and names it in data-network-script. Unlike fetch, a script is loaded in a
 * page from disk as well.
 */
async function networkOf({ dataset }) {
  const bytes = (text) =>
    Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  if (dataset.network) return bytes(dataset.network);
  const script = make("script", { src: dataset.networkScript });
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("The network that belongs to " +
      "this page could not be loaded. It is in the file " +
      `${dataset.networkScript} beside the page.`));
    document.head.append(script);
  });
  return bytes(script.dataset.network);
}

/**
 * Mount every figure that is not yet, each when the browser has a moment:
 * what stands in its place can be read meanwhile, and the page scrolled.
 * Notebook front ends move scripts about, so all of them are looked for. Who
 * cannot wait, such as a printer, sends the document the event "mount-figures".
 */
function mountAll() {
  const soon = window.requestIdleCallback ?? setTimeout; // Safari has none
  const waiting = ".FIGURE:not([data-mounted])";
  for (const element of document.querySelectorAll(waiting)) {
    const start = () => {
      document.removeEventListener("mount-figures", start);
      if ("mounted" in element.dataset) return;
      element.dataset.mounted = "";
      mount(element, { ...JSON.parse(element.dataset.figure),
        network: () => networkOf(element) });
    };
    document.addEventListener("mount-figures", start);
    soon(start);
  }
}
