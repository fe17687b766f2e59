/* What the Inception builder shows, and what the reader does with it. */

const MOST = 512; // maps of a layer
const ROWS = [ // a branch: its number in widths, and its reduction's
  { name: "1 × 1", maps: 0 },
  { name: "3 × 3", reduction: 1, maps: 2 },
  { name: "5 × 5", reduction: 3, maps: 4 },
  { name: "pooling", maps: 5 },
];
const GAUGES = [["macs", "MACs"], ["parameters", "parameters"]];

/** One stacked bar; the mark is where the budget ends. */
function drawGauge(width, values, budget) {
  const total = values.reduce((sum, value) => sum + value, 0);
  const most = 1.04 * Math.max(total, budget ?? 0, 1);
  const svg = make("svg", { class: "gauge", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${width} ${budget ? 40 : 20}` });
  let left = 0;
  values.forEach((value, i) => {
    const wide = value / most * width;
    svg.append(make("rect", { class: `part branch${i + 1}`, x: left, y: 1,
      width: wide, height: 18 }));
    left += wide;
  });
  if (budget) {
    const x = budget / most * width;
    svg.append(make("path", { class: "mark", d: `M${x} 0v24` }),
      make("text", { x: Math.min(Math.max(x, 30), width - 30), y: 36 },
        "budget"));
  }
  return svg;
}

function mount(element, data) {
  const { body, summary, say } = frame(element, data, "Inception builder");
  const names = Object.keys(data.stages);
  const state = { name: names[0], widths: [] };
  const stage = () => data.stages[state.name];

  const presets = names.map((name) => make("button", { type: "button",
    onclick: () => {
      state.name = name;
      state.widths = [...stage().widths];
      refresh();
    } }, name));
  const gauges = make("div", { class: "gauges" });
  const reads = make("p", { class: "caption" });
  const rows = make("ol", { class: "parts" });
  const grid = make("div", { role: "toolbar", "aria-label": "Widths" }, rows);
  const showers = [];

  /** A number of the block, 0 to MOST, in steps of 8. */
  function setting(row, place, words) {
    const { node, show } = stepper(`${row.name}, ${words}`, [0, MOST], (by) => {
      const next = state.widths[place] + 8 * by;
      state.widths[place] = Math.min(MOST, Math.max(0, next));
      refresh();
    });
    const none = words === "reduction" ? "0, none" : undefined;
    showers.push(() =>
      show(state.widths[place], state.widths[place] ? undefined : none));
    return make("div", { class: "control" }, make("span", {}, words), node);
  }

  const values = ROWS.map((row, i) => {
    const numbers = make("div", { class: "values" });
    rows.append(make("li", {},
      make("strong", { class: `name branch${i + 1}` }, row.name),
      row.reduction === undefined ? make("div", { class: "none" })
        : setting(row, row.reduction, "reduction"),
      setting(row, row.maps, "maps"), numbers));
    return numbers;
  });
  oneStop(grid, "[role=spinbutton]");
  const noReductions = make("button", { type: "button", onclick: () => {
    state.widths[1] = 0;
    state.widths[3] = 0;
    refresh();
  } }, "No reductions");
  const again = make("button", { type: "button", onclick: () => {
    state.widths = [...stage().widths];
    refresh();
  } }, "As in the paper");
  body.append(toolbar("The paper’s blocks", ...presets), reads, grid,
    toolbar("All widths", again, noReductions), gauges, summary);

  function refresh() {
    const here = stage();
    const block = price(here, state.widths);
    const budget = price(here, here.widths);
    presets.forEach((button, i) => button.setAttribute("aria-pressed",
      String(names[i] === state.name)));
    showers.forEach((show) => show());
    reads.textContent = `Block ${state.name} reads ${number(here.inputs)} ` +
      `channels of ${here.side} × ${here.side}; a value there sees up to ` +
      `${here.field} pixels, and neighbours are ${here.jump} apart.`;
    block.branches.forEach((branch, i) => {
      const value = (label, shown) => make("div", {},
        make("span", {}, label), shown);
      values[i].replaceChildren(value("parameters", short(branch.parameters)),
        value("MACs", short(branch.macs)),
        value("sees", branch.maps ? number(branch.field) : "–"));
    });
    // Before the page is laid out, or in a closed tab, there is no width.
    const width = Math.max(240, gauges.clientWidth);
    const titled = (strong, words, svg, ...more) => make("div", {},
      make("div", { class: "title" }, make("strong", {}, strong), words), svg,
      ...more);
    gauges.replaceChildren(
      ...GAUGES.map(([key, words]) => titled(short(block[key]), ` ${words}` +
        `, budget ${short(budget[key])}`, drawGauge(width,
        block.branches.map((branch) => branch[key]), budget[key]))),
      titled(number(block.maps), " channels handed on", drawGauge(width,
        block.branches.map((branch) => branch.maps)),
      make("div", { class: "caption" }, fieldText(block))));
    say(summaryText(state.name, block, budget), fieldText(block));
  }

  state.widths = [...stage().widths];
  refresh();
  drawToWidth(element, refresh);
}
