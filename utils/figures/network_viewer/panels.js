/* What the viewer shows below its answer: the maps of a layer, where the
 * network looks, or its residual blocks as switches.
 *
 * A panel is {title, node, begin, wanted, show}. begin(network) prepares it
 * for another network, and says whether it has anything to show. wanted() is
 * what the network shall keep and set to zero in its next run, and show(now)
 * draws that run, and says now.sentence and what it has to add. `again` runs
 * the network once more.
 */

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
const largestOf = (values) => values.indexOf(Math.max(...values));

/** A select with a label over it; choices are [value, words]. */
function selection(id, label, again) {
  const select = make("select", { id, onchange: () => again() });
  const node = make("div", { class: "control" },
    make("label", { for: id }, label), select);
  const offer = (choices) => {
    select.replaceChildren(...choices.map(([value, words]) =>
      make("option", { value }, words)));
    node.hidden = choices.length < 2;
  };
  return { node, offer, select };
}

function paintPicture(canvas, bytes) {
  const side = Math.sqrt(bytes.length / (bytes.length % 3 ? 1 : 3));
  const colours = withChannels(bytes, bytes.length / side ** 2, 3);
  paint(canvas, side, side, (i) => [colours[i], colours[side * side + i],
    colours[2 * side * side + i]]);
}

/** From black, the smallest of these numbers, to white, the largest. */
function paintMap(canvas, values, width, height) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = high - low || 1;
  paint(canvas, width, height,
    (i) => Array(3).fill(i < values.length ? 255 * (values[i] - low) / range
      : 0));
}

/** White is 0, orange is for the class, blue is against it. */
function paintSigned(canvas, values, side, most) {
  const [orange, blue] = [[213, 94, 0], [0, 114, 178]];
  paint(canvas, side, side, (i) => {
    const share = Math.min(1, Math.abs(values[i]) / most);
    const colour = values[i] > 0 ? orange : blue;
    return colour.map((part) => 255 + share * (part - 255));
  });
}

function layersPanel(id, again) {
  const AT_ONCE = 64;
  const layer = selection(id("layer"), "Layer", () => {
    pages.offer([]);
    again();
  });
  const pages = selection(id("maps"), "Maps", again);
  const grid = make("div", { class: "maps" });
  const caption = make("p", { class: "caption" });

  function show({ result, say, sentence }) {
    const { shape, values } = result.maps[layer.select.value];
    const isVector = shape.length === 1;
    const [number, height, width] = isVector
      ? [1, ...Array(2).fill(Math.ceil(Math.sqrt(shape[0])))] : shape;
    const starts = Array.from({ length: Math.ceil(number / AT_ONCE) },
      (_, i) => AT_ONCE * i);
    if (pages.select.length !== starts.length) {
      pages.offer(starts.map((start) => [start, `${start + 1} to ` +
        `${Math.min(start + AT_ONCE, number)} of ${number}`]));
    }
    const first = Number(pages.select.value);
    const size = isVector ? shape[0] : height * width;
    const shown = Array.from({ length: Math.min(AT_ONCE, number - first) },
      (_, i) => values.subarray((first + i) * size, (first + i + 1) * size));
    grid.replaceChildren(...shown.map((map) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      paintMap(canvas, map, width, height);
      return canvas;
    }));
    grid.classList.toggle("FIGURE-few", number < 4);
    const silent = shown.filter((map) => map.every((value) => value === 0));
    caption.textContent = isVector
      ? `${size} numbers, row by row in a square, from black, the smallest, ` +
        `to white, the largest, which is number ${largestOf(values) + 1}.`
      : `${shown.length} ${shown.length === 1 ? "map" : "maps"} of ` +
        `${height} × ${width}, each from black, its smallest value, to ` +
        `white, its largest. Zero everywhere: ${silent.length}.`;
    say(sentence, caption.textContent);
  }

  return {
    title: "Maps of a layer",
    node: make("div", {}, make("div", { class: "controls" }, layer.node,
      pages.node), grid, caption),
    begin(network) {
      layer.offer(network.nodes.map(({ name, op, shape }) =>
        [name, `${name}: ${op.replaceAll("-", " ")}, ${shape.join(" × ")}`]));
      pages.offer([]);
      return true;
    },
    wanted: () => ({ keep: [layer.select.value] }),
    show,
  };
}

