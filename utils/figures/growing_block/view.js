/* What the growing block shows, and what the reader does with it. */

const MOST_LAYERS = 32;
const MOST_GROWTH = 64;
const GAUGES = [
  ["parameters", "parameters", (x) => x.parameters],
  ["macs", "MACs an image", (x) => x.macs],
  ["kept", "MB an image kept for the backward pass", (x) => x.megabytes],
];

/** One row for each layer: what it reads in grey, what it writes in colour. */
function drawBlock(width, settings, block, chosen) {
  const { first, growth, layers } = settings;
  const high = Math.max(6, Math.min(16, 220 / (layers + 1)));
  const left = 54;
  const scale = (width - left - 2) / block.channels;
  const svg = make("svg", { class: "rows", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${width} ${(layers + 1) * high + 4}` });
  const bar = (kind, row, from, count) => make("rect", {
    class: `bar ${kind}`, x: left + from * scale, y: row * high + 1,
    width: count * scale, height: high - 2 });
  for (let row = 0; row <= layers; row += 1) {
    const own = row === layers ? "" : row + 1 === chosen ? " chosen" : "";
    svg.append(bar(`input${own}`, row, 0, first));
    for (let i = 0; i < Math.min(row, layers); i += 1) {
      svg.append(bar(`read${own}`, row, first + i * growth, growth));
    }
    if (row < layers) {
      svg.append(bar(`new${own}`, row, first + row * growth, growth));
    }
    if (high >= 11 || row === 0 || row === layers || row + 1 === chosen) {
      svg.append(make("text", { x: left - 6, y: row * high + high / 2 + 4 },
        row === layers ? "out" : `layer ${row + 1}`));
    }
  }
  return svg;
}

/** Two bars, one below the other: the dense block and the residual one. */
function drawGauge(width, values) {
  const most = Math.max(...values, 1e-9);
  const svg = make("svg", { class: "gauge", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${width} 26` });
  values.forEach((value, i) => {
    svg.append(make("rect", { class: i ? "bar other" : "bar new", x: 0,
      y: 13 * i, width: value / most * width, height: 11 }));
  });
  return svg;
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Growing block");
  const state = { layers: data.layers, growth: data.growth, bottleneck: true,
    compression: 0.5, chosen: data.layers };

  /** A number from least to most, in steps. */
  function setting(key, label, least, most, step) {
    const { node, show } = stepper(label, [least, most], (by) => {
      state[key] = Math.min(most, Math.max(least, state[key] + by * step));
      refresh();
    });
    return { node: make("div", { class: "control" }, make("span", {}, label),
      node), show: () => show(state[key]) };
  }

  const steppers = [
    setting("layers", "layers", 1, MOST_LAYERS, 1),
    setting("growth", "growth rate k", 2, MOST_GROWTH, 2),
  ];
  const choice = (key, legend, choices) =>
    radios(id(key), legend, choices, (value) => {
      state[key] = value;
      refresh();
    });
  const kinds = choice("bottleneck", "Layer",
    [[true, "1 × 1, then 3 × 3"], [false, "3 × 3"]]);
  const compressions = choice("compression", "Compression θ",
    [[1, "1"], [0.5, "½"], [0.25, "¼"]]);
  const twice = (key, words) => make("button", { type: "button",
    onclick: () => {
      const most = key === "layers" ? MOST_LAYERS : MOST_GROWTH;
      state[key] = Math.min(most, 2 * state[key]);
      refresh();
    } }, words);
  const again = make("button", { type: "button", onclick: () => {
    Object.assign(state, { layers: data.layers, growth: data.growth,
      bottleneck: true, compression: 0.5, chosen: data.layers });
    refresh();
  } }, "From the start");
  const slider = make("input", { type: "range", min: 1, step: 1,
    id: id("chosen"), oninput: () => {
      state.chosen = slider.valueAsNumber;
      refresh(true);
    } });
  const rows = make("div", { class: "block" });
  const read = make("p", { class: "caption" });
  const gauges = make("div", { class: "gauges" });
  const numbers = make("tbody", {});
  body.append(
    make("div", { class: "controls" }, ...steppers.map((one) => one.node),
      kinds.node, compressions.node),
    toolbar("Changes in one step", twice("layers", "Twice the layers"),
      twice("growth", "Twice the k"), again),
    make("div", { class: "views" },
      make("div", {}, rows, make("div", { class: "control look" },
        make("label", { for: id("chosen") }, "Look at layer"), slider), read),
      gauges),
    summary,
    make("table", {}, make("caption", {},
      `Both blocks, on maps of ${data.side} × ${data.side}`),
    make("thead", {}, make("tr", {}, ...["block", "dense", "residual"].map((name) =>
      make("th", { scope: "col" }, name)))), numbers));

  function refresh(onlyLook = false) {
    const settings = { ...state, first: 2 * state.growth, side: data.side };
    state.chosen = Math.min(state.chosen, state.layers);
    const block = dense(settings);
    const other = residual(block.parameters,
      state.layers * (state.bottleneck ? 2 : 1), data.side);
    steppers.forEach((one) => one.show());
    kinds.show(state.bottleneck);
    compressions.show(state.compression);
    slider.max = state.layers;
    slider.value = state.chosen;
    slider.setAttribute("aria-valuetext", layerText(settings, state.chosen));
    // Before the page is laid out, or in a closed tab, there is no width.
    const width = Math.max(240, rows.clientWidth);
    rows.replaceChildren(drawBlock(width, settings, block, state.chosen));
    read.textContent = layerText(settings, state.chosen);
    if (onlyLook) return;
    const sized = [block, other].map((one) => ({ ...one,
      megabytes: megabytes(one.kept, data.side) }));
    const wide = Math.max(200, gauges.clientWidth);
    gauges.replaceChildren(...GAUGES.map(([key, words, value]) => {
      const [ours, theirs] = sized.map(value);
      const text = key === "kept" ? (x) => x.toFixed(2) : short;
      return make("div", {}, make("div", { class: "title" }, words),
        drawGauge(wide, [ours, theirs]),
        make("div", { class: "caption" }, `dense ${text(ours)}, residual ` +
          text(theirs)));
    }));
    const once = megabytes(block.keptOnce, data.side).toFixed(2);
    const line = (name, ours, theirs) => make("tr", {},
      make("th", { scope: "row" }, name), make("td", {}, ours),
      make("td", {}, theirs));
    numbers.replaceChildren(
      line("convolutions", number(state.layers * (state.bottleneck ? 2 : 1)),
        number(2 * other.pairs)),
      line("channels at the end", number(block.channels),
        number(other.width)),
      line("behind the transition", number(block.passed), "–"),
      line("parameters", number(block.parameters), number(other.parameters)),
      line("MACs", short(block.macs), short(other.macs)),
      line("maps kept", number(block.kept), number(other.kept)),
      line("MB kept", sized[0].megabytes.toFixed(2),
        sized[1].megabytes.toFixed(2)),
      line("MB, kept once and computed twice", once, "–"));
    say(summaryText(settings, block, other));
  }

  drawToWidth(element, () => refresh());
}
