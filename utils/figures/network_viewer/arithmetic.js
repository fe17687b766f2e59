/* The arithmetic of the network viewer: what a file says about itself, a
 * picture as a network wants it, where a network looks, and where its residual
 * blocks are. Nothing here knows a page, so node can test it.
 */

/* Pictures are bytes in PyTorch's order (channel, row, column). */

const text = (bytes, from, to) =>
  String.fromCharCode(...bytes.subarray(from, to));
const little = (bytes, at, count) => bytes.subarray(at, at + count)
  .reduceRight((sum, byte) => 256 * sum + byte, 0);
const big = (bytes, at, count) => bytes.subarray(at, at + count)
  .reduce((sum, byte) => 256 * sum + byte, 0);

/**
 * What the head of a picture file says: {kind, width, height, animated, inks,
 * turned}; null if it is none of the kinds that every browser reads. The
 * size is undefined where the file is too short to hold it.
 */
function pictureFacts(bytes) {
  if (text(bytes, 1, 4) === "PNG") {
    return { kind: "PNG", width: big(bytes, 16, 4), height: big(bytes, 20, 4),
      animated: isAnimatedPng(bytes) };
  }
  if (text(bytes, 0, 3) === "GIF") {
    return { kind: "GIF", width: little(bytes, 6, 2),
      height: little(bytes, 8, 2), animated: framesOfGif(bytes) > 1 };
  }
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP") {
    return { kind: "WebP", ...factsOfWebp(bytes) };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    return { kind: "JPEG", ...factsOfJpeg(bytes) };
  }
  if (text(bytes, 0, 2) === "BM") {
    return { kind: "BMP", width: little(bytes, 18, 4),
      height: Math.abs(little(bytes, 22, 4) | 0) };
  }
  return null;
}

/** An animated PNG says so in a chunk before its first pixels. */
function isAnimatedPng(bytes) {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + big(bytes, at, 4)) {
    const chunk = text(bytes, at + 4, at + 8);
    if (chunk === "acTL") return true;
    if (chunk === "IDAT") return false;
  }
  return false;
}

function framesOfGif(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const afterBlocks = (at) => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at] + 1;
    return at + 1;
  };
  let frames = 0;
  let at = 13 + table(bytes[10]);
  while (at < bytes.length && frames < 2) {
    if (bytes[at] === 0x21) {
      at = afterBlocks(at + 2);
    } else if (bytes[at] === 0x2c) {
      frames += 1;
      at = afterBlocks(at + 11 + table(bytes[at + 9]));
    } else {
      break;
    }
  }
  return frames;
}

function factsOfWebp(bytes) {
  const chunk = text(bytes, 12, 16);
  if (chunk === "VP8X") {
    return { width: little(bytes, 24, 3) + 1,
      height: little(bytes, 27, 3) + 1, animated: (bytes[20] & 2) > 0 };
  }
  if (chunk === "VP8L") {
    const sides = little(bytes, 21, 4);
    return { width: (sides & 0x3fff) + 1,
      height: ((sides >> 14) & 0x3fff) + 1 };
  }
  return { width: little(bytes, 26, 2) & 0x3fff,
    height: little(bytes, 28, 2) & 0x3fff };
}

/** Segment by segment; a camera's orientation comes before the size. */
function factsOfJpeg(bytes) {
  const facts = { turned: false };
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    const isSize = marker >= 0xc0 && marker <= 0xcf &&
      ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isSize) {
      return { ...facts, height: big(bytes, at + 5, 2),
        width: big(bytes, at + 7, 2), inks: bytes[at + 9] === 4 };
    }
    if (marker === 0xe1 && text(bytes, at + 4, at + 8) === "Exif") {
      facts.turned = orientation(bytes, at + 10) > 1;
    }
    at += 2 + big(bytes, at + 2, 2);
  }
  return facts;
}

/** Entry 0x112 of the first directory of a TIFF head. */
function orientation(bytes, start) {
  const number = text(bytes, start, start + 2) === "II" ? little : big;
  const directory = start + number(bytes, start + 4, 4);
  const entries = number(bytes, directory, 2);
  for (let i = 0; i < entries; i += 1) {
    const at = directory + 2 + 12 * i;
    if (number(bytes, at, 2) === 0x112) return number(bytes, at + 8, 2);
  }
  return 1;
}

/**
 * Scale a square of RGBA bytes to (3, side, side), on white.
 *
 * Each new pixel is the mean of the area that it covers, so nothing is lost
 * on the way down, and a tiny picture is enlarged to squares.
 */
function scaled(rgba, from, side) {
  const bytes = new Uint8Array(3 * side * side);
  const step = from / side;
  /** The old rows or columns under a new one, with their shares. */
  const covered = Array.from({ length: side }, (_, i) => {
    const parts = [];
    for (let p = Math.floor(i * step); p < Math.min((i + 1) * step, from);
      p += 1) {
      const share = Math.min(p + 1, (i + 1) * step) - Math.max(p, i * step);
      if (share > 1e-9) parts.push([p, share / step]);
    }
    return parts;
  });
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const sum = [0, 0, 0];
      for (const [row, height] of covered[y]) {
        for (const [column, width] of covered[x]) {
          const at = 4 * (row * from + column);
          const share = rgba[at + 3] / 255;
          for (let c = 0; c < 3; c += 1) {
            sum[c] += height * width *
              (share * rgba[at + c] + 255 * (1 - share));
          }
        }
      }
      for (let c = 0; c < 3; c += 1) {
        bytes[(c * side + y) * side + x] = Math.round(sum[c]);
      }
    }
  }
  return bytes;
}

