/* The arithmetic of the comparison explorer, and its words. Nothing here knows
 * the page, so that node can compare it with Python.
 */
"use strict";

/** What a network costs: the words of the axis, and those behind a number. */
const COSTS = {
  pflops: ["training compute", "PFLOPs"],
  parameters: ["parameters", ""],
  macs: ["MACs", ""],
  memory: ["activation memory", "MB"],
  latency1: ["latency, batch 1", "ms"],
  latency128: ["latency, batch 128", "ms"],
};
/** From how many times the smallest on an axis is logarithmic. */
const WIDE = 8;

/** Three digits at most: 50,000 is "50 k", 0.0299 stays. No line ends in it. */
const amount = (value) => short(Number(value.toPrecision(3)))
  .replace(/\.(\d*?)0+ /, (_, digits) => digits ? `.${digits} ` : " ")
  .replace(" ", "\u00a0");

const percent = (value) => `${value.toFixed(1)}\u00a0%`;

/** Mean, lowest and highest over the seeds, in per cent. */
function measured({ accuracies }, measure) {
  const values = accuracies.map((accuracy) =>
    100 * (measure === "error" ? 1 - accuracy : accuracy));
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    low: Math.min(...values), high: Math.max(...values) };
}

/** Each network's place on the axes, and its test error. */
const placed = (rows, cost, measure) => rows.map((row) => ({
  ...measured(row, measure), name: row.name, x: row[cost],
  error: measured(row, "error").mean }));

/** Who costs no more, errs no more, and is better in one of the two. */
const preferable = (points, { x, error }) => points.filter((other) =>
  other.x <= x && other.error <= error && (other.x < x || other.error < error));

/** The Pareto line: to whom none is preferable, from the cheapest on. */
const frontier = (points) => points
  .filter((point) => !preferable(points, point).length)
  .sort((one, other) => one.x - other.x);

/** An axis on which these values lie, with so many ticks at most. */
function axisFor(values, most) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLog = low > 0 && high / low >= WIDE;
  const into = isLog ? Math.log10 : (value) => value;
  // Ticks with three digits must be able to tell the ends apart.
  const spare = Math.max(0.07 * (into(high) - into(low)),
    isLog ? 0 : 0.02 * high);
  const [from, to] = [into(low) - spare, into(high) + spare];
  const inside = (ticks) => ticks.filter((tick) => tick >= 0 &&
    into(tick) >= from && into(tick) <= to);
  // From many ticks to few: the first that fit.
  const choices = isLog
    ? [[1, 2, 5], [1, 3], [1]].map((digits) => decades(from, to, digits))
    : [-2, -1, 0, 1].flatMap((power) => [1, 2, 5].map((digit) =>
      steps(from, to, digit * 10 ** (Math.floor(Math.log10(to - from)) +
        power))));
  const fitting = choices.map(inside).find(({ length }) => length <= most);
  return { from, to, isLog, ticks: fitting ?? [] };
}

/** These digits at each power of ten from 10^from to 10^to. */
function decades(from, to, digits) {
  const powers = steps(Math.floor(from), to, 1);
  return powers.flatMap((power) =>
    digits.map((digit) => Number(`${digit}e${Math.round(power)}`)));
}

/** The multiples of a step. */
function steps(from, to, step) {
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) },
    (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Where a value lies on an axis, from 0 to 1. */
const share = ({ from, to, isLog }, value) =>
  ((isLog ? Math.log10(value) : value) - from) / (to - from);

/** Which of these points is nearest, and no farther than so many pixels. */
function nearest(points, [x, y], within) {
  const far = points.map((point) => Math.hypot(point.x - x, point.y - y));
  const best = far.indexOf(Math.min(...far));
  return far[best] <= within ? best : -1;
}

// Labels. A box is {left, top, right, bottom}.

const overlap = (a, b) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/** The box that holds these points, and some pixels around. */
function boxAround(points, around) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return { left: Math.min(...xs) - around, right: Math.max(...xs) + around,
    top: Math.min(...ys) - around, bottom: Math.max(...ys) + around };
}

