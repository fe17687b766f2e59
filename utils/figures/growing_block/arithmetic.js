/* The arithmetic of the growing block, and its words. Nothing here knows the
 * page, so that node can compare it with PyTorch.
 */
"use strict";

/** One layer that reads c channels and writes k: weights and batch norms. */
function layerCost(c, k, bottleneck) {
  return bottleneck
    ? { weights: 4 * k * c + 36 * k * k, norms: 2 * c + 8 * k, kept: 2 * c +
        8 * k, again: 8 * k }
    : { weights: 9 * c * k, norms: 2 * c, kept: 2 * c, again: 0 };
}

/** A dense block and the transition behind it.
 *
 * "kept" is what the backward pass keeps, in maps: by each reader, or, in
 * "keptOnce", each map once and the reading repeated.
 */
function dense({ first, layers, growth, bottleneck, compression, side }) {
  const reads = Array.from({ length: layers }, (_, i) => first + i * growth);
  const total = { weights: 0, norms: 0, kept: 0, again: 0 };
  for (const c of reads) {
    const cost = layerCost(c, growth, bottleneck);
    for (const key of Object.keys(total)) total[key] += cost[key];
  }
  const channels = first + layers * growth;
  return { reads, channels, passed: Math.floor(compression * channels),
    connections: layers * (layers + 1) / 2,
    parameters: total.weights + total.norms,
    macs: total.weights * side ** 2, kept: total.kept,
    keptOnce: first + (layers - 1) * growth + total.again };
}

/** Residual pairs of 3 × 3, as wide as these parameters allow. */
function residual(parameters, convolutions, side) {
  const pairs = Math.max(1, Math.round(convolutions / 2));
  const cost = (w) => pairs * (18 * w * w + 4 * w);
  let width = 1;
  while (Math.abs(cost(width + 1) - parameters) <=
    Math.abs(cost(width) - parameters)) width += 1;
  return { pairs, width, parameters: cost(width),
    macs: pairs * 18 * width * width * side ** 2, kept: 4 * width * pairs };
}

/** Maps as megabytes: 4 bytes a value. */
const megabytes = (maps, side) => 4 * maps * side ** 2 / 1e6;

/** The whole block in one sentence. */
function summaryText(settings, block, other) {
  const { layers, growth } = settings;
  const more = block.kept / other.kept;
  return `${layers} layer${layers === 1 ? "" : "s"}, k = ${growth}: ` +
    `${number(block.connections)} connections, ` +
    `${number(block.channels)} channels at the end, ${number(block.passed)} ` +
    `behind the transition, ${number(block.parameters)} parameters. Its ` +
    `backward pass keeps ${number(block.kept)} maps, ${more.toFixed(1)} ` +
    `times as many as the residual block's ${number(other.kept)}.`;
}

/** What one layer reads. */
function layerText(settings, layer) {
  const { first, growth } = settings;
  const before = layer - 1;
  const from = before === 0 ? "the block's input alone"
    : `the block's input and ${before} layer${before === 1 ? "" : "s"} of ` +
      `${growth}`;
  return `Layer ${layer} reads ${number(first + before * growth)} channels: ` +
    `${from}. It writes ${growth}.`;
}

if (typeof module !== "undefined") {
  module.exports = { dense, residual, megabytes, summaryText,
    layerText };
}
