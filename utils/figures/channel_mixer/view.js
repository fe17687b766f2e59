/* What the channel mixer shows, and what the reader does with it. */

const CHANNELS = ["red", "green", "blue"];
const HIDDEN = ["hidden 1", "hidden 2", "hidden 3"];
const ANSWER = HIDDEN.length; // the row of the answer, below the hidden ones
const MOST = 2; // the largest weight of the slider
const one = (...answer) => ({ deep: false, answer });
const two = (hidden, answer) => ({ deep: true, hidden, answer });
/* Starting points: weights and, at the end, the constant of each mix. */
const STARTS = {
  "one mix: green": one(0, 1, 0, 0),
  "one mix: red minus green": one(1, -1, 0, 0),
  "one mix: brightness": one(0.3, 0.6, 0.1, 0),
  "two layers: empty": two([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    [0, 0, 0, 0]),
  "two layers: neither end": two(
    [[0, 1, 0, -0.5], [0, -1, 0, 0.5], [0, 0, 0, 0]], [-1, -1, 0, 0.5]),
};
const asMix = (row) => ({ weights: row.slice(0, -1), bias: row.at(-1) });

/** Paint rows of numbers in grey, `low` black and `high` white. */
function paintMap(canvas, rows, low, high) {
  const grey = (value) => {
    const part = high > low ? (value - low) / (high - low) : 0;
    return Array(3).fill(Math.round(255 * Math.min(1, Math.max(0, part))));
  };
  paintRows(canvas, rows.map((row) => row.map(grey)));
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Channel mixer");
  const { pictures, paints, target } = data;
  // Rows of four numbers, of which one mix uses only the last; the chosen
  // number is [row, column].
  const state = { picture: 0, deep: false, rows: [], chosen: [0, 1] };

  const starts = Object.entries(STARTS).map(([name, start]) =>
    make("button", { type: "button", onclick: () => {
      begin(start);
      refresh();
    } }, name));
  const layers = radios(id("layers"), "Layers", [[false, "one mix"],
    [true, "three hidden mixes, ReLU, a mix of them"]], (deep) => {
    begin(STARTS[deep ? "two layers: empty" : "one mix: green"]);
    refresh();
  });
  const select = make("select", { id: id("picture"), onchange: () => {
    state.picture = Number(select.value);
    refresh();
  } }, ...pictures.map(({ name }, i) => make("option", { value: i }, name)));
  const weights = make("div", { class: "weights", role: "toolbar",
    "aria-label": "Weights: the arrow keys choose one, the slider below " +
      "changes it", onkeydown: move });
  const sliderName = make("label", { for: id("slider") });
  const slider = make("input", { type: "range", id: id("slider"), min: -MOST,
    max: MOST, step: 0.1, oninput: () => {
      const [row, column] = state.chosen;
      state.rows[row][column] = slider.valueAsNumber;
      refresh();
    } });
  const views = make("div", { class: "views" });
  const table = make("table", { class: "paints" });
  body.append(
    toolbar("Starting points", ...starts),
    make("div", { class: "controls" }, layers.node,
      make("div", { class: "control" },
        make("label", { for: id("picture") }, "Picture"), select)),
    weights,
    make("div", { class: "controls" },
      make("div", { class: "control slider" }, sliderName, slider)),
    summary, views, table);

  const NOTHING = HIDDEN.map(() => [0, 0, 0, 0]);
  const rowsOf = ({ hidden, answer }) => [...hidden ?? NOTHING, answer];

  function begin(start) {
    state.deep = start.deep;
    state.rows = structuredClone(rowsOf(start));
    state.chosen = [start.deep ? 0 : ANSWER, 1];
  }

  /** What the columns of a row are weights of. */
  const inputs = (row) => state.deep && row === ANSWER ? HIDDEN : CHANNELS;
  const rowName = (row) => HIDDEN[row] ?? "answer";
  const nameOf = ([row, column]) => column < 3
    ? `${rowName(row)}: weight of ${inputs(row)[column]}`
    : `${rowName(row)}: constant`;

  /* One button a weight; those of the hidden mixes hide with one mix. */
  const line = (first, words) => [first, ...words, "plus"].map((word, i) =>
    make("span", { class: i ? "head" : "first", "aria-hidden": "true" },
      word));
  const buttons = [...HIDDEN, ""].map((_, row) =>
    [...CHANNELS, ""].map((__, column) =>
      make("button", { type: "button", onclick: () => {
        state.chosen = [row, column];
        refresh();
      } })));
  const named = buttons.map((own, row) =>
    [make("span", { "aria-hidden": "true" }, rowName(row)), ...own]);
  const deepOnly = [...named.slice(0, ANSWER).flat(),
    ...line("hidden", [1, 2, 3])];
  weights.append(...line("", CHANNELS), ...deepOnly, ...named[ANSWER]);

  /** Arrow keys choose the weight beside, above or below. */
  function move(event) {
    const shown = buttons.flat().filter((button) => !button.hidden);
    const next = neighbour(shown, event.target, event.key);
    if (!next) return;
    event.preventDefault();
    const row = buttons.findIndex((own) => own.includes(next));
    state.chosen = [row, buttons[row].indexOf(next)];
    refresh();
    next.focus();
  }

  /** A map or the picture, with a line below it. */
  function view(words, draw) {
    const canvas = make("canvas", { role: "img", "aria-label": words });
    draw(canvas);
    return make("figure", { class: "view" }, canvas,
      make("figcaption", { class: "caption" }, words));
  }

  function showPaints(answers) {
    const [low, high] = [Math.min(0, ...answers), Math.max(0, ...answers)];
    const place = (value) => 100 * (value - low) / (high - low || 1);
    table.replaceChildren(
      make("caption", { class: "caption" }, "The answer to each paint"),
      make("tbody", {}, ...paints.map(({ name, rgb }, i) => {
        const swatch = make("span", { class: "swatch" });
        swatch.style.background = `rgb(${rgb.map((x) => 255 * x).join()})`;
        const bar = make("span", { class: "bar" });
        const ends = [place(0), place(answers[i])].sort((a, b) => a - b);
        Object.assign(bar.style, { left: `${ends[0]}%`,
          width: `${ends[1] - ends[0]}%` });
        return make("tr", { class: name === target ? "target" : "other" },
          make("th", { scope: "row" }, swatch,
            name === target ? `${name}, wanted` : name),
          make("td", { class: "number" }, short(answers[i])),
          make("td", { "aria-hidden": "true" },
            make("span", { class: "track" }, bar)));
      })));
  }

  function refresh() {
    const { deep, rows, chosen, picture } = state;
    const network = { deep, answer: asMix(rows.at(-1)),
      hidden: deep ? rows.slice(0, -1).map(asMix) : [] };
    layers.show(deep);
    for (const node of deepOnly) node.hidden = !deep;
    select.value = picture;
    starts.forEach((button, i) => {
      const start = Object.values(STARTS)[i];
      button.setAttribute("aria-pressed", String(start.deep === deep &&
        JSON.stringify(rowsOf(start)) === JSON.stringify(rows)));
    });
    buttons.forEach((own, row) => own.forEach((button, column) => {
      const here = row === chosen[0] && column === chosen[1];
      const value = rows[row][column].toFixed(1).replace("-", "−");
      button.textContent = value;
      button.setAttribute("aria-label", `${nameOf([row, column])}, ${value}`);
      button.setAttribute("aria-pressed", String(here));
      button.tabIndex = here ? 0 : -1;
    }));
    sliderName.textContent = nameOf(chosen);
    slider.value = rows[chosen[0]][chosen[1]];
    const { pixels, name } = pictures[picture];
    const maps = mapsOf(pixels, network);
    const flat = maps.answer.flat();
    views.replaceChildren(
      view(`the picture: ${name}`, (canvas) => paintRows(canvas, pixels)),
      ...maps.hidden.map((map, i) => {
        const most = Math.max(...map.flat());
        return view(`hidden ${i + 1}, from 0 to ${short(most)}`,
          (canvas) => paintMap(canvas, map, 0, most));
      }),
      view(`the answer, ${short(Math.min(...flat))} black to ` +
        `${short(Math.max(...flat))} white`, (canvas) =>
        paintMap(canvas, maps.answer, Math.min(...flat), Math.max(...flat))));
    const { answers, words } = verdict(paints, target, network);
    showPaints(answers);
    say(words);
  }

  begin(STARTS["one mix: green"]);
  refresh();
}