/** The line from a mark to its label: points a few pixels apart. */
function leader({ x, y }, box) {
  const toX = Math.min(Math.max(x, box.left), box.right);
  const toY = Math.min(Math.max(y, box.top), box.bottom);
  const count = Math.ceil(Math.hypot(toX - x, toY - y) / 3);
  return Array.from({ length: count + 1 }, (_, i) => ({
    x: x + (toX - x) * i / Math.max(1, count),
    y: y + (toY - y) * i / Math.max(1, count) }));
}

/** Whether two such lines cross. */
function cross(one, other) {
  const [[a, b], [c, d]] = [one, other].map((line) => [line[0], line.at(-1)]);
  const side = (from, to, { x, y }) => Math.sign((to.x - from.x) *
    (y - from.y) - (to.y - from.y) * (x - from.x));
  return side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);
}

/** Boxes of a size around a mark, nearer ones first, all within the area. */
function boxesNear({ x, y }, [wide, high], area) {
  const boxes = [];
  for (let far = 8; far < 160; far += 6) {
    for (let turn = 0; turn < 40; turn += 1) {
      const angle = turn * Math.PI / 20;
      const left = x - wide / 2 + Math.cos(angle) * (wide / 2 + far);
      const top = y - high / 2 + Math.sin(angle) * (high / 2 + far);
      const box = { left, top, right: left + wide, bottom: top + high, far };
      if (left >= area.left && top >= area.top && box.right <= area.right &&
        box.bottom <= area.bottom) boxes.push(box);
    }
  }
  const { left, top } = area;
  return boxes.length ? boxes
    : [{ left, top, right: left + wide, bottom: top + high, far: 0 }];
}

/**
 * A box for each mark's label, where it hides as little as can be.
 *
 * marks are {x, y}, sizes [width, height] of the labels, the area is a box;
 * what lies in `others`, boxes too, is better not hidden. The labels look for
 * a place one after the other, a few times. Who comes first matters, so
 * several orders are tried.
 */
function placeLabels(marks, sizes, area, others) {
  const around = marks.map((mark) => boxAround([mark], 7));
  const choices = marks.map((mark, i) => boxesNear(mark, sizes[i], area));
  const meets = (line, box) => line.some(({ x, y }) => x > box.left &&
    x < box.right && y > box.top && y < box.bottom);

  const lineOf = (i, box) => {
    box.line ??= leader(marks[i], box);
    return box.line;
  };

  /** What is wrong with a box, if that is not more than `most`. */
  function trouble(i, box, found, most) {
    let sum = box.far;
    for (const mark of around) if (overlap(box, mark)) sum += 400;
    for (const other of others) if (overlap(box, other)) sum += 25;
    const rest = marks.map((_, k) => k).filter((k) => k !== i);
    for (const k of rest) {
      const hidden = found[k] ? overlap(box, found[k]) : 0;
      if (hidden) sum += 2000 + hidden;
    }
    if (sum > most) return sum; // lines take longer to look at
    const line = lineOf(i, box);
    for (const k of rest) {
      if (meets(line, around[k])) sum += 100;
      if (!found[k]) continue;
      const its = lineOf(k, found[k]);
      if (meets(line, found[k]) || meets(its, box)) sum += 300;
      if (cross(line, its)) sum += 100;
    }
    return sum;
  }

  function settle(order) {
    const found = [];
    let total = 0;
    for (let round = 0; round < 4; round += 1) {
      total = 0;
      for (const i of order) {
        let least = Infinity;
        for (const box of choices[i]) {
          if (box.far > least) break; // what comes is no better
          const sum = trouble(i, box, found, least);
          if (sum < least) [least, found[i]] = [sum, box];
        }
        total += least;
      }
    }
    return { found, total };
  }

  const orders = ["x", "y"].flatMap((key) => {
    const order = marks.map((_, i) => i)
      .sort((i, k) => marks[i][key] - marks[k][key]);
    return [order, [...order].reverse()];
  });
  return orders.map(settle).sort((one, other) => one.total - other.total)[0]
    .found;
}

