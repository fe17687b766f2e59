/* The network viewer: a network, pictures, what it says, and panels.js below.
 * The reader may bring a picture and a network; both stay on the device.
 */

const FEW_CLASSES = 12; // so many are listed in order, else the ten largest

/** The pictures of the chapter, which lie below each other in one image. */
async function picturesOf({ pictures, shape: [channels, side], labels }) {
  const image = make("img", { src: pictures, alt: "" });
  await image.decode();
  const canvas = make("canvas", { width: side, height: side * labels.length });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return labels.map((label, i) => {
    const { data } = context.getImageData(0, i * side, side, side);
    return { label, bytes: withChannels(scaled(data, side, side), 3,
      channels) };
  });
}

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Network viewer");
  const panels = { layers: layersPanel(id, refresh),
    where: wherePanel(id, refresh), blocks: blocksPanel(id, refresh) };
  const state = {
    network: null,
    pictures: [], // of the chapter: {label, bytes}
    picture: 0, // the chosen one of them, unless there is
    own: null, // one of the reader's: {name, bytes, notes}
    mode: data.mode,
  };

  let chapters = null; // the network that came with the figure

  // What the reader may bring
  const about = make("p", { class: "caption" });
  const note = make("p", { class: "note", role: "status" });
  const ownNetwork = chooser("Open a network of yours …", ".safetensors");
  const ownPicture = chooser("Open a picture of yours …", "image/*");
  const back = make("button", { type: "button", hidden: "", onclick: () => {
    ownNetwork.button.focus();
    use(chapters);
  } }, "Back to the chapter’s network");
  const exchange = make("button", { type: "button", onclick: () => {
    state.own.bytes = exchanged(state.own.bytes);
    refresh();
    tell(wordsOnOwn());
  } }, "Exchange light and dark");

  // The pictures, the answer, and the panels
  const thumbs = make("div", { class: "pictures", role: "toolbar",
    "aria-label": "Choose a picture" });
  oneStop(thumbs);
  const large = make("canvas", { role: "img",
    "aria-label": "The chosen picture" });
  const bars = make("ul", { class: "bars",
    "aria-label": "What the network says" });
  const tabs = Object.entries(panels).map(([mode, { title }]) => [mode,
    make("button", { type: "button", onclick: () => {
      state.mode = mode;
      refresh();
    } }, title)]);
  body.append(about, thumbs,
    toolbar("What you may bring", ownPicture.button, exchange,
      ownNetwork.button, back), ownPicture.input, ownNetwork.input,
    make("p", { class: "caption" }, "A file may also be dropped here, and a " +
      "picture pasted. Nothing leaves your device."),
    note,
    make("div", { class: "top" }, large, bars), summary,
    toolbar("What to look at", ...tabs.map(([, tab]) => tab)),
    ...Object.values(panels).map(({ node }) => node));
  // Until a network is there, they have nothing to show.
  for (const { node } of Object.values(panels)) node.hidden = true;

  /** A button that asks for a file, and the input behind it. */
  function chooser(words, accept) {
    const input = make("input", { type: "file", accept, hidden: "",
      onchange: async () => {
        await open(input.files);
        input.value = ""; // so that the same file can be chosen again
      } });
    const button = make("button", { type: "button",
      onclick: () => input.click() }, words);
    return { button, input };
  }

  function tell(words, isTrouble = false) {
    note.textContent = words;
    note.classList.toggle("FIGURE-trouble", isTrouble);
  }

  /** Take what the reader brings, or say why not. */
  async function open([file]) {
    await begin();
    try {
      if (!file) {
        throw new Error("That was no file. Save the picture first and open " +
          "it here, or copy and paste it.");
      }
      if (!state.network && !/\.safetensors$/i.test(file.name)) {
        throw new Error("There is no network yet that could look at it.");
      }
      if (/\.(safetensors|pth?|onnx|ckpt)$/i.test(file.name)) {
        use(await openNetwork(file), file.name);
      } else {
        state.own = await openPicture(file, state.network.inputShape[1]);
        refresh();
        tell(wordsOnOwn());
      }
    } catch (error) {
      tell(error.message, true);
    }
  }

  /** All that is to be said of a picture of the reader's. */
  function wordsOnOwn() {
    const { network, own } = state;
    const isGrey = network.inputShape[0] === 1;
    return [...own.notes,
      isGrey && "Colours became grey.",
      isGrey && edgeMean(own.bytes, network.inputShape[1]) > 128 &&
        "The chapter’s pictures are light on black, and the edge of yours " +
        "is light: exchange the two, or the network sees something that it " +
        "was never shown.",
      `The network knows ${network.classNames.length} classes and nothing ` +
        "else: a picture of none of them gets one all the same.",
    ].filter(Boolean).join(" ");
  }

  /** Go on with this network; it is refused before anything has changed. */
  function use(network, name = null) {
    const [channels, height, width] = network.inputShape;
    if (height !== width || ![1, 3].includes(channels)) {
      throw new Error(`“${name}” is for pictures of ${channels} × ${height} × ` +
        `${width}; this figure has squares, grey (1) or in colour (3).`);
    }
    network.run(new Float32Array(channels * height * width), {});
    state.network = network;
    back.hidden = name === null || !chapters;
    const accuracy = network.accuracy === undefined ? ""
      : ` It is right on ${percent(network.accuracy)} of the test images.`;
    about.textContent = (name === null
      ? "The network of this chapter runs here, on your device, with its " +
        "weights rounded a little."
      : `“${name}” runs here: a network of yours for pictures of ` +
        `${channels} × ${height} × ${width} and ` +
        `${network.classNames.length} classes.`) + accuracy;
    for (const [mode, tab] of tabs) {
      tab.hidden = !panels[mode].begin(network);
      if (tab.hidden && state.mode === mode) state.mode = "layers";
    }
    thumbs.replaceChildren(...state.pictures.map((picture, i) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      paintPicture(canvas, picture.bytes);
      return make("button", { type: "button", class: "picture",
        onclick: () => {
          Object.assign(state, { picture: i, own: null });
          tell("");
          refresh();
        },
      }, canvas, make("span", {}, data.names[picture.label]));
    }));
    const isOther = String(network.inputShape) !== String(
      [data.shape[0], data.shape[1], data.shape[1]]);
    tell(isOther ? "The chapter’s pictures were fitted to this network: to " +
      `${height} × ${width}, ${channels === 1 ? "grey" : "in colour"}.` : "");
    refresh();
  }

  /** Bytes as the network in use takes them. */
  function fitted(bytes) {
    const [channels, side] = state.network.inputShape;
    const from = bytes.length === data.shape[0] * data.shape[1] ** 2
      ? data.shape[0] : 3;
    return withChannels(resized(withChannels(bytes, from, 3), side), 3,
      channels);
  }

  function refresh() {
    const { network, own, pictures, picture } = state;
    const panel = panels[state.mode];
    const inputOf = (bytes) =>
      normalised(fitted(bytes), network.mean, network.std);
    const classOf = ({ label }) =>
      network.classNames.indexOf(data.names[label]);
    const { bytes } = own ?? pictures[picture];
    const title = own?.name ?? data.names[pictures[picture].label];
    const result = network.run(inputOf(bytes), panel.wanted());
    const says = largestOf(result.probabilities);
    const truth = own ? -1 : classOf(pictures[picture]);

    [...thumbs.children].forEach((button, i) => button.setAttribute(
      "aria-pressed", String(!own && i === picture)));
    tabs.forEach(([mode, tab]) =>
      tab.setAttribute("aria-pressed", String(mode === state.mode)));
    Object.values(panels).forEach((one) => {
      one.node.hidden = one !== panel;
      if (one !== panel) one.leave?.();
    });
    exchange.hidden = !own || network.inputShape[0] !== 1;
    paintPicture(large, fitted(bytes));
    large.setAttribute("aria-label", `The chosen picture: ${title}`);
    showBars(result.probabilities, says);
    const sentence = `${panel.prefix?.() ?? ""}The network says ` +
      `${network.classNames[says]}, ${percent(result.probabilities[says])}` +
      (truth === -1 ? "." : truth === says ? ": right."
        : `: wrong, it is a picture of class ${title}.`);
    say(sentence);
    panel.show({ network, result, title, say, sentence, bytes: fitted(bytes),
      pictures: pictures.map((one) => ({ truth: classOf(one),
        input: () => inputOf(one.bytes) })) });
  }

  function showBars(probabilities, says) {
    const { classNames } = state.network;
    let order = [...classNames.keys()];
    if (order.length > FEW_CLASSES) {
      order.sort((a, b) => probabilities[b] - probabilities[a]);
      order = order.slice(0, 10);
    }
    bars.replaceChildren(...order.map((i) => {
      const bar = make("span", { class: "bar" });
      bar.style.width = `${100 * probabilities[i]}%`;
      return make("li", { class: i === says ? "row says" : "row" },
        make("span", {}, classNames[i]),
        make("span", { class: "rail", "aria-hidden": "true" }, bar),
        make("span", { class: "number" }, percent(probabilities[i])));
    }));
  }

  // A click into the figure gives it the focus, and a paste goes there.
  element.tabIndex = -1;
  element.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) open(clipboardData.files);
  });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    open(event.dataTransfer.files);
  });

  async function load() {
    try {
      state.pictures = await picturesOf(data);
      chapters = networkIn(await unpacked(await data.network()));
      use(chapters);
    } catch (error) {
      tell(error.message, true);
    }
  }

  let loaded = null; // once: when the figure comes near, or at first use
  const begin = () => (loaded ??= load());
  about.textContent = "The network comes when this figure is in sight.";
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  }, { rootMargin: "600px" }).observe(element);
}
