/* What the reuse map shows: one block, one measure, all numbers. */

const DIGITS = [3, 2, 3];
const MEANING = [
  "mean absolute weight between source and reader",
  "how much the reader's outputs vary because of the source",
  "how much the loss grows if this wire alone is cut",
];

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Reuse map");
  const { blocks, kinds } = data;
  const state = { block: 0, kind: kinds.length - 1 };
  const choice = (key, legend, words) =>
    radios(id(key), legend, words.map((one, i) => [i, one]), (value) => {
      state[key] = value;
      refresh();
    });
  const which = choice("block", "Block", blocks.map((_, i) => `${i + 1}`));
  const measure = choice("kind", "Measure", kinds);
  const box = make("div", { class: "box", tabindex: 0, role: "group" });
  const title = make("p", { class: "title" });
  body.append(
    make("div", { class: "controls" }, which.node, measure.node),
    title, box, make("p", { class: "caption" }, "The stronger a field's " +
      "colour, the nearer it is to the largest of what the same reader " +
      "gets; that one is framed. In the wide map a column is one reader."),
    summary);

  function refresh() {
    which.show(state.block);
    measure.show(state.kind);
    const block = blocks[state.block];
    const most = largest(block, state.kind);
    const head = make("tr", {}, make("th", { scope: "col" },
      "from \\ to"), ...block.map((_, r) => make("th", { scope: "col" },
      r + 1 === block.length ? "exit" : `${r + 1}`)));
    const lines = block.map((_, s) => make("tr", {},
      make("th", { scope: "row" }, source(s)),
      ...block.map((wires, r) => {
        if (s > r) return make("td", { class: "none" }, "");
        const share = shares(wires, state.kind)[s];
        return make("td", { class: s === most[r] ? "most" : "wire",
          "data-to": r + 1 === block.length ? "exit" : `${r + 1}`,
          style: `--share: ${(100 * share).toFixed(0)}%` },
        make("span", {}, wires[s][state.kind].toFixed(DIGITS[state.kind])
          .replace("-", "−")));
      })));
    title.textContent = `Block ${state.block + 1}: ${MEANING[state.kind]}`;
    box.setAttribute("aria-label", title.textContent);
    box.replaceChildren(make("table", {}, make("thead", {}, head),
      make("tbody", {}, ...lines)));
    say(mapText(block, state.block + 1, kinds, state.kind));
  }

  refresh();
}
