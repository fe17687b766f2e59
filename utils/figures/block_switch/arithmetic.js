/* The arithmetic of the block switch: a residual network, run without any
 * library, so that node can test it against PyTorch. Maps are Float32Arrays in
 * PyTorch's order (channel, row, column).
 */
"use strict";

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floatsOf = (text) => new Float32Array(bytesOf(text).buffer);

/** A convolution with its weights as numbers again: a character stands for a
 * whole number from -31 ("?") to 31 ("}"), times the scale of its channel. */
function unpackConvolution(packed) {
  const scales = floatsOf(packed.scales);
  const each = packed.weights.length / scales.length;
  const weights = Float32Array.from(packed.weights, (character, i) =>
    (character.charCodeAt(0) - 94) * scales[Math.floor(i / each)]);
  return { ...packed, weights, bias: floatsOf(packed.bias) };
}

/** The network of the figure's data, ready to run. */
function unpackNetwork(packed) {
  return {
    ...packed,
    stem: unpackConvolution(packed.stem),
    blocks: packed.blocks.map((block) => ({
      ...block,
      first: unpackConvolution(block.first),
      second: unpackConvolution(block.second),
    })),
    linear: { weights: floatsOf(packed.linear.weights),
      bias: floatsOf(packed.linear.bias) },
  };
}

/** A 3 × 3 convolution with padding 1 on square maps. */
function convolve({ values, channels, side }, layer) {
  const { inputs, outputs, stride, weights, bias } = layer;
  if (inputs !== channels) throw new Error(`${channels} maps, not ${inputs}`);
  const wide = side + 2;
  const padded = new Float32Array(channels * wide * wide);
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < side; y += 1) {
      const from = (c * side + y) * side;
      padded.set(values.subarray(from, from + side),
        (c * wide + y + 1) * wide + 1);
    }
  }
  const small = Math.floor((side - 1) / stride) + 1;
  const result = new Float32Array(outputs * small * small);
  for (let o = 0; o < outputs; o += 1) {
    const at = o * small * small;
    result.fill(bias[o], at, at + small * small);
    for (let c = 0; c < inputs; c += 1) {
      const w = (o * inputs + c) * 9;
      for (let y = 0; y < small; y += 1) {
        // Nine taps at once: each pixel of the output is touched once a map.
        const top = (c * wide + y * stride) * wide;
        const middle = top + wide;
        const bottom = middle + wide;
        for (let x = 0; x < small; x += 1) {
          const s = x * stride;
          result[at + y * small + x] +=
            weights[w] * padded[top + s] +
            weights[w + 1] * padded[top + s + 1] +
            weights[w + 2] * padded[top + s + 2] +
            weights[w + 3] * padded[middle + s] +
            weights[w + 4] * padded[middle + s + 1] +
            weights[w + 5] * padded[middle + s + 2] +
            weights[w + 6] * padded[bottom + s] +
            weights[w + 7] * padded[bottom + s + 1] +
            weights[w + 8] * padded[bottom + s + 2];
        }
      }
    }
  }
  return { values: result, channels: outputs, side: small };
}

/** Option A: every second pixel, and maps of zeros behind. */
function shortcut({ values, channels, side }, outputs, stride) {
  if (stride === 1 && outputs === channels) return { values, channels, side };
  const small = Math.floor((side - 1) / stride) + 1;
  const result = new Float32Array(outputs * small * small);
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < small; y += 1) {
      for (let x = 0; x < small; x += 1) {
        result[(c * small + y) * small + x] =
          values[(c * side + y * stride) * side + x * stride];
      }
    }
  }
  return { values: result, channels: outputs, side: small };
}

const rectify = (maps) =>
  ({ ...maps, values: maps.values.map((value) => Math.max(value, 0)) });

const norm = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Mean over the channels, one number a place. */
function meanMap({ values, channels, side }) {
  const places = side * side;
  const mean = new Float32Array(places);
  values.forEach((value, i) => { mean[i % places] += value / channels; });
  return mean;
}

/**
 * Run the network on one picture.
 *
 * `pixels` are bytes (3, side, side); `on` says for each block whether F(x) is
 * added. Returns the probabilities and, for each block, its mean map, the side
 * of it, and how large F(x) is beside the shortcut (null where it is off).
 */
function run(network, pixels, on) {
  const places = pixels.length / 3;
  let maps = { channels: 3, side: Math.sqrt(places),
    values: Float32Array.from(pixels, (pixel, i) => {
      const channel = Math.floor(i / places);
      return (pixel / 255 - network.mean[channel]) / network.std[channel];
    }) };
  maps = rectify(convolve(maps, network.stem));
  const blocks = network.blocks.map(({ first, second }, place) => {
    const path = shortcut(maps, first.outputs, first.stride);
    let ratio = null;
    if (on[place]) {
      const added = convolve(rectify(convolve(maps, first)), second);
      ratio = norm(added.values) / norm(path.values);
      added.values.forEach((value, i) => {
        added.values[i] = value + path.values[i];
      });
      maps = rectify(added);
    } else {
      maps = rectify(path);
    }
    return { map: meanMap(maps), side: maps.side, ratio };
  });

  const { weights, bias } = network.linear;
  const size = maps.side ** 2;
  const means = Array.from({ length: maps.channels }, (_, c) => maps.values
    .subarray(c * size, (c + 1) * size).reduce((a, b) => a + b, 0) / size);
  const logits = Array.from(bias, (start, k) => means.reduce((sum, mean, c) =>
    sum + mean * weights[k * means.length + c], start));
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return { probabilities: powers.map((power) => power / total), blocks };
}

if (typeof module !== "undefined") {
  module.exports = { run, unpackNetwork };
}
