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
 * put where it fits; say(sentence), which writes it there and, when the
 * reader pauses, lets a screen reader speak it; id(name), an id that no other
 * figure has.
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
  let waiting = 0;
  let last = null;
  function say(sentence) {
    summary.textContent = sentence;
    // What the figure begins with is no change.
    last ??= sentence;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (sentence !== last) spoken.textContent = sentence;
      last = sentence;
    }, PAUSE);
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

/** Every figure not yet mounted: notebook front ends move scripts about. */
function mountAll() {
  const waiting = ".FIGURE:not([data-mounted])";
  for (const element of document.querySelectorAll(waiting)) {
    element.dataset.mounted = "";
    mount(element, { ...JSON.parse(element.dataset.figure),
      network: () => networkOf(element) });
  }
}