/** A square picture (3, side, side), scaled to another side. */
function resized(bytes, side) {
  const from = Math.sqrt(bytes.length / 3);
  if (from === side) return bytes;
  const rgba = Uint8Array.from({ length: 4 * from * from }, (_, i) =>
    (i % 4 === 3 ? 255 : bytes[(i % 4) * from * from + Math.floor(i / 4)]));
  return scaled(rgba, from, side);
}

/** The same picture with this number of channels: 1 is grey, 3 is colour. */
function withChannels(bytes, channels, wanted) {
  if (channels === wanted) return bytes;
  const places = bytes.length / channels;
  const result = new Uint8Array(wanted * places);
  for (let i = 0; i < places; i += 1) {
    const grey = channels === 1 ? bytes[i] : Math.round(0.299 * bytes[i] +
      0.587 * bytes[places + i] + 0.114 * bytes[2 * places + i]);
    for (let c = 0; c < wanted; c += 1) result[c * places + i] = grey;
  }
  return result;
}

const exchanged = (bytes) => bytes.map((value) => 255 - value);

/** Mean of the outermost pixels, from 0 to 255: the ground, mostly. */
function edgeMean(bytes, side) {
  const edge = bytes.filter((_, i) => {
    const [x, y] = [i % side, Math.floor(i / side) % side];
    return x === 0 || y === 0 || x === side - 1 || y === side - 1;
  });
  return edge.reduce((sum, value) => sum + value, 0) / edge.length;
}

/** As the network was trained: (pixel / 255 - mean) / std of its channel. */
function normalised(bytes, mean, std) {
  const places = bytes.length / mean.length;
  return Float32Array.from(bytes, (value, i) => {
    const channel = Math.floor(i / places);
    return (value / 255 - mean[channel]) / std[channel];
  });
}

/** Where a square is laid on a picture: at most 13 × 13 places. */
function squarePlaces(side) {
  const square = Math.max(1, Math.round(side / 4));
  const step = Math.ceil(side / 16);
  const starts = [];
  for (let at = 0; at + square <= side; at += step) starts.push(at);
  return { square, step, starts };
}

/** A copy of the picture with a grey square on it. */
function coveredAt(bytes, side, square, top, left) {
  const copy = bytes.slice();
  for (let plane = 0; plane < copy.length; plane += side * side) {
    for (let y = top; y < top + square; y += 1) {
      copy.fill(128, plane + y * side + left,
        plane + y * side + left + square);
    }
  }
  return copy;
}

/** Mean over the channels of maps (C, H, W), one number a place. */
function meanMap({ shape, values }) {
  const places = shape[1] * shape[2];
  const mean = new Float32Array(places);
  values.forEach((value, i) => { mean[i % places] += value / shape[0]; });
  return mean;
}

const length = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** All nodes that a node depends on, itself included. */
function ancestors(byName, name, found = new Set()) {
  if (!byName.has(name) || found.has(name)) return found;
  found.add(name);
  byName.get(name).inputs.forEach((input) =>
    ancestors(byName, input, found));
  return found;
}

/**
 * The residual blocks of a network, in order: {correction, path, end, shape}
 * are the names of the nodes that compute F(x), what is added to it, and what
 * leaves the block.
 *
 * A block is an addition of two branches of which one has more convolutions
 * since they parted. An addition of equals is none.
 */
function residualBlocks(nodes) {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const blocks = [];
  for (const { name, op, inputs, shape } of nodes) {
    if (op !== "add" || !inputs.every((input) => byName.has(input))) continue;
    const [left, right] = inputs.map((input) => ancestors(byName, input));
    const work = (mine, other) => [...mine].filter((node) =>
      !other.has(node) && byName.get(node).op === "convolution").length;
    const more = work(left, right) - work(right, left);
    if (more === 0) continue;
    const users = nodes.filter((node) => node.inputs.includes(name));
    const rectified = users.length === 1 && users[0].op === "relu";
    blocks.push({ shape, correction: inputs[more > 0 ? 0 : 1],
      path: inputs[more > 0 ? 1 : 0], end: rectified ? users[0].name : name });
  }
  return blocks;
}

/**
 * Where all that follows some maps is an average over each and one linear
 * layer, each logit is the mean of a map of its own: these maps times the
 * weights of its class. {maps, linear} are the names of both nodes; or null.
 */
function classMapNodes(nodes) {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  let node = nodes.at(-1);
  const step = (isPassed) => {
    while (node && isPassed(node)) node = byName.get(node.inputs[0]);
    return node;
  };
  const linear = step(({ op }) => op.includes("softmax"));
  if (linear?.op !== "linear") return null;
  node = byName.get(linear.inputs[0]);
  const average = step(({ op }) => op === "reshape");
  const isMean = average?.op === "adaptive-average" &&
    average.shape[1] * average.shape[2] === 1;
  return isMean ? { maps: average.inputs[0], linear: linear.name } : null;
}

if (typeof module === "object") {
  module.exports = { pictureFacts, scaled, resized, withChannels, exchanged, edgeMean,
    normalised, squarePlaces, coveredAt, meanMap, length, residualBlocks,
    classMapNodes };
}
