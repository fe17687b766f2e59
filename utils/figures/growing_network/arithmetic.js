/* The arithmetic of the growing network, and its words: no page in sight, so
 * that node can test it against utils.shapes.layer_table.
 */
"use strict";

const HIDDEN = 4096;
const CLASSES = 1000;
/** What each stage of a network costs, and what one value behind it sees.
 *
 * A block is {convolutions, channels}: so many convolutions that keep the
 * size, then a 2 × 2 pooling. Activations are the values that convolutions
 * and linear layers hand out, as the chapter counts them.
 */
function grow({ channels, side }, blocks, kernel, connected) {
  let [field, jump] = [1, 1];
  const stages = blocks.map((block, i) => {
    const stage = { name: `block ${i + 1}`, parameters: 0, macs: 0,
      activations: 0 };
    for (let n = 0; n < block.convolutions; n += 1) {
      const weights = kernel ** 2 * channels * block.channels;
      channels = block.channels;
      stage.parameters += weights + channels;
      stage.macs += weights * side ** 2;
      stage.activations += channels * side ** 2;
      field += (kernel - 1) * jump;
    }
    side = Math.floor(side / 2);
    field += jump;
    jump *= 2;
    return { ...stage, channels, side, field };
  });
  const widths = connected
    ? [channels * side ** 2, HIDDEN, HIDDEN, CLASSES] : [channels, CLASSES];
  const head = { name: "classifier", parameters: 0, macs: 0, activations: 0 };
  for (let i = 1; i < widths.length; i += 1) {
    head.parameters += (widths[i - 1] + 1) * widths[i];
    head.macs += widths[i - 1] * widths[i];
    head.activations += widths[i];
  }
  stages.push(head);
  const total = (key) => stages.reduce((sum, stage) => sum + stage[key], 0);
  return { stages, field, side, channels, parameters: total("parameters"),
    macs: total("macs"), activations: total("activations") };
}

/** What the square on the picture shows. */
function fieldText(field, side) {
  if (field >= side) {
    return `One value behind the last block sees ${number(field)} × ` +
      `${number(field)} pixels: the whole picture and padding around it.`;
  }
  const share = 100 * (field / side) ** 2;
  return `One value behind the last block sees ${number(field)} × ` +
    `${number(field)} pixels, ${share < 1 ? share.toPrecision(1)
      : share.toFixed(0)} % of the picture.`;
}

/** The whole network in one sentence. */
function summaryText(blocks, result) {
  const layers = blocks.reduce((sum, block) => sum + block.convolutions, 0);
  return `${layers} convolution${layers === 1 ? "" : "s"} in ` +
    `${blocks.length} block${blocks.length === 1 ? "" : "s"}: ` +
    `${number(result.parameters)} parameters, ${number(result.macs)} MACs, ` +
    `${number(result.activations)} activations an image.`;
}

if (typeof module !== "undefined") {
  module.exports = { grow, fieldText, summaryText };
}
