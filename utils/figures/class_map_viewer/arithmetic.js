/* The arithmetic of the class map viewer, and its sentences: no page in
 * sight, so that node can test it against PyTorch.
 */
"use strict";

/** Two decimals, a true minus sign, no negative zero. */
const short = (value) =>
  (Math.round(value * 100) / 100 || 0).toFixed(2).replace("-", "−");

/** The maps as they are averaged: as they are, or through a ReLU. */
const through = (maps, relu) => relu
  ? maps.map((map) => map.map((row) => row.map((x) => Math.max(0, x)))) : maps;

/** One score a class: the average of its map. */
const averages = (maps) => maps.map((map) => {
  const all = map.flat();
  return all.reduce((sum, x) => sum + x, 0) / all.length;
});

/** What the network says, and what the chosen map adds to it. */
function told(maps, names, label, chosen, relu) {
  const used = through(maps, relu);
  const scores = averages(used);
  const best = scores.indexOf(Math.max(...scores));
  const right = best === label ? ", which is right"
    : `; it is a picture of the class ${names[label]}`;
  const positive = used[chosen].flat().filter((x) => x > 0).length;
  return { scores, best, words:
    `The largest average is that of ${names[best]}, ${short(scores[best])}` +
    `${right}. The map of ${names[chosen]} averages ` +
    `${short(scores[chosen])}; ${positive} of ${used[chosen].flat().length} ` +
    "places speak for it." };
}

if (typeof module !== "undefined") {
  module.exports = { averages, told, through };
}
