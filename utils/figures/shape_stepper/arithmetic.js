/* The arithmetic of the shape stepper, and its words: no page in sight, so that
 * node can test it against PyTorch. Names are those of LayerTable's settings.
 */
"use strict";

const LEAST = { kernel: 1, stride: 1, padding: 0, out_channels: 1, groups: 1 };
const MOST = 9999;
const isWhole = (n, least) =>
  Number.isInteger(n) && n >= least && n <= MOST;
const number = (n) =>
  n < 1e11 ? n.toLocaleString("en-GB") : (n / 1e9).toFixed(0) + " billion";
const square = (n) => `${number(n)} × ${number(n)}`;
const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
const title = (field) => field.replace("_", " ");
const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** Pixels from a window's first to its last, the gaps of dilation too. */
const span = (layer) => (layer.dilation || 1) * (layer.kernel - 1) + 1;

function outputSide(side, layer) {
  const steps = (side + 2 * layer.padding - span(layer)) / layer.stride;
  if (!layer.ceil_mode) return Math.floor(steps) + 1;
  const windows = Math.ceil(steps) + 1;
  // PyTorch drops a last window that would start in the right padding.
  const startsInPadding =
    (windows - 1) * layer.stride >= side + layer.padding;
  return startsInPadding ? windows - 1 : windows;
}

const setTo = (field, value) =>
  ({ label: `Set ${title(field)} to ${number(value)}`, value });

/** Why a conv or pool layer is impossible here, and the way out. */
function windowProblem(layer, channels, side) {
  for (const field of Object.keys(LEAST)) {
    if (field in layer && !isWhole(layer[field], LEAST[field])) {
      return {
        field,
        text: `The ${title(field)} must be a whole number from ` +
          `${LEAST[field]} to ${number(MOST)}.`,
        way: "",
        fix: setTo(field, LEAST[field]),
      };
    }
  }
  if (layer.kind === "Conv2d") {
    const common = gcd(channels, layer.out_channels);
    if (common % layer.groups !== 0) {
      let groups = layer.groups;
      while (common % groups !== 0) groups -= 1;
      return {
        field: "groups",
        text: `${number(channels)} channels arrive and ` +
          `${number(layer.out_channels)} leave; ${number(layer.groups)} ` +
          "groups cannot share both equally.",
        way: `Choose a divisor of both, that is, of ${number(common)}.`,
        fix: setTo("groups", groups),
      };
    }
  } else if (2 * layer.padding > layer.kernel) {
    const half = Math.floor(layer.kernel / 2);
    return {
      field: "padding",
      text: `Padding ${number(layer.padding)} is more than half of the ` +
        `${square(layer.kernel)} window: at the edge a window would see ` +
        "more padding than map, and PyTorch refuses.",
      way: `Choose at most ${number(half)}.`,
      fix: setTo("padding", half),
    };
  }
  if (outputSide(side, layer) < 1) {
    const padded = side + 2 * layer.padding;
    const fits = Math.floor((padded - 1) / (layer.dilation || 1)) + 1;
    return {
      field: "kernel",
      text: `The ${square(span(layer))} window does not fit: the map that ` +
        `arrives is ${square(side)}` +
        (layer.padding ? `, with its padding ${square(padded)}.` : "."),
      way: "Choose a smaller kernel or more padding, or let a larger map " +
        "arrive.",
      fix: setTo("kernel", fits),
    };
  }
  return null;
}

function windowRow(layer, before) {
  const { channels, side } = before;
  const problem = windowProblem(layer, channels, side);
  if (problem) return { state: "impossible", problem };
  const out = outputSide(side, layer);
  const isConv = layer.kind === "Conv2d";
  const outChannels = isConv ? layer.out_channels : channels;
  const weights = isConv
    ? (channels / layer.groups) * layer.kernel ** 2 * outChannels : 0;
  const read = (out - 1) * layer.stride + span(layer);
  return {
    state: "fine",
    channels: outChannels,
    side: out,
    parameters: weights + (isConv && layer.bias ? outChannels : 0),
    macs: weights * out ** 2,
    receptive_field: before.receptive_field + (span(layer) - 1) * before.jump,
    jump: before.jump * layer.stride,
    unread: Math.max(0, side + 2 * layer.padding - read),
  };
}