// The drawing of a network: a layer is as wide as it has channels.

/** Pixels a channel, so that each network fits, with a pixel a layer. */
const channelWidth = (rows, width) => Math.min(...rows.map(({ layers }) =>
  (width - layers.length) / layers.reduce((sum, [maps]) => sum + maps, 0)));

/** The layers in words. */
function layersText(layers) {
  const maps = layers.filter(([, side]) => side);
  const full = layers.length - maps.length;
  const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const parts = [];
  if (maps.length) {
    const sides = maps.map(([, side]) => side);
    parts.push(`${many(maps.length, "convolution")}, the first with maps of ` +
      `${sides[0]} × ${sides[0]}, the last of ${sides.at(-1)} × ` +
      `${sides.at(-1)}, at most ${number(Math.max(...maps.map(([c]) => c)))} ` +
      "channels");
  }
  if (full) parts.push(many(full, "fully connected layer"));
  return `${parts.join("; ")}.`;
}

// Sentences

/** Between which numbers a cost was found, if it was measured. */
const rangeText = ({ ranges }, cost) =>
  ranges[cost] ? ` (${ranges[cost].map(amount).join("\u00a0to\u00a0")})`
    : "";

const withUnit = (row, cost) =>
  `${amount(row[cost])}\u00a0${COSTS[cost][1]}`.trim() + rangeText(row, cost);

/** The words above the numbers of a cost; timedOn is the latencies' machine. */
const headText = (row, cost, timedOn) =>
  COSTS[cost].filter(Boolean).join(", ") +
  (row.ranges[cost] ? ` on ${timedOn}` : "");

/** What a network costs, in its card. */
const costText = (row, cost, timedOn) =>
  withUnit(row, cost) + (row.ranges[cost] ? `, ${timedOn}` : "");

const seedsText = ({ seeds }) =>
  `${seeds.length} seed${seeds.length === 1 ? "" : "s"}`;

/** The result of each seed, in their order. */
const seedValues = ({ accuracies }, measure) => accuracies.map((accuracy) =>
  (100 * (measure === "error" ? 1 - accuracy : accuracy)).toFixed(1))
  .join(", ") + "\u00a0%";

/** One network in one setting, by the two axes. */
function summaryText(setting, row, cost, measure) {
  const { mean, low, high } = measured(row, measure);
  const points = placed(setting.rows, cost, measure);
  const better = preferable(points, points[setting.rows.indexOf(row)])
    .sort((one, other) => one.error - other.error);
  const range = row.seeds.length > 1
    ? `${low.toFixed(1)} to ${percent(high)} over ${seedsText(row)}` : "1 seed";
  const more = better.length > 1 ? `, and ${better.length - 1} more` : "";
  return `${row.name} on ${setting.name}: test ${measure} ${percent(mean)} ` +
    `(${range}), ${COSTS[cost][0]}: ${withUnit(row, cost)}. ` +
    (better.length ? `Preferable: ${better[0].name}${more}.`
      : "It lies on the line.");
}

const lineText = (setting, cost) => "On the line: " + frontier(
  placed(setting.rows, cost, "error")).map(({ name }) => name).join(", ") + ".";

const missingText = ({ missing }) => missing.length
  ? `Not recorded in this setting: ${missing.join(", ")}.` : "";

/** What the vertical lines are, and what they are not. */
function errorText({ rows }) {
  const errors = rows.map((row) => {
    const { mean } = measured(row, "accuracy");
    return Math.sqrt(mean * (100 - mean) / row.images);
  });
  return "A vertical line goes from the lowest to the highest seed. Not " +
    `drawn is the binomial error of ${number(rows[0].images)} test images, ` +
    `up to ${Math.max(...errors).toFixed(1)} points (one standard error).`;
}

if (typeof module !== "undefined") {
  module.exports = { COSTS, amount, measured, placed, preferable, frontier,
    axisFor, share, nearest, placeLabels, channelWidth, layersText,
    rangeText, headText, costText, seedValues, summaryText, lineText,
    missingText, errorText };
}
