/* What the comparison explorer shows, and what the reader does with it. */

const EDGE = { left: 46, right: 8, top: 28, bottom: 44 }; // of the chart
const NEAR = 24; // pixels from a mark that still mean it

const disc = (x, y, r) =>
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

/** A layer after the other: as high as its maps, as wide as it has channels. */
function drawLayers(width, layers, channel, side) {
  const zoom = 2;
  const svg = make("svg", { class: "layers", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${width} ${zoom * side}` });
  let left = 0;
  for (const [channels, own] of layers) {
    const high = zoom * (own ?? 1);
    svg.append(make("rect", { class: own ? "maps" : "vector", x: left,
      y: zoom * side - high, width: channels * channel, height: high }));
    left += channels * channel + 1;
  }
  return svg;
}

/** The chart without its names; returns it and a mark for each point. */
function drawChart(width, height, axes, points, line, labels) {
  const svg = make("svg", { class: "chart", "aria-hidden": "true",
    focusable: "false", viewBox: `0 0 ${width} ${height}` });
  const bottom = height - EDGE.bottom;
  const path = (kind, d) => {
    const node = make("path", { class: kind, d });
    svg.append(node);
    return node;
  };
  const text = (kind, x, y, words) =>
    svg.append(make("text", { class: kind, x, y }, words));
  for (const tick of axes.x.ticks) {
    path("grid", `M${axes.placeX(tick)} ${EDGE.top}V${bottom}`);
    text("tick-x", axes.placeX(tick), bottom + 17, amount(tick));
  }
  for (const tick of axes.y.ticks) {
    path("grid", `M${EDGE.left} ${axes.placeY(tick)}H${width - EDGE.right}`);
    text("tick-y", EDGE.left - 6, axes.placeY(tick) + 4, `${amount(tick)} %`);
  }
  text("title-y", 0, 14, axes.titleY);
  text("title-x", width - EDGE.right, height - 6, axes.titleX);
  if (line.length > 1) {
    path("line", `M${line[0].x} ${line[0].y}` +
      line.slice(1).map(({ x, y }) => `H${x}V${y}`).join(""));
  }
  points.forEach(({ x, y, low, high }, i) => {
    const end = leader({ x, y }, labels[i]).at(-1);
    if (Math.hypot(end.x - x, end.y - y) > 10) {
      path("leader", `M${x} ${y}L${end.x} ${end.y}`);
    }
    if (high !== low) path("range", `M${x} ${low}V${high}`);
  });
  const marks = points.map((point) => path(
    line.includes(point) ? "mark best" : "mark", disc(point.x, point.y, 5)));
  return { svg, marks };
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data,
    "Comparison explorer");
  const { settings, timedOn } = data;
  const state = { setting: settings[0], cost: "parameters", measure: "error" };
  const choice = (key, legend, choices) => radios(id(key), legend, choices,
    (value) => {
      state[key] = value;
      refresh();
    });
  const choices = {
    setting: choice("setting", "Data set and training compute",
      settings.map((setting) => [setting, setting.name])),
    cost: choice("cost", "Across: what it costs",
      Object.entries(COSTS).map(([key, [words]]) => [key, words])),
    measure: choice("measure", "Up: what it reaches",
      [["error", "test error"], ["accuracy", "test accuracy"]]),
  };
  const names = [...new Set(settings.flatMap(({ rows }) =>
    rows.map(({ name }) => name)))];
  const buttons = new Map(names.map((name) => [name, make("button", {
    type: "button", onfocus: () => choose(name),
    onclick: () => choose(name) }, name)])); // Safari focuses no button
  const plot = make("div", { class: "plot", role: "toolbar",
    "aria-label": "Networks: arrow keys choose one", onpointermove: point,
    onpointerdown: point });
  plot.append(...buttons.values());
  oneStop(plot);
  const missing = make("p", { class: "caption" });
  const spread = make("span", {});
  const who = make("strong", {});
  const link = make("a", {});
  const layers = make("div", {});
  const values = make("div", { class: "values" });
  const table = make("table", {});
  body.append(
    make("div", { class: "controls" },
      ...Object.values(choices).map(({ node }) => node)),
    plot, missing,
    make("p", { class: "caption" }, "The Pareto line joins the networks to " +
      "which none is preferable; their marks are filled. Preferable is what " +
      "costs no more, errs no more, and is better in one of the two. The " +
      "line goes by the means alone, whether the rule of the chapter ranks " +
      "two networks or not. ", spread), summary,
    make("div", { class: "card" },
      make("p", { class: "title" }, who, " ", link), layers, values,
      make("p", { class: "caption" }, "Latency is the median of all " +
        "recordings; in brackets stand their lowest and their highest tenth.")),
    make("details", {}, make("summary", {}, "Data of the chart"),
      make("div", { class: "scroll", tabindex: 0, role: "group",
        "aria-label": "Data of the chart" }, table)));
  let drawn = []; // the marks of the chart

  /** The network under the pointer, on its mark or its name. */
  function point({ target, clientX, clientY }) {
    const { left, top, width } = plot.getBoundingClientRect();
    const zoom = width / plot.clientWidth || 1; // the page's own
    const at = [(clientX - left) / zoom, (clientY - top) / zoom];
    const mark = drawn[nearest(drawn, at, NEAR)];
    const over = target.closest("button")?.textContent ?? mark?.name;
    if (over) choose(over);
  }

  function choose(name) {
    if (name === state.chosen) return;
    state.chosen = name;
    showChosen();
  }

  function refresh() {
    const { setting, cost, measure } = state;
    for (const [key, { show }] of Object.entries(choices)) show(state[key]);
    const points = placed(setting.rows, cost, measure)
      .sort((one, other) => one.x - other.x || one.mean - other.mean);
    if (!points.some(({ name }) => name === state.chosen)) {
      [{ name: state.chosen }] = [...points].sort((one, other) =>
        one.error - other.error);
    }
    const order = points.map(({ name }) => buttons.get(name));
    for (const button of buttons.values()) {
      button.hidden = !order.includes(button);
    }
    // As the arrow keys go; to be moved costs a button the focus.
    const before = [...plot.querySelectorAll("button:not([hidden])")];
    if (before.some((button, i) => button !== order[i])) plot.append(...order);
    drawPlot(points);
    missing.textContent = missingText(setting);
    missing.hidden = !setting.missing.length;
    spread.textContent = errorText(setting);
    const head = make("tr", {}, ...["network",
      headText(setting.rows[0], cost, timedOn), `test ${measure}`, "its seeds"]
      .map((words) => make("th", { scope: "col" }, words)));
    table.replaceChildren(make("thead", {}, head), make("tbody", {},
      ...points.map(({ name, x, mean }) => {
        const row = setting.rows.find((one) => one.name === name);
        return make("tr", {}, make("th", { scope: "row" }, name),
          make("td", {}, amount(x) + rangeText(row, cost)),
          make("td", {}, percent(mean)),
          make("td", {}, seedValues(row, measure)));
      })));
    showChosen();
  }

  function drawPlot(points) {
    const { cost, measure } = state;
    // Before the page is laid out, or in a closed tab, there is no width.
    const width = Math.max(240, plot.clientWidth);
    const height = width < 480 ? 350 : 380;
    const area = { left: EDGE.left, right: width - EDGE.right, top: EDGE.top,
      bottom: height - EDGE.bottom };
    const x = axisFor(points.map((one) => one.x),
      Math.min(7, (area.right - area.left) / 55));
    const y = axisFor(points.flatMap(({ low, high }) => [low, high]), 7);
    const [words, unit] = COSTS[cost];
    const axes = { x, y,
      placeX: (value) => area.left + share(x, value) * (area.right - area.left),
      placeY: (value) => area.bottom -
        share(y, value) * (area.bottom - area.top),
      titleX: [words, unit, x.isLog ? "log scale" : ""].filter(Boolean)
        .join(", "),
      titleY: `test ${measure}, per cent${y.isLog ? ", log scale" : ""}` };
    const best = frontier(points);
    // From here on in pixels.
    const all = points.map((one) => ({ name: one.name, x: axes.placeX(one.x),
      y: axes.placeY(one.mean), low: axes.placeY(one.low),
      high: axes.placeY(one.high) }));
    const line = all.filter((_, i) => best.includes(points[i]));
    // What a label should not hide: the seeds, and the steps of the line.
    const inTheWay = [
      ...all.map((one) => [{ ...one, y: one.low }, { ...one, y: one.high }]),
      ...line.slice(1).flatMap((one, i) => {
        const corner = { x: one.x, y: line[i].y };
        return [[line[i], corner], [corner, one]];
      })].map((ends) => boxAround(ends, 2));
    const sizes = points.map(({ name }) => {
      const { offsetWidth, offsetHeight } = buttons.get(name);
      return [offsetWidth || 7 * name.length + 8, offsetHeight || 22];
    });
    const labels = placeLabels(all, sizes, area, inTheWay);
    const { svg, marks } = drawChart(width, height, axes, all, line, labels);
    drawn = all.map((one, i) => ({ ...one, mark: marks[i] }));
    labels.forEach(({ left, top }, i) => {
      // In shares of the chart, which on paper has another width.
      Object.assign(buttons.get(all[i].name).style, {
        left: `${100 * left / width}%`, top: `${100 * top / height}%` });
    });
    plot.querySelector("svg")?.remove();
    plot.prepend(svg);
  }

  function showChosen() {
    const { setting, cost, measure, chosen } = state;
    const row = setting.rows.find(({ name }) => name === chosen);
    for (const { name, mark } of drawn) {
      mark.classList.toggle("FIGURE-chosen", name === chosen);
    }
    for (const [name, button] of buttons) {
      button.setAttribute("aria-pressed", String(name === chosen));
      button.tabIndex = name === chosen ? 0 : -1;
    }
    who.textContent = chosen;
    const page = /\.(html|ipynb)$/.exec(location.pathname)?.[0];
    link.textContent = `chapter ${Number.parseInt(row.chapter, 10)}`;
    link.toggleAttribute("href", Boolean(page));
    if (page) link.href = row.chapter + page;
    const width = Math.max(240, layers.clientWidth);
    const everyRow = settings.flatMap(({ rows }) => rows);
    const side = Math.max(...everyRow.flatMap((one) =>
      one.layers.map(([, own]) => own ?? 1)));
    layers.replaceChildren(
      drawLayers(width, row.layers, channelWidth(everyRow, width), side),
      make("p", { class: "caption" }, `${layersText(row.layers)} All ` +
        "networks are drawn to one scale: a layer is as high as its maps and " +
        "as wide as it has channels, blue for convolutions."));
    const value = (label, shown) => make("div", {}, make("span", {}, label),
      shown);
    values.replaceChildren(
      value(`test ${measure}, by seed`, seedValues(row, measure)),
      ...Object.entries(COSTS).map(([key, [words]]) =>
        value(words, costText(row, key, timedOn))),
      value("training", `${row.epochs} epoch${row.epochs === 1 ? "" : "s"}, ` +
        row.machines.join("; ")));
    say(summaryText(setting, row, cost, measure), lineText(setting, cost),
      missingText(setting));
  }

  drawToWidth(element, refresh);
}