function linearRow(layer, before) {
  const arriving = before.features || before.channels * before.side ** 2;
  const inputs = layer.in_features || arriving;
  if (inputs !== arriving) {
    const maps = before.features ? number(arriving)
      : `${number(before.channels)} × ${square(before.side)} = ` +
        number(arriving);
    return {
      state: "impossible",
      problem: {
        field: "in_features",
        text: `${layer.name} was built with weights for ` +
          `${number(inputs)} inputs, but ${maps} arrive.`,
        way: `Bring the maps back to ${number(inputs)} numbers, or build ` +
          `${layer.name} anew.`,
        fix: { label: `Build ${layer.name} for ${number(arriving)} inputs` },
      },
    };
  }
  const side = before.side || 1;
  return {
    state: "fine",
    inputs,
    features: layer.out_features,
    parameters: layer.out_features * (inputs + (layer.bias ? 1 : 0)),
    macs: layer.out_features * inputs,
    receptive_field: before.receptive_field + (side - 1) * before.jump,
    jump: before.jump,
  };
}

/**
 * Sizes, parameters, MACs and receptive fields of a chain of layers.
 *
 * input is {channels, side}; a layer is {name, kind, ...settings}. A Linear
 * layer whose in_features is null takes whatever arrives. Returns the rows,
 * the input's first; after the first impossible one all are unreachable.
 */
function computeTable(input, layers) {
  const first = {
    name: "input", kind: "Input", state: "fine", channels: input.channels,
    side: input.side, parameters: 0, macs: 0, receptive_field: 1, jump: 1,
  };
  if (!isWhole(input.side, 1)) {
    first.state = "impossible";
    first.problem = {
      field: "side",
      text: `The input size must be a whole number from 1 to ` +
        `${number(MOST)}.`,
      way: "",
    };
  }
  const rows = [first];
  for (const layer of layers) {
    const before = rows[rows.length - 1];
    let row = { state: "unreachable" };
    if (before.state === "fine") {
      row = layer.kind === "Linear"
        ? linearRow(layer, before) : windowRow(layer, before);
    }
    rows.push({ name: layer.name, kind: layer.kind, ...row });
  }
  const stopped = rows.find((row) => row.state === "impossible") || null;
  const total = (key) => stopped ? null
    : rows.reduce((sum, row) => sum + row[key], 0);
  return {
    rows, stopped, parameters: total("parameters"), macs: total("macs"),
  };
}

/** The remainder of the division, in words; empty when there is none. */
function remainderHint(layer, before, row) {
  const hints = [];
  if (row.unread > 0) {
    const total = before.side + 2 * layer.padding - span(layer);
    const lost = Math.max(0, row.unread - layer.padding);
    let what = `${plural(row.unread, "column")} on the right and ` +
      `${plural(row.unread, "row")} at the bottom are never read`;
    if (lost === 0) what += "; they are padding, so no pixel is lost";
    else if (lost < row.unread) what += `, ${number(lost)} of them pixels`;
    hints.push(`${number(total)} / ${number(layer.stride)} leaves a ` +
      `remainder of ${number(row.unread)}: ${what}.`);
  }
  const gap = layer.stride - span(layer);
  if (gap > 0 && row.side > 1) {
    hints.push("The stride is larger than the kernel: " +
      `${plural(gap, "pixel")} between one window and the next ` +
      "are skipped.");
  }
  return hints.join(" ");
}

const shape = (row) => row.features ? number(row.features)
  : `${number(row.channels)} × ${square(row.side)}`;

function settingsText(layer, row) {
  if (layer.kind === "Linear") {
    const inputs = row.inputs || layer.in_features;
    return `${number(inputs)} → ${number(layer.out_features)}`;
  }
  const pool = { MaxPool2d: "max ", AvgPool2d: "mean " }[layer.kind] || "";
  const shown = (value) => isWhole(value, 0) ? number(value) : "?";
  const kernel = shown(layer.kernel);
  const parts = [`${pool}${kernel} × ${kernel}`];
  if (layer.stride !== 1) parts.push(`stride ${shown(layer.stride)}`);
  if (layer.padding !== 0) parts.push(`padding ${shown(layer.padding)}`);
  if (layer.dilation > 1) parts.push(`dilation ${layer.dilation}`);
  if (layer.groups > 1) parts.push(`${shown(layer.groups)} groups`);
  // Break the line between the parts only.
  return parts.map((part) => part.replaceAll(" ", "\u00a0")).join(", ");
}

