/* What the class map viewer shows, and what the reader does with it. */

const FOR = [230, 97, 1]; // orange: speaks for the class
const AGAINST = [94, 60, 153]; // violet: speaks against it

/** Rows of RGB triples out of their bytes in base64. */
function rowsOf(text, [height, width]) {
  const bytes = Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) =>
      bytes.slice(3 * (y * width + x), 3 * (y * width + x) + 3)));
}

/** The grey picture, tinted by the map: the stronger, the more colour. */
function overlay(pixels, map, most) {
  return pixels.map((row, y) => row.map((pixel, x) => {
    const grey = (pixel[0] + pixel[1] + pixel[2]) / 3;
    const value = map[Math.floor(y * map.length / pixels.length)][
      Math.floor(x * map[0].length / row.length)];
    const part = most ? 0.75 * Math.abs(value) / most : 0;
    const colour = value > 0 ? FOR : AGAINST;
    return colour.map((c) => Math.round((1 - part) * grey + part * c));
  }));
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Class maps");
  const { names, size } = data;
  const pictures = data.pictures.map((picture) => ({ ...picture,
    pixels: rowsOf(picture.pixels, size) }));
  const state = { picture: 0, relu: false, chosen: pictures[0].label };

  const select = make("select", { id: id("picture"), onchange: () => {
    state.picture = Number(select.value);
    state.chosen = pictures[state.picture].label;
    refresh();
  } }, ...pictures.map(({ label }, i) => make("option", { value: i },
    `${i + 1}: ${names[label]}`)));
  const maps = radios(id("relu"), "The maps go into the average",
    [[false, "as they are"], [true, "through a ReLU"]], (relu) => {
      state.relu = relu;
      refresh();
    });
  const view = () => {
    const canvas = make("canvas", { role: "img" });
    const caption = make("figcaption", { class: "caption" });
    return { node: make("figure", { class: "view" }, canvas, caption),
      show: (rows, words) => {
        paintRows(canvas, rows);
        canvas.setAttribute("aria-label", words);
        caption.textContent = words;
      } };
  };
  const plain = view();
  const tinted = view();
  const classes = make("div", { class: "classes", role: "toolbar",
    "aria-label": "Classes: the arrow keys choose whose map is shown",
    "aria-orientation": "vertical", onkeydown: move });
  const buttons = names.map((name, i) => make("button", { type: "button",
    onclick: () => choose(i) }));
  classes.append(...buttons);
  // The map in numbers, for whom colours say nothing.
  const numbers = make("table", {});
  body.append(
    make("div", { class: "controls" },
      make("div", { class: "control" },
        make("label", { for: id("picture") }, "Picture"), select), maps.node),
    summary,
    make("div", { class: "views" }, plain.node, tinted.node, classes),
    make("details", {}, make("summary", {}, "The map in numbers"),
      make("div", { class: "scroll", tabindex: 0, role: "group",
        "aria-label": "The map in numbers" }, numbers)));

  function choose(i) {
    state.chosen = i;
    refresh();
  }

  /** Arrow keys choose the class before or behind. */
  function move(event) {
    const next = neighbour(buttons, event.target, event.key);
    if (!next) return;
    event.preventDefault();
    choose(buttons.indexOf(next));
    next.focus();
  }

  function refresh() {
    const { label, pixels, maps: own } = pictures[state.picture];
    const { chosen, relu } = state;
    const { scores, best, words } = told(own, names, label, chosen, relu);
    const used = through(own, relu);
    // One scale for all classes of a picture, so that maps can be compared.
    const most = Math.max(...used.flat(2).map(Math.abs));
    maps.show(relu);
    select.value = state.picture;
    plain.show(pixels, `picture ${state.picture + 1}: ${names[label]}`);
    tinted.show(overlay(pixels, used[chosen], most),
      `the map of ${names[chosen]}, ` +
      `${short(Math.min(...used[chosen].flat()))} to ` +
      `${short(Math.max(...used[chosen].flat()))}: orange for, violet against`);
    numbers.replaceChildren(make("tbody", {}, ...used[chosen].map((row) =>
      make("tr", {}, ...row.map((value) => make("td", {}, short(value)))))));
    const [low, high] = [Math.min(0, ...scores), Math.max(0, ...scores)];
    const place = (value) => 100 * (value - low) / (high - low || 1);
    buttons.forEach((button, i) => {
      const bar = make("span", { class: "bar" });
      const ends = [place(0), place(scores[i])].sort((a, b) => a - b);
      Object.assign(bar.style, { left: `${ends[0]}%`,
        width: `${ends[1] - ends[0]}%` });
      button.replaceChildren(make("span", {}, names[i]), " ",
        make("span", { class: "number" }, short(scores[i])),
        make("span", { class: "track", "aria-hidden": "true" }, bar));
      button.setAttribute("aria-label", `${names[i]} ${short(scores[i])}` +
        `${i === best ? ", the largest average" : ""}`);
      button.setAttribute("aria-pressed", String(i === chosen));
      button.tabIndex = i === chosen ? 0 : -1;
    });
    say(words);
  }
  refresh();
}
