/* The arithmetic of the reuse map, and its words. */
"use strict";

const source = (s) => s === 0 ? "input" : `layer ${s}`;

/** For each reader the place of its largest source, by one measure. */
function largest(block, kind) {
  return block.map((wires) => {
    const values = wires.map((wire) => wire[kind]);
    return values.indexOf(Math.max(...values));
  });
}

/** How many readers with two sources or more agree on their largest. */
function agreement(block, kind, other) {
  const [one, two] = [largest(block, kind), largest(block, other)];
  const asked = one.slice(1);
  return { same: asked.filter((place, i) => place === two[i + 1]).length,
    asked: asked.length };
}

/** Shares from 0 to 1 of a reader's largest value; nothing below zero. */
function shares(wires, kind) {
  const values = wires.map((wire) => Math.max(0, wire[kind]));
  const most = Math.max(...values);
  return values.map((value) => most > 0 ? value / most : 0);
}

/** A block by one measure, in one sentence. */
function mapText(block, number, kinds, kind) {
  const cut = kinds.indexOf("cut");
  const exit = largest(block, kind)[block.length - 1];
  const words = `Block ${number} by ${kinds[kind]}: its exit's largest ` +
    `source is ${exit === 0 ? "the " : ""}${source(exit)}.`;
  if (kind === cut) return words;
  const { same, asked } = agreement(block, kind, cut);
  return `${words} ${same} of ${asked} readers have the same largest source ` +
    "by cutting.";
}

if (typeof module !== "undefined") {
  module.exports = { largest, agreement, shares, mapText };
}
