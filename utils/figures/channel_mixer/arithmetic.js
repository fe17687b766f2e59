/* The arithmetic of the channel mixer, and its sentences: no page in sight,
 * so that node can test it against PyTorch.
 *
 * A mix is {weights, bias}. A network is {deep, hidden, answer}: three hidden
 * mixes of the channels with ReLU and a mix of them, or, where it is not
 * deep, only `answer`, a mix of the channels.
 */
"use strict";

const weighted = ({ weights, bias }, values) =>
  weights.reduce((sum, weight, i) => sum + weight * values[i], bias);

/** What the hidden mixes and the answer are for one colour. */
function answerTo(rgb, { deep, hidden, answer }) {
  if (!deep) return { hidden: [], answer: weighted(answer, rgb) };
  const values = hidden.map((mix) => Math.max(0, weighted(mix, rgb)));
  return { hidden: values, answer: weighted(answer, values) };
}

/** The same for all pixels, bytes of 0 to 255: maps, each a list of rows. */
function mapsOf(pixels, network) {
  const all = pixels.map((row) => row.map((pixel) =>
    answerTo(pixel.map((value) => value / 255), network)));
  const map = (pick) => all.map((row) => row.map(pick));
  return { hidden: (network.deep ? network.hidden : [])
    .map((_, i) => map((found) => found.hidden[i])),
  answer: map((found) => found.answer) };
}

/** Two decimals, a true minus sign, no negative zero. */
const short = (value) =>
  (Math.round(value * 100) / 100 || 0).toFixed(2).replace("-", "−");

/** Which paints have the largest answer, and is it the target alone? */
function verdict(paints, target, network) {
  const answers = paints.map(({ rgb }) => answerTo(rgb, network).answer);
  const own = answers[paints.findIndex(({ name }) => name === target)];
  const above = paints.filter(({ name }, i) =>
    name !== target && answers[i] > own - 0.005);
  const words = above.length
    ? `${target} is not singled out: ${short(own)} on it, and ` +
      `${above.map(({ name }) => name).join(", ")} at least as much.`
    : `${target} is singled out: ${short(own)} on it, less on every other.`;
  return { answers, found: above.length === 0,
    words: words[0].toUpperCase() + words.slice(1) };
}

if (typeof module !== "undefined") {
  module.exports = { answerTo, mapsOf, verdict, short };
}