/** The arithmetic of one layer with its numbers: [what, symbols, numbers]. */
function arithmetic(layer, before, row) {
  const n = number;
  const grows = (extra) => ["receptive field", "r + (k − 1) · j",
    `${n(before.receptive_field)} + (${extra} − 1) · ${n(before.jump)} = ` +
    n(row.receptive_field)];
  if (layer.kind === "Linear") {
    const bias = layer.bias ? " + 1" : "";
    const lines = [
      ["parameters", `out · (in${bias})`, `${n(row.features)} · ` +
        `(${n(row.inputs)}${bias}) = ${n(row.parameters)}`],
      ["MACs", "out · in",
        `${n(row.features)} · ${n(row.inputs)} = ${n(row.macs)}`],
    ];
    return before.side ? [...lines, grows(n(before.side))] : lines;
  }
  const { stride, padding, kernel, dilation, groups } = layer;
  const k = dilation > 1 ? `(${dilation} · (${kernel} − 1) + 1)` : n(kernel);
  const [open, close] = layer.ceil_mode ? "⌈⌉" : "⌊⌋";
  const division = (before.side + 2 * padding - span(layer)) / stride;
  // With ceil_mode the last window may be dropped, see outputSide.
  const plus = layer.ceil_mode && Math.ceil(division) + 1 > row.side
    ? "+ 1 − 1" : "+ 1";
  const lines = [["output side", `${open}(n + 2p − k) / s${close} ${plus}`,
    `${open}(${n(before.side)} + 2 · ${n(padding)} − ${k}) / ${n(stride)}` +
    `${close} ${plus} = ${open}${n(Math.floor(division * 100) / 100)}` +
    `${close} ${plus} = ${n(row.side)}`]];
  if (layer.kind === "Conv2d") {
    const share = groups > 1 ? `${n(before.channels)}/${groups}`
      : n(before.channels);
    const bias = layer.bias ? " + 1" : "";
    lines.push(
      ["parameters", `out · (in · k²${bias})`, `${n(row.channels)} · ` +
        `(${share} · ${n(kernel)}²${bias}) = ${n(row.parameters)}`],
      ["MACs", "side² · out · in · k²", `${n(row.side)}² · ` +
        `${n(row.channels)} · ${share} · ${n(kernel)}² = ${n(row.macs)}`]);
  }
  lines.push(grows(k), ["jump", "j · s",
    `${n(before.jump)} · ${n(stride)} = ${n(row.jump)}`]);
  return lines;
}

/** What the picture of the windows shows. */
function windowsText(layer, before, row) {
  const padding = layer.padding
    ? ` and ${number(layer.padding)} of padding on each side` : "";
  const stops = row.state === "fine"
    ? `each bar is one stop of the window, ${plural(row.side, "stop")} in all`
    : "the window, too wide for it";
  return `Above, one row of the map that arrives: ` +
    `${plural(before.side, "pixel")}${padding}. Below, ${stops}.`;
}

/** What the dashed square in the picture of the maps shows. */
function fieldText(row, input) {
  if (!row || row.state !== "fine" || !row.side) {
    return "Sides are drawn to scale; the thicker a box, the more channels.";
  }
  const size = row.receptive_field;
  return `Each number of ${row.name} sees ${square(size)} pixels of the input` +
    (size > input.side ? ", more than there are: the rest is padding."
      : ", the dashed square.");
}

/** The result in one sentence. */
function summaryText(result, reference) {
  const { rows, stopped } = result;
  if (stopped) return `It stops at ${stopped.name}. ${stopped.problem.text}`;
  const amount = (key, word) => {
    const more = result[key] - reference[key];
    const sign = more > 0 ? "+" : "−";
    return `${number(result[key])} ${word}` +
      (more ? ` (${sign}${number(Math.abs(more))})` : "");
  };
  return `It fits: ${shape(rows[rows.length - 1])} outputs, ` +
    `${amount("parameters", "parameters")}, ${amount("macs", "MACs")}.`;
}

if (typeof module !== "undefined") {
  module.exports = { computeTable, remainderHint };
}
