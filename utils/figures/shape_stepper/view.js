/* What the shape stepper shows, and what the reader does with it. */

/** The maps as boxes: face = side, to scale; thickness = channels. */
function drawMaps(width, rows, selected, select) {
  const maps = rows.filter((row) => row.kind !== "Linear");
  const drawn = (row) => row.state === "fine";
  const narrow = width < 48 * maps.length + 150;
  const thick = (row) => drawn(row) ? Math.min(40, row.channels * 0.04) : 0;
  const tallest = Math.max(...maps.filter(drawn).map((row) => row.side), 1);
  let scale = (narrow ? 100 : 150) / tallest;
  const face = (row) => drawn(row) ? Math.max(2, row.side * scale) : 14;
  const slot = (row) =>
    Math.max(narrow ? 26 : 48, face(row) + thick(row) + 8);
  const total = () => maps.reduce((sum, row) => sum + slot(row), 0);
  for (let i = 0; i < 80 && total() > width; i += 1) scale *= 0.96;
  const spare = Math.max(0, width - total()) / maps.length;
  const height = tallest * scale + 38;
  const middle = (height - 36) / 2;
  const svg = make("svg", {
    class: "maps", "aria-hidden": "true", focusable: "false",
    viewBox: `0 0 ${Math.max(width, total())} ${height}`,
  });
  let left = 0;
  const boxes = maps.map((row, i) => {
    const [side, depth, room] = [face(row), thick(row), slot(row) + spare];
    const x = left + (room - side - depth) / 2;
    const y = middle - side / 2;
    const center = left + room / 2;
    left += room;
    const box = make("g", {
      class: `map ${row.state}${i === selected ? " selected" : ""}`,
      onclick: () => select(i),
    }, make("path", { class: "depth", d: drawn(row)
      ? `M${x} ${y}l${depth} ${-depth / 2}h${side}v${side}l${-depth} ` +
        `${depth / 2}M${x + side} ${y}l${depth} ${-depth / 2}` : "" }),
    make("rect", { class: "face", x, y, width: side, height: side }),
    make("text", { class: "side", x: center, y: height - 16 },
      drawn(row) ? number(row.side) : "–"));
    if (!narrow || i === selected) {
      box.append(make("text", { class: "name", x: center, y: height - 3 },
        row.name));
    }
    return { row, box, x, side };
  });
  svg.append(...boxes.map(({ box }) => box));
  if (selected > 0 && boxes[selected] && drawn(boxes[selected].row)) {
    // The receptive field of one output value, and the cone towards it.
    const { row, x: tip } = boxes[selected];
    const size = Math.min(row.receptive_field * scale, boxes[0].side);
    const x = boxes[0].x + (boxes[0].side - size) / 2;
    const edge = (y) => `M${x + size} ${y}L${tip} ${middle}`;
    svg.insertBefore(make("path", { class: "cone",
      d: edge(middle - size / 2) + edge(middle + size / 2) }),
    boxes[1].box);
    svg.append(make("rect", { class: "field", x, y: middle - size / 2,
      width: size, height: size }));
  }
  return svg;
}

/** One row of the input; below it every window that reads from it. */
function drawWindows(width, layer, before, row) {
  const padded = before.side + 2 * layer.padding;
  const pixel = width / Math.max(padded, span(layer));
  const windows = row.side || 1;
  const lanes = Math.min(windows, Math.ceil(span(layer) / layer.stride), 12);
  const lane = Math.max(4, Math.min(8, 60 / lanes));
  const [rowHeight, top] = [16, 22];
  const height = top + lanes * lane;
  const svg = make("svg", { class: "windows", "aria-hidden": "true",
    viewBox: `0 0 ${width} ${height}`, focusable: "false" });
  const bar = (kind, from, count, y, h) => {
    if (count > 0) {
      svg.append(make("rect", { class: kind, x: from * pixel, y,
        width: count * pixel, height: h }));
    }
  };
  const cells = (count) => pixel < 5 ? "" : Array.from({ length: count },
    (_, i) => `M${i * pixel} 0v${rowHeight}`).join("");
  bar("padding", 0, padded, 0, rowHeight);
  bar("pixels", layer.padding, before.side, 0, rowHeight);
  // Taller than the others, so that not the colour alone tells them apart.
  bar("unread", padded - (row.unread || 0), row.unread || 0, 0, top - 1);
  svg.append(make("path", { class: "grid", d: cells(padded) }));
  const gap = Math.min(1, pixel / 3);
  const shapes = Array.from({ length: windows }, (_, i) =>
    `M${i * layer.stride * pixel + gap / 2} ${top + (i % lanes) * lane}` +
    `h${span(layer) * pixel - gap}v${lane - 1.5}` +
    `h${gap - span(layer) * pixel}z`);
  svg.append(make("path", {
    class: row.state === "fine" ? "window" : "window misfit",
    d: shapes.join(""),
  }));
  return svg;
}

