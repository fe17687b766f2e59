/* What the kernel lab shows, and what the reader does with it. */

/** Two decimals, a true minus sign, no negative zero. */
const short = (value) =>
  (Math.round(value * 100) / 100 || 0).toFixed(2).replace("-", "−");

const grey = (value) => Array(3).fill(Math.round(255 * value));
const PADDING = [74, 104, 150]; // blue, so that it is no black pixel

function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Kernel lab");
  const pictures = data.pictures.map((picture) => ({
    ...picture,
    pixels: picture.pixels.map((row) => row.map((pixel) => pixel / 255)),
  }));
  const presets = data.kernels;
  const state = { picture: 0, stride: 1, padding: 1, row: 0, column: 0,
    kernel: structuredClone(presets[0].weights) };
  // The window begins where there is most to see.
  const first = convolve(pictures[0].pixels, state.kernel, 1, 1);
  const strengths = first.flat().map(Math.abs);
  const strongest = strengths.indexOf(Math.max(...strengths));
  state.row = Math.floor(strongest / first.length);
  state.column = strongest % first.length;
  const change = (values) => {
    Object.assign(state, values);
    refresh();
  };

  /** A labelled choice among a few numbers or words. */
  function choice(key, label, words) {
    const select = make("select", { id: id(key),
      onchange: () => change({ [key]: Number(select.value) }) },
    ...words.map((word, i) => make("option", { value:
      typeof word === "number" ? word : i }, String(word))));
    select.value = state[key];
    return make("div", { class: "control" },
      make("label", { for: id(key) }, label), select);
  }

  /** A slider that moves the window; row or column, counted from 1. */
  function slider(key, label) {
    const input = make("input", { type: "range", id: id(key), min: 1,
      oninput: () => change({ [key]: Number(input.value) - 1 }) });
    const node = make("div", { class: "control slider" },
      make("label", { for: id(key) }, label), input);
    return { node, update: (count) => {
      input.max = count;
      input.value = state[key] + 1;
    } };
  }

  /** A picture, its frame, and what a pointer on it chooses. */
  function view(title, toPlace) {
    const canvas = make("canvas", { role: "img" });
    const outline = make("div", { class: "window" });
    const point = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = canvas.getBoundingClientRect();
      const part = (at, from, length) =>
        Math.min(Math.max((at - from) / length, 0), 0.999);
      const x = part(event.clientX, box.left, box.width) * canvas.width;
      const y = part(event.clientY, box.top, box.height) * canvas.height;
      change({ row: toPlace(y, 0), column: toPlace(x, 1) });
    };
    const caption = make("figcaption", { class: "caption" });
    const node = make("figure", { class: "view" },
      make("div", { class: "stage", onpointerdown: point,
        onpointermove: point }, canvas, outline), caption);
    return { node, show: (rows, from, size, text) => {
      paintRows(canvas, rows);
      canvas.setAttribute("aria-label", `${title}: ${text}`);
      caption.textContent = text;
      const percent = (value, whole) => `${100 * value / whole}%`;
      Object.assign(outline.style, {
        left: percent(from[1], canvas.width),
        top: percent(from[0], canvas.height),
        width: percent(size, canvas.width),
        height: percent(size, canvas.height),
      });
    } };
  }

  const input = view("Input", (at) =>
    Math.floor((at - (state.kernel.length - 1) / 2) / state.stride));
  const output = view("Output", Math.floor);
  const sliders = [slider("row", "Row of the output"),
    slider("column", "Column of the output")];
  const presetButtons = presets.map(({ name, weights }) => make("button", {
    type: "button",
    onclick: () => change({ kernel: structuredClone(weights) }),
  }, name));
  const pixelGrid = make("div", { class: "grid" });
  const kernelGrid = make("div", { class: "grid weights", role: "grid",
    "aria-label": "Weights of the kernel" });
  oneStop(kernelGrid, "input");
  const productGrid = make("div", { class: "grid" });
  const size = make("p", { class: "caption" });
  const part = (title, sign, grid) => make("div", { class: "part" },
    make("div", { class: "title" },
      make("span", { class: "sign", "aria-hidden": "true" }, sign), title),
    grid);

  body.append(
    toolbar("Kernels to start from", ...presetButtons),
    make("div", { class: "controls" },
      choice("picture", "Picture", pictures.map(({ name }) => name)),
      choice("stride", "Stride", [1, 2, 3, 4]),
      choice("padding", "Padding", [0, 1, 2, 3])),
    make("div", { class: "views" }, input.node, output.node),
    make("div", { class: "controls" }, ...sliders.map(({ node }) => node)),
    make("div", { class: "parts" },
      part("pixels under the window", "", pixelGrid),
      part("kernel: change it", "×", kernelGrid),
      part("products", "=", productGrid)),
    summary, size);

  let fields = [];
  /** One field a weight; built anew only when the kernel changes its size. */
  function refreshKernel() {
    const side = state.kernel.length;
    if (fields.length !== side ** 2) {
      const field = (y, x) => make("input", { type: "number", step: "any",
        "aria-label": `weight, row ${y + 1}, column ${x + 1}`,
        oninput: ({ target }) => {
          state.kernel[y][x] = target.valueAsNumber;
          refresh();
        } });
      const rows = state.kernel.map((weights, y) =>
        weights.map((_, x) => field(y, x)));
      fields = rows.flat();
      kernelGrid.replaceChildren(...rows.map((row) =>
        make("div", { class: "line", role: "row" }, ...row.map((one) =>
          make("div", { role: "gridcell" }, one)))));
    }
    state.kernel.flat().forEach((weight, i) => {
      // Never rewrite what the reader is typing.
      if (!Object.is(fields[i].valueAsNumber, weight)) {
        fields[i].value = Number.isNaN(weight) ? "" : weight;
      }
      fields[i].setAttribute("aria-invalid", String(Number.isNaN(weight)));
    });
  }

  /** Numbers, or empty cells with a kind of their own for the padding. */
  function fill(grid, rows, pixels) {
    grid.replaceChildren(...rows.flatMap((row, y) => row.map((value, x) =>
      make("span", { class: pixels[y][x] === null ? "cell outside" : "cell" },
        short(value ?? 0)))));
  }

  function refresh() {
    const { stride, padding, kernel } = state;
    const { pixels } = pictures[state.picture];
    // An empty field counts as 0 until the reader has typed a number.
    const weights = kernel.map((row) => row.map((weight) => weight || 0));
    const result = convolve(pixels, weights, stride, padding);
    const count = result.length;
    const within = (at) => Math.min(Math.max(at, 0), count - 1);
    state.row = within(state.row);
    state.column = within(state.column);
    const { row, column } = state;
    const side = kernel.length;

    const padded = Array.from({ length: pixels.length + 2 * padding },
      (_, y) => Array.from({ length: pixels.length + 2 * padding }, (_, x) => {
        const value = (pixels[y - padding] || [])[x - padding];
        return value === undefined ? PADDING : grey(value);
      }));
    input.show(padded, [row * stride, column * stride], side,
      `input, ${pixels.length} × ${pixels.length}` +
      (padding ? `, padded to ${padded.length} × ${padded.length}` : ""));
    const largest = Math.max(...result.flat().map(Math.abs)) || 1;
    output.show(result.map((line) =>
      line.map((value) => grey(0.5 + 0.5 * value / largest))),
    [row, column], 1, `output, ${count} × ${count}; grey is zero`);

    presetButtons.forEach((button, i) => button.setAttribute("aria-pressed",
      String(JSON.stringify(presets[i].weights) === JSON.stringify(kernel))));
    sliders.forEach((one) => one.update(count));
    refreshKernel();
    body.style.setProperty("--FIGURE-side", side);
    const under = pixelsUnder(pixels, weights, stride, padding, row, column);
    const { products, sum: total } = multiply(under, weights);
    fill(pixelGrid, under, under);
    fill(productGrid, products, under);
    size.textContent = (kernel.flat().some(Number.isNaN)
      ? "A weight that is missing counts as 0. " : "") +
      `Places along a side: ⌊(${pixels.length} + 2 · ${padding} − ` +
      `${side}) / ${stride}⌋ + 1 = ${count}.`;
    say(`Row ${row + 1}, column ${column + 1} of the output: ` +
      `the ${side ** 2} products add up to ${short(total)}.`,
    size.textContent);
  }
  refresh();
}
