/* What the growing network shows, and what the reader does with it. */

const PRESETS = {
  "one block": [[1, 64]],
  "VGG A": [[1, 64], [1, 128], [2, 256], [2, 512], [2, 512]],
  "VGG B": [[2, 64], [2, 128], [2, 256], [2, 512], [2, 512]],
  "VGG D": [[2, 64], [2, 128], [3, 256], [3, 512], [3, 512]],
  "VGG E": [[2, 64], [2, 128], [4, 256], [4, 512], [4, 512]],
};
const MOST_BLOCKS = 6;
const GAUGES = [
  ["parameters", "parameters"],
  ["macs", "MACs an image"],
  ["activations", "activations an image"],
];

/** The photograph; what the last value does not see is covered. */
function drawPicture(picture, side, stages) {
  const svg = make("svg", { class: "picture", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${side} ${side}` },
  make("image", { href: picture, width: side, height: side }));
  const squares = stages.filter((stage) => stage.field).map(({ field }) => {
    const start = Math.max(0, (side - field) / 2);
    return [start, side - 2 * start];
  });
  const [start, size] = squares[squares.length - 1];
  svg.append(make("path", { class: "unseen", "fill-rule": "evenodd",
    d: `M0 0h${side}v${side}h${-side}zM${start} ${start}h${size}v${size}` +
      `h${-size}z` }));
  squares.forEach(([x, width], i) => {
    svg.append(make("rect", { class: "halo", x, y: x, width, height: width }),
      make("rect", { class: `field stage${i + 1}`, x, y: x, width,
        height: width }));
  });
  return svg;
}

/** One stacked bar, and below it where the known networks stand. */
function drawGauge(width, key, result, marks) {
  const most = 1.04 *
    Math.max(result[key], ...Object.values(marks).map((mark) => mark[key]));
  const place = (value) => value / most * width;
  const svg = make("svg", { class: "gauge", "aria-hidden": "true",
    focusable: "false" });
  let left = 0;
  result.stages.forEach((stage, i) => {
    const wide = place(stage[key]);
    const kind = stage.field ? `stage${i + 1}` : "head";
    svg.append(make("rect", { class: `part ${kind}`, x: left, y: 0,
      width: wide, height: 18 }));
    left += wide;
  });
  // Marks that touch share one name; names that overlap move down a line.
  const sorted = Object.entries(marks).sort((a, b) => a[1][key] - b[1][key]);
  const groups = [];
  for (const [name, mark] of sorted) {
    const x = place(mark[key]);
    const last = groups[groups.length - 1];
    svg.append(make("path", { class: "mark", d: `M${x} 0v22` }));
    if (last && x - last.end < 9) last.names.push(name);
    else groups.push({ x, names: [name] });
    groups[groups.length - 1].end = x;
  }
  const ends = [];
  for (const { x, names } of groups) {
    const words = names.join(", ");
    const half = 4.4 * words.length; // room for spaced letters
    const middle = Math.min(Math.max(x, half), width - half);
    let line = 0;
    while (ends[line] > middle - half - 4) line += 1;
    ends[line] = middle + half;
    svg.append(make("text", { x: middle, y: 33 + 14 * line }, words));
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${24 + 14 * ends.length}`);
  return svg;
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Growing network");
  const { side, picture, marks } = data;
  const state = { kernel: 3, connected: true, blocks: [] };
  const asBlocks = (pairs) => pairs.map(([convolutions, channels]) =>
    ({ convolutions, channels }));
  state.blocks = asBlocks(PRESETS["one block"]);

  const presets = Object.entries(PRESETS).map(([name, pairs]) =>
    make("button", { type: "button", onclick: () => {
      state.blocks = asBlocks(pairs);
      state.kernel = 3;
      state.connected = true;
      rebuild();
    } }, name));
  const choice = (key, legend, choices) =>
    radios(id(key), legend, choices, (value) => {
      state[key] = value;
      refresh();
    });
  const kernels = choice("kernel", "Kernels",
    [3, 5, 7].map((k) => [k, `${k} × ${k}`]));
  const heads = choice("connected", "Classifier",
    [[true, "three layers, 4,096 wide"], [false, "global average, one layer"]]);
  const add = make("button", { type: "button", class: "strong",
    onclick: () => {
      const last = state.blocks[state.blocks.length - 1];
      if (state.blocks.length === MOST_BLOCKS) return;
      state.blocks.push({ convolutions: 2,
        channels: Math.min(512, 2 * last.channels) });
      rebuild();
    } }, "Add a block");
  const remove = make("button", { type: "button",
    onclick: () => {
      if (state.blocks.length === 1) return;
      state.blocks.pop();
      rebuild();
    } }, "Remove the last");
  const photo = make("div", { class: "photo" });
  const gauges = make("div", { class: "gauges" });
  const rows = make("ol", { class: "parts" });
  const blocks = make("div", { role: "toolbar", "aria-label": "Blocks" }, rows);
  oneStop(blocks, "[role=spinbutton]");
  body.append(
    toolbar("Starting points", ...presets),
    make("div", { class: "controls" }, kernels.node, heads.node),
    make("div", { class: "views" }, photo, gauges), summary, blocks,
    toolbar("How many blocks", add, remove));
  let values = [];

  /** A number of a block, from least to most; next(value, by) is its step. */
  function setting(block, label, key, [least, most], next) {
    const { node, show } = stepper(label, [least, most], (by) => {
      block[key] = Math.min(most, Math.max(least, next(block[key], by)));
      show(block[key]);
      refresh();
    });
    show(block[key]);
    return make("div", { class: "control" }, make("span", {}, key), node);
  }

  /** Rows for the blocks there are now, and the classifier's. */
  function rebuild() {
    values = [];
    const row = (name, kind, ...controls) => {
      const numbers = make("div", { class: "values" });
      values.push(numbers);
      return make("li", {}, make("strong", { class: `name ${kind}` }, name),
        ...controls, numbers);
    };
    rows.replaceChildren(...state.blocks.map((block, i) => {
      const name = `block ${i + 1}`;
      return row(name, `stage${i + 1}`,
        setting(block, `${name}, convolutions`, "convolutions", [1, 8],
          (n, by) => n + by),
        setting(block, `${name}, channels`, "channels", [8, 2048],
          (n, by) => n * 2 ** by));
    }), row("classifier", "head"));
    // They keep the focus, which a button that is disabled would lose.
    const count = state.blocks.length;
    add.setAttribute("aria-disabled", String(count === MOST_BLOCKS));
    remove.setAttribute("aria-disabled", String(count === 1));
    refresh();
  }

  function refresh() {
    const result = grow({ channels: 3, side }, state.blocks, state.kernel,
      state.connected);
    kernels.show(state.kernel);
    heads.show(state.connected);
    presets.forEach((button, i) => {
      const pairs = Object.values(PRESETS)[i];
      const same = JSON.stringify(asBlocks(pairs)) ===
        JSON.stringify(state.blocks) && state.kernel === 3 && state.connected;
      button.setAttribute("aria-pressed", String(same));
    });
    photo.replaceChildren(drawPicture(picture, side, result.stages),
      make("div", { class: "caption" }, fieldText(result.field, side)),
      make("div", { class: "caption" }, "Others, behind their last pooling: " +
        Object.entries(marks).map(([name, mark]) => `${name} ${mark.field}`)
          .join(", ") + "."));
    // Before the page is laid out, or in a closed tab, there is no width.
    const width = Math.max(240, gauges.clientWidth);
    gauges.replaceChildren(...GAUGES.map(([key, words]) =>
      make("div", {}, make("div", { class: "title" },
        make("strong", {}, short(result[key])), ` ${words}`),
      drawGauge(width, key, result, marks))));
    say(summaryText(state.blocks, result), fieldText(result.field, side));
    result.stages.forEach((stage, i) => {
      const value = (label, shown) => make("div", {},
        make("span", {}, label), shown);
      values[i].replaceChildren(
        ...stage.field ? [value("output", `${stage.channels} × ${stage.side}` +
          ` × ${stage.side}`), value("sees", number(stage.field))] : [],
        value("parameters", short(stage.parameters)),
        value("MACs", short(stage.macs)),
        value("activations", short(stage.activations)));
    });
  }

  rebuild();
  drawToWidth(element, refresh);
}