const COLUMNS = ["layer", "window", "output", "parameters", "MACs",
  "receptive field", "jump"];

/** One value of a row, marked where it differs from the original's. */
function cell(kind, label, value, was = value) {
  const changed = value !== was;
  return make("span", { class: kind + (changed ? " changed" : "") },
    make("span", { class: "label" }, label ? `${label} ` : ""),
    make("span", { class: "value" }, value),
    changed ? make("span", { class: "was" }, ` was ${was}`) : "");
}

/** The cells of one row behind its name. */
function cells(layer, row, result, wasLayer, was) {
  const does =
    cell("does", "", settingsText(layer, row), settingsText(wasLayer, was));
  if (row.state !== "fine") {
    const word = row.problem ? "impossible" : "not reached";
    return [does, cell("output", "output", word)];
  }
  const count = (value) => value ? number(value) : "–";
  const counted = [["parameters", "amount"], ["macs", "amount"],
    ["receptive_field", "number"], ["jump", "number"]].map(([key, kind], i) => {
    const node = cell(kind, COLUMNS[3 + i], count(row[key]), count(was[key]));
    const share = result[key] ? row[key] / result[key] : 0;
    node.style.setProperty("--FIGURE-share", share.toFixed(4));
    return node;
  });
  return [does, cell("output", "output", shape(row), shape(was)), ...counted];
}

/** Why it stops here and the way out; fix(value) takes it. */
function problemBox({ problem }, fix) {
  if (!problem) return "";
  const box = make("div", { class: "problem" },
    `${problem.text} ${problem.way}`);
  if (problem.fix) {
    box.append(make("button", { type: "button", class: "way",
      onclick: () => fix(problem.fix.value) }, problem.fix.label));
  }
  return box;
}

