/* The arithmetic of the Inception builder, and its words. Nothing here knows
 * the page, so that node can compare it with PyTorch.
 */
"use strict";

/** A convolution with biases: what it holds, and what it does at one place. */
const layer = (inputs, outputs, kernel) => ({
  parameters: outputs * (inputs * kernel * kernel + 1),
  work: inputs * outputs * kernel * kernel });

/** The block's branches, in order; a branch without maps is not there. */
function price({ inputs, side, field, jump }, widths) {
  const [one, reduce3, three, reduce5, five, pool] = widths;
  const large = (fewer, maps, kernel) => fewer
    ? [layer(inputs, fewer, 1), layer(fewer, maps, kernel)]
    : [layer(inputs, maps, kernel)];
  const branches = [
    ["1 × 1", one, [layer(inputs, one, 1)], 0],
    ["3 × 3", three, large(reduce3, three, 3), 2],
    ["5 × 5", five, large(reduce5, five, 5), 4],
    ["pooling", pool, [layer(inputs, pool, 1)], 2],
  ].map(([name, maps, layers, wider]) => {
    const sum = (key) => maps
      ? layers.reduce((total, one) => total + one[key], 0) : 0;
    return { name, maps, parameters: sum("parameters"),
      macs: sum("work") * side ** 2, field: field + wider * jump };
  });
  const total = (key) =>
    branches.reduce((so_far, branch) => so_far + branch[key], 0);
  return { branches, maps: total("maps"), parameters: total("parameters"),
    macs: total("macs") };
}

const percent = (part, whole) => `${Math.round(100 * part / whole)} %`;

/** What the block costs, and whether that is within the budget. */
function summaryText(name, block, budget) {
  const over = ["macs", "parameters"].filter((key) =>
    block[key] > budget[key]);
  const words = { macs: "MACs", parameters: "parameters" };
  return `Block ${name}: ${short(block.macs)} MACs, ` +
    `${percent(block.macs, budget.macs)} of the budget, and ` +
    `${short(block.parameters)} parameters, ` +
    `${percent(block.parameters, budget.parameters)}. It hands on ` +
    `${number(block.maps)} channels. ` + (over.length
    ? `Over budget in ${over.map((key) => words[key]).join(" and ")}.`
    : "Within the budget.");
}

/** How many of the channels see how far. */
function fieldText(block) {
  const seen = new Map();
  for (const { maps, field } of block.branches) {
    if (maps) seen.set(field, (seen.get(field) ?? 0) + maps);
  }
  if (!seen.size) return "No channel is left.";
  const list = [...seen].sort(([a], [b]) => a - b).map(([field, maps]) =>
    `${number(maps)} see ${number(field)}`);
  return `Of its channels ${list.join(", ")} pixels at most.`;
}

if (typeof module !== "undefined") {
  module.exports = { price, summaryText, fieldText };
}