function wherePanel(id, again) {
  const classes = selection(id("class"), "Class", () => {
    chosen = classes.select.value;
    again();
  });
  const how = selection(id("how"), "How", again);
  const button = make("button", { type: "button", onclick: () =>
    (running ? stop() : cover()) });
  const progress = make("progress", { "aria-label": "Squares tried" });
  const picture = make("canvas", { role: "img" });
  const square = make("div", { class: "square" });
  const map = make("canvas", { role: "img", "aria-label": "The map" });
  const caption = make("p", { class: "caption" });
  let now = null;
  let classMaps = null; // of the network, if it has them
  let chosen = null; // by the reader; else what the network says
  let running = 0;
  const chosenClass = () => Number(classes.select.value);
  const name = () => now.network.classNames[chosenClass()];

  function stop(words = "Stopped.") {
    clearTimeout(running);
    running = 0;
    button.textContent = "Cover it, square by square";
    progress.hidden = true;
    caption.textContent = words;
  }

  /** A square a turn, so that the page stays awake. */
  function cover() {
    const side = now.network.inputShape[1];
    const { square: size, starts } = squarePlaces(side);
    const before = now.result.probabilities[chosenClass()];
    const lost = new Float32Array(starts.length ** 2);
    const { network, bytes } = now;
    button.textContent = "Stop";
    progress.hidden = false;
    progress.max = lost.length;
    caption.textContent = "Trying all places of the square …";
    const next = (i) => {
      progress.value = i;
      if (i === lost.length) {
        stop("");
        showCovered(lost, before, size, starts, side);
        return;
      }
      const top = starts[Math.floor(i / starts.length)];
      const left = starts[i % starts.length];
      const input = normalised(coveredAt(bytes, side, size, top, left),
        network.mean, network.std);
      lost[i] = before - network.run(input, {}).probabilities[chosenClass()];
      running = setTimeout(next, 0, i + 1);
    };
    running = setTimeout(next, 0, 0);
  }

  function showCovered(lost, before, size, starts, side) {
    const most = largestOf(lost);
    const top = starts[Math.floor(most / starts.length)];
    const left = starts[most % starts.length];
    paintSigned(map, lost, starts.length,
      Math.max(0.1, ...lost.map(Math.abs)));
    map.hidden = false;
    square.hidden = lost[most] <= 0;
    Object.assign(square.style, { top: `${100 * top / side}%`,
      left: `${100 * left / side}%`, width: `${100 * size / side}%` });
    caption.textContent = `A grey square of ${size} × ${size} was laid on ` +
      `${lost.length} places. The map is orange where ${name()} loses by it ` +
      "and blue where it gains; the frame is where most is lost.";
    now.say(square.hidden
      ? `Wherever the square is, ${name()} loses nothing by it.`
      : `With the square at row ${top + 1}, column ${left + 1}, ${name()} ` +
        `falls from ${percent(before)} to ${percent(before - lost[most])}.`);
  }

  function showClassMap() {
    const { shape, values } = now.result.maps[classMaps.maps];
    const places = shape[1] * shape[2];
    const argued = new Float32Array(places);
    values.forEach((value, i) => {
      argued[i % places] += value *
        classMaps.weights[chosenClass() * shape[0] + Math.floor(i / places)];
    });
    paintSigned(map, argued, shape[1], Math.max(...argued.map(Math.abs)));
    map.hidden = false;
    const mean = argued.reduce((a, b) => a + b, 0) / places;
    caption.textContent = `Orange argues for ${name()}, blue against it. The ` +
      `mean of these ${shape[1]} × ${shape[2]} numbers, ` +
      `${mean.toFixed(2).replace("-", "−")}, is the logit of ${name()} but ` +
      "for the bias of its class.";
    now.say(now.sentence, caption.textContent);
  }

  return {
    title: "Where does it look?",
    node: make("div", {}, make("div", { class: "controls" }, classes.node,
      how.node, button, progress),
    make("div", { class: "pair" }, make("div", { class: "stage" }, picture,
      square), map), caption),
    begin(network) {
      chosen = null;
      ({ classMaps } = network);
      classes.offer(network.classNames.map((words, i) => [i, words]));
      how.offer([["square", "cover a square of it"],
        ...(classMaps ? [["map", "class activation map"]] : [])]);
      return true;
    },
    wanted: () => ({
      keep: how.select.value === "map" ? [classMaps.maps] : [],
    }),
    show(next) {
      now = next;
      classes.select.value = chosen ?? largestOf(now.result.probabilities);
      stop("");
      map.hidden = true;
      square.hidden = true;
      paintPicture(picture, now.bytes);
      picture.setAttribute("aria-label", `The picture: ${now.title}`);
      button.hidden = how.select.value === "map";
      if (button.hidden) showClassMap();
    },
  };
}