/** The picture and the arithmetic of the open layer. */
function details(width, layer, before, row) {
  const parts = [];
  const fine = row.state === "fine";
  const windowed = layer.kind !== "Linear";
  const tooWide = row.problem && row.problem.field === "kernel" &&
    isWhole(layer.kernel, 1);
  if (windowed && (fine || tooWide)) {
    parts.push(drawWindows(width, layer, before, row),
      make("div", { class: "caption" }, windowsText(layer, before, row)));
  }
  if (!fine) return parts;
  const hint = windowed ? remainderHint(layer, before, row) : "";
  if (hint) parts.push(make("div", { class: "hint" }, hint));
  parts.push(make("div", { class: "sums" },
    ...arithmetic(layer, before, row).map(([what, symbols, numbers]) =>
      make("div", { class: "sum" }, make("span", { class: "what" }, what),
        make("span", { class: "symbols" }, symbols),
        make("span", {}, numbers)))));
  return parts;
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Shape stepper");
  const { input: { channels, side }, layers: originalLayers, presets } = data;
  const fresh = () => ({ side, layers: structuredClone(originalLayers) });
  const state = { ...fresh(), follows: false, selected: 1 };
  const reference = computeTable({ channels, side }, originalLayers);
  const firstLinear = originalLayers.findIndex((l) => l.kind === "Linear");

  const change = (values) => {
    Object.assign(state, values);
    refresh();
  };
  const select = (i) =>
    change({ selected: i === 0 || state.selected === i ? -1 : i });
  const presetState = (preset) => {
    const layers = structuredClone(originalLayers);
    for (const layer of layers) {
      Object.assign(layer, preset.changes[layer.name]);
    }
    return { side: preset.side, layers };
  };

  /** A labelled number with a button on each side of it. */
  function numberField(name, label, least, owner, key) {
    const write = (value) => {
      owner()[key] = value;
      refresh();
    };
    const input = make("input", {
      type: "number", id: id(name), min: least, max: MOST, inputmode: "numeric",
      oninput: () => write(input.value === "" ? NaN : Number(input.value)),
    });
    const node = make("div", { class: "control" },
      make("label", { for: id(name) }, label),
      spin(label, input, (by) => write(Math.min(MOST,
        Math.max(least, (owner()[key] || 0) + by)))));
    return { key, node, update: (problem) => {
      const value = owner()[key];
      // Never rewrite what the reader is typing.
      if (!Object.is(input.valueAsNumber, value)) {
        input.value = Number.isNaN(value) ? "" : value;
      }
      const isCause = Boolean(problem) && problem.field === key;
      input.setAttribute("aria-invalid", String(isCause));
    } };
  }

  /* What stands still is built once; refresh() fills it. */
  const maps = make("div", { class: "overview" });
  const totals = make("div", { class: "row total" });
  const sizeField = numberField("side", "Input size", 1, () => state, "side");
  const presetButtons = presets.map((preset) => make("button", {
    type: "button", class: "preset",
    onclick: () => change(presetState(preset)),
  }, make("strong", {}, preset.label), make("span", {}, preset.note)));
  const inputItem = make("li", {});
  const items = originalLayers.map((layer, index) => {
    const fields = Object.keys(LEAST).filter((key) => key in layer)
      .map((key) => numberField(`${index}-${key}`, title(key), LEAST[key],
        () => state.layers[index], key));
    const item = {
      fields,
      flatten: make("div", { class: "flatten" }),
      button: make("button", { type: "button", class: "row",
        onclick: () => select(index + 1) }),
      controls: make("div", { class: "fields", role: "toolbar",
        "aria-label": `Settings of ${layer.name}` },
      ...fields.map((field) => field.node)),
      problem: make("div", {}),
      details: make("div", { class: "details" }),
    };
    oneStop(item.controls, "input");
    item.node = make("li", {}, index === firstLinear ? item.flatten : "",
      item.button, item.controls, item.problem, item.details);
    return item;
  });
  const first = originalLayers[firstLinear];
  const fit = first && radios(id("fit"), `Inputs of ${first.name}`, [
    [false, `fixed at ${number(first.in_features)}`],
    [true, "follow the maps"],
  ], (follows) => change({ follows }));
  const controls = make("div", { class: "controls" }, sizeField.node);
  if (fit) controls.append(fit.node);
  controls.append(make("button", { type: "button", class: "reset",
    onclick: () => change({ ...fresh(), follows: false }) }, "Reset"));
  const starts = toolbar("Starting points", ...presetButtons);
  starts.classList.add("FIGURE-presets");
  const rows = make("div", { class: "list", role: "toolbar",
    "aria-label": "Layers" }, make("ol", { class: "rows" }, inputItem,
    ...items.map((item) => item.node)));
  oneStop(rows, "button.FIGURE-row");
  body.append(starts, controls, maps, summary,
    make("div", { class: "table" },
      make("div", { class: "row head", "aria-hidden": "true" },
        ...COLUMNS.map((word) => make("span", {}, word))),
      rows, totals),
    make("div", { class: "caption" }, "The line under a number is its share " +
      "of the total. A dot • marks what differs from the start."));

  function refreshLayer(item, index, result, width) {
    const layer = state.layers[index];
    const row = result.rows[index + 1];
    const before = result.rows[index];
    const open = state.selected === index + 1;
    item.node.className = `FIGURE-${row.state}${open ? " FIGURE-open" : ""}`;
    item.button.setAttribute("aria-expanded", String(open));
    item.button.replaceChildren(
      make("span", { class: "name" }, layer.name),
      ...cells(layer, row, result, originalLayers[index],
        reference.rows[index + 1]));
    if (layer.notes) {
      item.button.children[1].append(" ",
        make("small", {}, `then ${layer.notes}`));
    }
    item.problem.replaceChildren(problemBox(row, (value) => {
      if (layer.kind === "Linear") state.follows = true;
      else layer[row.problem.field] = value;
      refresh();
      item.button.focus();
    }));
    item.fields.forEach((field) => field.update(row.problem));
    item.flatten.textContent = "flatten" + (before.side
      ? `: ${shape(before)} → ${number(before.channels * before.side ** 2)}`
      : "");
    item.controls.hidden = !open || item.fields.length === 0;
    item.details.hidden = !open;
    item.details.replaceChildren(
      ...open ? details(width - 32, layer, before, row) : []);
  }

  function refresh() {
    // Before the page is laid out, or in a closed tab, there is no width.
    const width = Math.max(280, element.clientWidth - 32);
    const result = computeTable({ channels, side: state.side },
      state.layers.map((layer, i) => i === firstLinear && state.follows
        ? { ...layer, in_features: null } : layer));
    const input = result.rows[0];
    sizeField.update(input.problem);
    fit?.show(state.follows);
    presetButtons.forEach((button, i) => {
      const { side, layers } = presetState(presets[i]);
      button.setAttribute("aria-pressed", String(side === state.side &&
        JSON.stringify(layers) === JSON.stringify(state.layers)));
    });
    maps.replaceChildren(drawMaps(width, result.rows, state.selected, select),
      make("div", { class: "caption" },
        fieldText(result.rows[state.selected], input)));
    say(summaryText(result, reference));
    summary.classList.toggle("FIGURE-stopped", Boolean(result.stopped));
    inputItem.className = `FIGURE-${input.state}`;
    inputItem.replaceChildren(make("div", { class: "row" },
      make("span", { class: "name" }, "input"), make("span", {}),
      cell("output", "", input.problem ? "impossible" : shape(input),
        shape(reference.rows[0]))), problemBox(input));
    items.forEach((item, i) => refreshLayer(item, i, result, width));
    totals.replaceChildren(make("span", { class: "name" }, "total"),
      make("span", {}), make("span", {}),
      ...[result.parameters, result.macs].map((total, i) =>
        cell("amount", COLUMNS[3 + i], total === null ? "–" : number(total))));
  }

  drawToWidth(element, refresh);
}
