/* What the block switch shows, and what the reader does with it. */

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const decimals = (value) => value.toFixed(2);

/** Paint a square, one canvas pixel each; CSS enlarges them. */
function paint(canvas, side, colourAt) {
  canvas.width = side;
  canvas.height = side;
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i += 1) {
    image.data.set([...colourAt(i), 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintPicture(canvas, pixels) {
  const places = pixels.length / 3;
  paint(canvas, Math.sqrt(places),
    (i) => [pixels[i], pixels[places + i], pixels[2 * places + i]]);
}

/** From black, the smallest value of this map, to white, its largest. */
function paintMap(canvas, map, side) {
  const low = Math.min(...map);
  const range = Math.max(...map) - low || 1;
  paint(canvas, side, (i) => Array(3).fill(255 * (map[i] - low) / range));
}

function mount(element, data) {
  const { body, summary, say } = frame(element, data, "Block switch");
  const { names, labels } = data;
  const network = unpackNetwork(data.blocks);
  const all = bytesOf(data.pictures);
  const size = all.length / labels.length;
  const pictures = labels.map((_, i) => all.subarray(i * size, (i + 1) * size));
  const state = { picture: 0, on: network.blocks.map(() => true) };

  const pictureButtons = pictures.map((pixels, i) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    paintPicture(canvas, pixels);
    return make("button", { type: "button", class: "picture",
      onclick: () => { state.picture = i; refresh(); },
    }, canvas, make("span", {}, names[labels[i]]));
  });

  const large = make("canvas", { role: "img" });
  const bars = names.map((name) => {
    const bar = make("span", { class: "bar" });
    const number = make("span", { class: "number" });
    const row = make("li", { class: "row" }, make("span", {}, name),
      make("span", { class: "rail", "aria-hidden": "true" }, bar), number);
    return { row, bar, number };
  });

  // One card a block, grouped by stage: a block that changes the number of
  // maps begins a new one.
  const stages = [];
  const cards = network.blocks.map(({ first }, i) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const word = make("span", { class: "word" });
    const amount = make("p", { class: "amount" });
    const button = make("button", { type: "button", class: "switch",
      onclick: () => { state.on[i] = !state.on[i]; refresh(); },
    }, `Block ${i + 1} `, word);
    const changes = first.inputs !== first.outputs;
    if (i === 0 || changes) stages.push({ maps: first.outputs, nodes: [] });
    stages.at(-1).nodes.push(
      make("div", { class: "card" }, button, canvas, amount));
    return { button, word, canvas, amount };
  });
  const sideOf = run(network, pictures[0], state.on).blocks;
  let seen = 0;
  const chain = stages.map(({ maps, nodes }, i) => {
    const { side } = sideOf[seen];
    seen += nodes.length;
    return make("div", { class: "stage" },
      make("p", { class: "title" },
        `Stage ${i + 1}: ${maps} maps of ${side} × ${side}`),
      make("div", { class: "cards" }, ...nodes));
  });

  const score = make("p", { class: "score" });
  const flip = (off) => {
    state.on = state.on.map((_, i) => i !== off);
    refresh();
  };
  body.append(
    make("div", { class: "pictures", role: "group",
      "aria-label": "Choose a picture" }, ...pictureButtons),
    make("div", { class: "top" }, make("div", { class: "large" }, large),
      make("ul", { class: "bars", "aria-label": "What the network says" },
        ...bars.map(({ row }) => row))),
    summary,
    make("div", { class: "stages" }, ...chain),
    make("div", { class: "actions" },
      make("button", { type: "button", onclick: () => flip(-1) }, "All on"),
      make("button", { type: "button", onclick: () =>
        flip(Math.floor(Math.random() * state.on.length)) },
      "One at random off")),
    score);

  const guess = (probabilities) =>
    probabilities.indexOf(Math.max(...probabilities));
  let pending = 0;
  /** All pictures take a moment: one a turn, so that the page stays awake. */
  function refreshScore(i = 0, right = 0) {
    clearTimeout(pending);
    const done = i === pictures.length;
    score.textContent = `All ${pictures.length} pictures, this setting: ` +
      (done ? `${right} right.` : "…");
    if (done) return;
    pending = setTimeout(() => {
      const says = guess(run(network, pictures[i], state.on).probabilities);
      refreshScore(i + 1, right + (says === labels[i]));
    }, i ? 0 : 30);
  }

  function refresh() {
    const { picture, on } = state;
    const { probabilities, blocks } = run(network, pictures[picture], on);
    const says = guess(probabilities);
    const truth = labels[picture];
    pictureButtons.forEach((button, i) =>
      button.setAttribute("aria-pressed", String(i === picture)));
    paintPicture(large, pictures[picture]);
    large.setAttribute("aria-label", `The chosen picture, ${names[truth]}`);
    bars.forEach(({ row, bar, number }, i) => {
      bar.style.width = `${100 * probabilities[i]}%`;
      number.textContent = percent(probabilities[i]);
      row.classList.toggle("FIGURE-says", i === says);
    });
    blocks.forEach(({ map, side, ratio }, i) => {
      const { button, word, canvas, amount } = cards[i];
      button.setAttribute("aria-pressed", String(on[i]));
      word.textContent = on[i] ? "on" : "off";
      paintMap(canvas, map, side);
      amount.textContent = on[i] ? `${decimals(ratio)} |x|` : "adds 0";
    });
    const off = on.flatMap((one, i) => (one ? [] : [i + 1]));
    say(
      `${off.length ? `Off: ${off.join(", ")}.` : "All blocks on."} ` +
      `The network says ${names[says]}, ${percent(probabilities[says])}: ` +
      (says === truth ? "right." : `wrong, it is a picture of class ` +
        `${names[truth]}.`));
    refreshScore();
  }
  refresh();
}