function blocksPanel(id, again) {
  const list = make("div", { class: "stages", role: "toolbar",
    "aria-label": "Residual blocks" });
  oneStop(list);
  const score = make("p", { class: "caption" });
  let network = null;
  let cards = [];
  let pending = 0;

  const offNow = () => cards.flatMap(({ isOn }, i) => (isOn ? [] : [i]));
  const flip = (isOn) => {
    cards.forEach((card, i) => { card.isOn = isOn(i); });
    again();
  };

  function card(block, i) {
    const made = { block, isOn: true,
      canvas: make("canvas", { "aria-hidden": "true" }),
      amount: make("p", { class: "amount" }),
      word: make("span", { class: "word", "aria-hidden": "true" }) };
    made.button = make("button", { type: "button", role: "switch",
      class: "switch", onclick: () => flip((k) =>
        (k === i ? !made.isOn : cards[k].isOn)),
    }, `Block ${i + 1} `, made.word);
    made.node = make("div", { class: "card" }, made.button, made.canvas,
      made.amount);
    return made;
  }

  /** All pictures take a moment: one a turn, so that the page stays awake. */
  function countRight(now, zero, i = 0, right = 0) {
    clearTimeout(pending);
    const { pictures } = now;
    const isDone = i === pictures.length;
    score.textContent = pictures.length ? `All ${pictures.length} pictures, ` +
      `this setting: ${isDone ? `${right} right.` : "…"}` : "";
    // Said again at each picture, so that it is spoken when all are counted.
    now.say(now.sentence, ...isDone ? [score.textContent] : []);
    if (isDone) return;
    pending = setTimeout(() => {
      const { input, truth } = pictures[i];
      const says = largestOf(network.run(input(), { zero }).probabilities);
      countRight(now, zero, i + 1, right + (says === truth));
    }, i ? 0 : 30);
  }

  return {
    title: "Residual blocks",
    node: make("div", {}, list, toolbar("Many blocks at once",
      make("button", { type: "button", onclick: () => flip(() => true) },
        "All on"),
      make("button", { type: "button", onclick: () => {
        const off = Math.floor(Math.random() * cards.length);
        flip((i) => i !== off);
      } }, "One at random off")), score),
    begin(next) {
      network = next;
      cards = residualBlocks(network.nodes).map(card);
      // A block whose maps have another shape begins a stage.
      const stages = [];
      for (const { node, block: { shape } } of cards) {
        if (String(stages.at(-1)?.shape) !== String(shape)) {
          stages.push({ shape, nodes: [] });
        }
        stages.at(-1).nodes.push(node);
      }
      list.replaceChildren(...stages.map(({ shape, nodes }, i) =>
        make("div", { class: "stage-of-blocks" }, make("p", { class: "title" },
          `Stage ${i + 1}: ${shape[0]} maps of ${shape[1]} × ${shape[2]}`),
        make("div", { class: "cards" }, ...nodes))));
      return cards.length > 0;
    },
    wanted: () => ({
      keep: cards.flatMap(({ block }) =>
        [block.correction, block.path, block.end]),
      zero: offNow().map((i) => cards[i].block.correction),
    }),
    show(now) {
      const { maps } = now.result;
      for (const { block, isOn, button, word, canvas, amount } of cards) {
        button.setAttribute("aria-checked", String(isOn));
        word.textContent = isOn ? "on" : "off";
        const [, height, width] = maps[block.end].shape;
        paintMap(canvas, meanMap(maps[block.end]), width, height);
        const ratio = length(maps[block.correction].values) /
          length(maps[block.path].values);
        amount.textContent = isOn ? `${ratio.toFixed(2)} |x|` : "adds 0";
      }
      countRight(now, this.wanted().zero);
    },
    leave: () => clearTimeout(pending),
    prefix() {
      const off = offNow();
      return off.length ? `Off: ${off.map((i) => i + 1).join(", ")}. `
        : "All blocks on. ";
    },
  };
}
