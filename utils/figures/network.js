/* Networks that run in the page: reads a file that utils.network_file wrote,
 * and computes what PyTorch computes. Maps are Float32Arrays in PyTorch's
 * order (channel, row, column), of one image.
 *
 * Every error has a sentence for the reader, who may have dropped any file.
 */
"use strict";

const NEWEST = 1; // version of the graph that this script knows
const MOST_BYTES = 120e6; // about 30 million weights
const MOST_VALUES = 32e6; // in the maps of one node
const MOST_PRODUCTS = 2e10; // for one picture, about ten seconds

const product = (numbers) => numbers.reduce((a, b) => a * b, 1);

/* Matrices. A product takes its factors in tiles, packed so that they are
 * read in the order in which they lie: four rows of the one and two columns
 * of the other are eight sums that stay in registers.
 */

/** Rows (each `inner` long) by fours: [row / 4][inner][4], filled with 0. */
function packRows(values, rows, inner) {
  const packed = new Float32Array(Math.ceil(rows / 4) * 4 * inner);
  for (let row = 0; row < rows; row += 1) {
    const to = (row >> 2) * 4 * inner + (row & 3);
    for (let k = 0; k < inner; k += 1) {
      packed[to + 4 * k] = values[row * inner + k];
    }
  }
  return packed;
}

/**
 * sums[at + row * columns + column] = the product of both factors.
 *
 * `left` is as packRows packs it, from `leftFrom` on; `right` holds columns
 * by twos: [column / 2][inner][2], from `rightFrom` on.
 */
function multiply(left, leftFrom, right, rightFrom, sums, at, rows, inner,
  columns) {
  for (let row = 0; row < rows; row += 4) {
    const start = leftFrom + row * inner;
    const end = start + 4 * inner;
    for (let column = 0; column < columns; column += 2) {
      let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      let r = rightFrom + column * inner;
      for (let l = start; l < end; l += 4) {
        const first = right[r], second = right[r + 1];
        const w = left[l], x = left[l + 1], y = left[l + 2], z = left[l + 3];
        a += w * first; b += w * second;
        c += x * first; d += x * second;
        e += y * first; f += y * second;
        g += z * first; h += z * second;
        r += 2;
      }
      const to = at + row * columns + column;
      const pair = column + 1 < columns;
      sums[to] = a;
      if (pair) sums[to + 1] = b;
      if (row + 1 < rows) {
        sums[to + columns] = c;
        if (pair) sums[to + columns + 1] = d;
      }
      if (row + 2 < rows) {
        sums[to + 2 * columns] = e;
        if (pair) sums[to + 2 * columns + 1] = f;
      }
      if (row + 3 < rows) {
        sums[to + 3 * columns] = g;
        if (pair) sums[to + 3 * columns + 1] = h;
      }
    }
  }
}

/** Room for numbers that are needed until the next layer, never cleared. */
const rooms = [];
function borrow(which, length) {
  if (!rooms[which] || rooms[which].length < length) {
    rooms[which] = new Float32Array(length);
  }
  return rooms[which];
}

/** Maps with zeros around them. */
function padded(values, [channels, height, width], [top, , left], tall, wide) {
  const result = new Float32Array(channels * tall * wide);
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < height && y + top < tall; y += 1) {
      const from = (c * height + y) * width;
      result.set(values.subarray(from, from + Math.min(width, wide - left)),
        (c * tall + y + top) * wide + left);
    }
  }
  return result;
}

/** A convolution of any kind: the windows become columns of a matrix. */
function convolutionByWindows(node, input, output, weights, bias) {
  const [channels, height, width] = input;
  const [outputs, rows, columns] = output;
  const { groups, padding, stride: [down, right],
    dilation: [apartY, apartX], kernel: [kernelY, kernelX] } = node;
  const each = channels / groups;
  const made = outputs / groups;
  const inner = each * kernelY * kernelX;
  const places = rows * columns;
  const packed = Array.from({ length: groups }, (_, g) =>
    packRows(weights.subarray(g * made * inner, (g + 1) * made * inner),
      made, inner));
  const tall = height + padding[0] + padding[1];
  const wide = width + padding[2] + padding[3];
  return (values) => {
    const around = padded(values, input, padding, tall, wide);
    const windows = borrow(0, (places + 1) * inner);
    const result = new Float32Array(outputs * places);
    for (let g = 0; g < groups; g += 1) {
      let k = 0;
      for (let c = g * each; c < (g + 1) * each; c += 1) {
        for (let i = 0; i < kernelY; i += 1) {
          for (let j = 0; j < kernelX; j += 1) {
            let place = 0;
            for (let y = 0; y < rows; y += 1) {
              let from = (c * tall + y * down + i * apartY) * wide + j * apartX;
              for (let x = 0; x < columns; x += 1) {
                windows[((place >> 1) * inner + k) * 2 + (place & 1)] =
                  around[from];
                from += right;
                place += 1;
              }
            }
            k += 1;
          }
        }
      }
      multiply(packed[g], 0, windows, 0, result, g * made * places, made,
        inner, places);
    }
    addBias(result, bias, places);
    return result;
  };
}

function addBias(result, bias, places) {
  for (let o = 0; o < bias.length; o += 1) {
    const more = bias[o];
    for (let i = o * places; i < (o + 1) * places; i += 1) result[i] += more;
  }
}

/**
 * A 3 × 3 convolution of stride 1 by Winograd's F(2 × 2, 3 × 3).
 *
 * Four outputs, a square of 2 × 2, come from a square of 4 × 4 inputs. After
 * a change of base of both the inputs and the weights, 16 products a channel
 * give them, instead of 36; the change costs additions only.
 */
function convolutionByWinograd(node, input, output, weights, bias) {
  const [channels] = input;
  const [outputs, rows, columns] = output;
  const down = Math.ceil(rows / 2);
  const across = Math.ceil(columns / 2);
  const squares = down * across;
  const tall = 2 * down + 2;
  const wide = 2 * across + 2;
  const left = winogradWeights(weights, outputs, channels);
  const leftSize = left.length / 16;
  // Sixteen numbers more, or the 16 matrices would compete for the same lines
  // of the cache where their sizes are powers of two.
  const rightSize = (squares + squares % 2) * channels + 16;
  const size = outputs * squares + 16;
  return (values) => {
    const around = padded(values, input, node.padding, tall, wide);
    const right = borrow(0, 16 * rightSize);
    winogradInputs(around, channels, down, across, right, rightSize);
    const sums = borrow(1, 16 * size);
    for (let i = 0; i < 16; i += 1) {
      multiply(left, i * leftSize, right, i * rightSize, sums, i * size,
        outputs, channels, squares);
    }
    const result = new Float32Array(outputs * rows * columns);
    winogradOutputs(sums, size, outputs, down, across, result, rows, columns);
    addBias(result, bias, rows * columns);
    return result;
  };
}

/** The changed inputs: 16 matrices, packed as `multiply` wants columns. */
function winogradInputs(around, channels, down, across, right, rightSize) {
  const wide = 2 * across + 2;
  const t = new Float32Array(16);
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < down; y += 1) {
      for (let x = 0; x < across; x += 1) {
        let from = (c * 2 * (down + 1) + 2 * y) * wide + 2 * x;
        for (let i = 0; i < 16; i += 4) {
          const d0 = around[from], d1 = around[from + 1];
          const d2 = around[from + 2], d3 = around[from + 3];
          t[i] = d0 - d2; t[i + 1] = d1 + d2;
          t[i + 2] = d2 - d1; t[i + 3] = d1 - d3;
          from += wide;
        }
        const square = y * across + x;
        let to = ((square >> 1) * channels + c) * 2 + (square & 1);
        for (let j = 0; j < 4; j += 1) {
          const d0 = t[j], d1 = t[j + 4], d2 = t[j + 8], d3 = t[j + 12];
          right[to] = d0 - d2;
          right[to + 4 * rightSize] = d1 + d2;
          right[to + 8 * rightSize] = d2 - d1;
          right[to + 12 * rightSize] = d1 - d3;
          to += rightSize;
        }
      }
    }
  }
}

/** The outputs from 16 matrices of sums; odd sides lose a row or a column. */
function winogradOutputs(sums, size, outputs, down, across, result, rows,
  columns) {
  const t = new Float32Array(8);
  let square = 0;
  for (let o = 0; o < outputs; o += 1) {
    for (let y = 0; y < down; y += 1) {
      for (let x = 0; x < across; x += 1) {
        let from = square;
        for (let i = 0; i < 8; i += 2) {
          const m0 = sums[from], m1 = sums[from + size];
          const m2 = sums[from + 2 * size], m3 = sums[from + 3 * size];
          t[i] = m0 + m1 + m2; t[i + 1] = m1 - m2 - m3;
          from += 4 * size;
        }
        const to = (o * rows + 2 * y) * columns + 2 * x;
        const second = 2 * x + 1 < columns;
        result[to] = t[0] + t[2] + t[4];
        if (second) result[to + 1] = t[1] + t[3] + t[5];
        if (2 * y + 1 < rows) {
          result[to + columns] = t[2] - t[4] - t[6];
          if (second) result[to + columns + 1] = t[3] - t[5] - t[7];
        }
        square += 1;
      }
    }
  }
}

/** The changed weights: 16 matrices, each packed by packRows. */
function winogradWeights(weights, outputs, channels) {
  const size = outputs * channels;
  const changed = Array.from({ length: 16 }, () => new Float32Array(size));
  const t = new Float64Array(12);
  for (let at = 0; at < size; at += 1) {
    for (let j = 0; j < 3; j += 1) {
      const g0 = weights[9 * at + j];
      const g1 = weights[9 * at + j + 3];
      const g2 = weights[9 * at + j + 6];
      t[j] = g0;
      t[j + 3] = (g0 + g1 + g2) / 2;
      t[j + 6] = (g0 - g1 + g2) / 2;
      t[j + 9] = g2;
    }
    for (let i = 0; i < 4; i += 1) {
      const g0 = t[3 * i], g1 = t[3 * i + 1], g2 = t[3 * i + 2];
      changed[4 * i][at] = g0;
      changed[4 * i + 1][at] = (g0 + g1 + g2) / 2;
      changed[4 * i + 2][at] = (g0 - g1 + g2) / 2;
      changed[4 * i + 3][at] = g2;
    }
  }
  const packed = changed.map((matrix) => packRows(matrix, outputs, channels));
  const all = new Float32Array(16 * packed[0].length);
  packed.forEach((matrix, i) => all.set(matrix, i * matrix.length));
  return all;
}

/* The operations. Each takes a node of the file, the shapes of its inputs and
 * a function that fetches its tensors; it checks that they fit and returns
 * the shape of its output and what computes it, given the inputs.
 */

const isShape = (shape) => Array.isArray(shape) &&
  [1, 2, 3].includes(shape.length) &&
  shape.every((n) => Number.isInteger(n) && n > 0) &&
  product(shape) <= MOST_VALUES;

const same = (a, b) => a.length === b.length && a.every((n, i) => n === b[i]);

function demand(fits, node, what) {
  if (!fits) {
    throw new Error(`This file is damaged: at “${node.name}” ${what}. ` +
      "Save the network again.");
  }
}

/** A setting of a node: `count` whole numbers, none smaller than `least`. */
function wholes(node, key, count, least) {
  const numbers = node[key];
  demand(Array.isArray(numbers) && numbers.length === count &&
    numbers.every((n) => Number.isInteger(n) && n >= least && n < 1e6),
  node, `the setting “${key}” is not ${count} whole numbers`);
  return numbers;
}

function threeAxes(node, shape) {
  demand(shape.length === 3, node, "there are no maps to work on");
  return shape;
}

/** An operation that computes each value from the same value of each input. */
const forEach = (fill) => (node, inputs) => {
  demand(inputs.every((shape) => same(shape, inputs[0])), node,
    "maps of two shapes meet");
  const run = (...values) => {
    const result = new Float32Array(values[0].length);
    fill(result, ...values);
    return result;
  };
  return { shape: inputs[0], run };
};
const two = (compute) => {
  const operation = forEach(compute);
  return (node, inputs) => {
    demand(inputs.length === 2, node, "two inputs are needed");
    return operation(node, inputs);
  };
};
const one = (compute) => forEach((result, values) => {
  for (let i = 0; i < values.length; i += 1) result[i] = compute(values[i]);
});

/** The error function, to seven digits (Abramowitz and Stegun, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 +
    t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

/** How many windows an axis has, as PyTorch counts them. */
function windowCount(size, kernel, stride, before, after, dilation, ceil) {
  const room = size + before + after - dilation * (kernel - 1) - 1;
  if (!ceil) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1;
  // The last window must start inside, or in the padding before.
  return (count - 1) * stride >= size + before ? count - 1 : count;
}

/** Along one axis, what each window covers; `count` includes padding. */
function windowsAlong(node, axis, size) {
  const { ceil } = node;
  const kernel = wholes(node, "kernel", 2, 1)[axis];
  const stride = wholes(node, "stride", 2, 1)[axis];
  const dilation = node.dilation ? wholes(node, "dilation", 2, 1)[axis] : 1;
  const [before, after] =
    wholes(node, "padding", 4, 0).slice(2 * axis, 2 * axis + 2);
  const many =
    windowCount(size, kernel, stride, before, after, dilation, ceil);
  demand(many > 0 && 2 * before <= kernel, node, "no window fits");
  return Array.from({ length: many }, (_, i) => {
    const start = i * stride - before;
    const outside = start < 0 ? Math.ceil(-start / dilation) : 0;
    const to = Math.min(start + dilation * (kernel - 1) + 1, size);
    const count = Math.min(start + kernel, size + after) - start;
    return { from: start + outside * dilation, to, step: dilation, count };
  });
}

/** The same for adaptive pooling, which is given the number of windows. */
function sharesAlong(size, many) {
  return Array.from({ length: many }, (_, i) => {
    const from = Math.floor(i * size / many);
    const to = Math.ceil((i + 1) * size / many);
    return { from, to, step: 1, count: to - from };
  });
}

function largest(values, [channels, height, width], tall, wide) {
  const result = new Float32Array(channels * tall.length * wide.length);
  let place = 0;
  for (let c = 0; c < channels; c += 1) {
    for (const rows of tall) {
      for (const columns of wide) {
        let most = -Infinity;
        for (let y = rows.from; y < rows.to; y += rows.step) {
          const line = (c * height + y) * width;
          for (let x = columns.from; x < columns.to; x += columns.step) {
            if (values[line + x] > most) most = values[line + x];
          }
        }
        result[place] = most;
        place += 1;
      }
    }
  }
  return result;
}

function average(values, [channels, height, width], tall, wide, padding) {
  const result = new Float32Array(channels * tall.length * wide.length);
  let place = 0;
  for (let c = 0; c < channels; c += 1) {
    for (const rows of tall) {
      for (const columns of wide) {
        let sum = 0;
        for (let y = rows.from; y < rows.to; y += 1) {
          const line = (c * height + y) * width;
          for (let x = columns.from; x < columns.to; x += 1) {
            sum += values[line + x];
          }
        }
        result[place] = sum / (padding ? rows.count * columns.count :
          (rows.to - rows.from) * (columns.to - columns.from));
        place += 1;
      }
    }
  }
  return result;
}

const pool = (compute) => (node, [input]) => {
  const [channels, height, width] = threeAxes(node, input);
  const tall = windowsAlong(node, 0, height);
  const wide = windowsAlong(node, 1, width);
  return { shape: [channels, tall.length, wide.length],
    run: (values) => compute(values, input, tall, wide, node.count_padding) };
};

const adaptive = (compute) => (node, [input]) => {
  const [channels, height, width] = threeAxes(node, input);
  const [, many, across] = threeAxes(node, node.shape);
  const tall = sharesAlong(height, many);
  const wide = sharesAlong(width, across);
  return { shape: [channels, many, across],
    run: (values) => compute(values, input, tall, wide) };
};

/** Copies along all axes but the last in a loop over the places of `shape`. */
function forPlaces(shape, visit) {
  const [channels, rows, columns] = [...shape, 1, 1];
  for (let c = 0; c < channels; c += 1) {
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1) visit(c, y, x);
    }
  }
}

function softmax(values) {
  const most = values.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(values, (value) => Math.exp(value - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (power) => power / total);
}

const operations = {
  convolution(node, [input], tensor) {
    const [channels, height, width] = threeAxes(node, input);
    const stride = wholes(node, "stride", 2, 1);
    const padding = wholes(node, "padding", 4, 0);
    const dilation = wholes(node, "dilation", 2, 1);
    const [groups] = wholes({ ...node, groups: [node.groups] }, "groups", 1, 1);
    const [outputs] = node.shape;
    const bias = tensor("bias", [outputs]);
    const kernel = tensor.shape("weight").slice(2);
    demand(kernel.length === 2 && channels % groups === 0 &&
      outputs % groups === 0, node, "the groups do not fit the maps");
    const weights =
      tensor("weight", [outputs, channels / groups, ...kernel]);
    const [rows, columns] = [height, width].map((size, axis) =>
      windowCount(size, kernel[axis], stride[axis], padding[2 * axis],
        padding[2 * axis + 1], dilation[axis], false));
    demand(rows > 0 && columns > 0, node, "no window fits");
    const shape = [outputs, rows, columns];
    const simple = groups === 1 && same(kernel, [3, 3]) &&
      same([...stride, ...dilation], [1, 1, 1, 1]);
    const prepare = simple ? convolutionByWinograd : convolutionByWindows;
    return { shape, products: weights.length * rows * columns,
      run: prepare({ ...node, kernel }, input, shape, weights, bias) };
  },

  linear(node, [input], tensor) {
    const [outputs] = node.shape;
    const weights = tensor("weight", [outputs, ...input]);
    const bias = tensor("bias", [outputs]);
    return { shape: [outputs], products: weights.length, run: (values) =>
      bias.map((start, o) => {
        let sum = start;
        const from = o * values.length;
        for (let i = 0; i < values.length; i += 1) {
          sum += weights[from + i] * values[i];
        }
        return sum;
      }) };
  },

  scale(node, [input], tensor) {
    const factor = tensor("factor", [input[0]]);
    const shift = tensor("shift", [input[0]]);
    const each = product(input.slice(1));
    return { shape: input, run: (values) => values.map((value, i) => {
      const c = Math.floor(i / each);
      return value * factor[c] + shift[c];
    }) };
  },

  relu: one((x) => (x > 0 ? x : 0)),
  sigmoid: one((x) => 1 / (1 + Math.exp(-x))),
  tanh: one(Math.tanh),
  gelu: one((x) => x * (1 + erf(x / Math.SQRT2)) / 2),
  "gelu-tanh": one((x) => x / 2 *
    (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),

  power(node, [input]) {
    const { exponent } = node;
    demand(Number.isFinite(exponent), node, "the exponent is no number");
    return { shape: input,
      run: (values) => values.map((value) => value ** exponent) };
  },

  add: two((result, a, b) => {
    for (let i = 0; i < a.length; i += 1) result[i] = a[i] + b[i];
  }),
  subtract: two((result, a, b) => {
    for (let i = 0; i < a.length; i += 1) result[i] = a[i] - b[i];
  }),
  multiply: two((result, a, b) => {
    for (let i = 0; i < a.length; i += 1) result[i] = a[i] * b[i];
  }),
  divide: two((result, a, b) => {
    for (let i = 0; i < a.length; i += 1) result[i] = a[i] / b[i];
  }),

  concatenate(node, inputs) {
    const [, ...rest] = inputs[0];
    demand(inputs.every((shape) => same(shape.slice(1), rest)), node,
      "maps of different sizes meet");
    const shape = [inputs.reduce((sum, [c]) => sum + c, 0), ...rest];
    return { shape, run: (...values) => {
      const result = new Float32Array(product(shape));
      let at = 0;
      for (const part of values) {
        result.set(part, at);
        at += part.length;
      }
      return result;
    } };
  },

  "max-pool": pool(largest),
  "average-pool": pool(average),
  "adaptive-max": adaptive(largest),
  "adaptive-average": adaptive(average),

  "local-response-norm"(node, [input]) {
    const { size, alpha, beta, k } = node;
    demand([size, alpha, beta, k].every(Number.isFinite) && size > 0, node,
      "a setting is no number");
    const each = product(input.slice(1));
    const before = Math.floor(size / 2);
    return { shape: input, run: (values) => values.map((value, i) => {
      const c = Math.floor(i / each);
      const first = Math.max(c - before, 0);
      const end = Math.min(c - before + size, input[0]);
      let sum = 0;
      for (let at = first * each + i % each; at < end * each; at += each) {
        sum += values[at] * values[at];
      }
      return value / (k + alpha * sum) ** beta;
    }) };
  },

  reshape(node, [input]) {
    demand(product(node.shape) === product(input), node, "the sizes differ");
    return { shape: node.shape, run: (values) => values };
  },

  slice(node, [input]) {
    const { shape } = node;
    const start = wholes(node, "start", input.length, 0);
    const step = wholes(node, "step", input.length, 1);
    demand(shape.length === input.length && shape.every((many, axis) =>
      start[axis] + (many - 1) * step[axis] < input[axis]), node,
    "a part is taken that is not there");
    const [, height, width] = [...input, 1, 1];
    const [fromC, fromY, fromX] = [...start, 0, 0];
    const [stepC, stepY, stepX] = [...step, 1, 1];
    return { shape, run: (values) => {
      const result = new Float32Array(product(shape));
      let place = 0;
      forPlaces(shape, (c, y, x) => {
        result[place] = values[((fromC + c * stepC) * height +
          fromY + y * stepY) * width + fromX + x * stepX];
        place += 1;
      });
      return result;
    } };
  },

  pad(node, [input]) {
    const { shape, value } = node;
    demand(Number.isFinite(value), node, "the setting “value” is no number");
    const before = wholes(node, "before", input.length, 0);
    demand(shape.length === input.length && shape.every((many, axis) =>
      before[axis] + input[axis] <= many), node, "the maps do not fit in");
    const [, height, width] = [...shape, 1, 1];
    const [fromC, fromY, fromX] = [...before, 0, 0];
    return { shape, run: (values) => {
      const result = new Float32Array(product(shape)).fill(value);
      let place = 0;
      forPlaces(input, (c, y, x) => {
        result[((fromC + c) * height + fromY + y) * width + fromX + x] =
          values[place];
        place += 1;
      });
      return result;
    } };
  },

  softmax: (node, [input]) => ({ shape: input, run: softmax }),
  "log-softmax": (node, [input]) =>
    ({ shape: input, run: (values) => softmax(values).map(Math.log) }),
};

/* The file. */

/** The header of a safetensors file, and where its tensors start. */
function readHeader(buffer) {
  const no = "This is no safetensors file. Drop the file that " +
    "utils.network_file.save wrote; its name ends with .safetensors.";
  if (buffer.byteLength > MOST_BYTES) {
    throw new Error(`This file has ${Math.round(buffer.byteLength / 1e6)} ` +
      `MB; the page takes at most ${MOST_BYTES / 1e6}. Save the network ` +
      'with weights="int8", or train a narrower one.');
  }
  if (buffer.byteLength < 10) throw new Error(no);
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const text = new Uint8Array(buffer, 8, Math.min(length,
    buffer.byteLength - 8));
  if (text[0] !== 0x7b || length > MOST_BYTES) throw new Error(no);
  const short = "This file is cut short; copy or download it again.";
  if (length > buffer.byteLength - 8) throw new Error(short);
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(text));
  } catch {
    throw new Error(no);
  }
  const { __metadata__: metadata, ...tensors } = header;
  const start = 8 + length;
  const bytes = { F32: 4, I8: 1 };
  for (const [name, { dtype, shape, data_offsets: place }] of
    Object.entries(tensors)) {
    if (!Array.isArray(shape) || !Array.isArray(place)) throw new Error(no);
    if (start + place[1] > buffer.byteLength) throw new Error(short);
    if (!(place[0] >= 0 && place[0] <= place[1]) || (dtype in bytes &&
      product(shape) * bytes[dtype] !== place[1] - place[0])) {
      throw new Error(`This file is damaged: “${name}” has another size ` +
        "than it says. Save the network again.");
    }
  }
  return { metadata, tensors, start };
}

/** The graph in the header, checked as far as it says what the network is. */
function readGraph(metadata, tensors) {
  if (!metadata || !("network" in metadata)) {
    const count = Object.keys(tensors).length;
    throw new Error(`This safetensors file holds tensors (${count}) but no ` +
      "layers, so the page cannot know what to do with them. Save the " +
      "network with utils.network_file.save.");
  }
  const damaged = "This file is damaged: its layers cannot be read. " +
    "Save the network again.";
  let graph;
  try {
    graph = JSON.parse(metadata.network);
  } catch {
    throw new Error(damaged);
  }
  if (graph?.version > NEWEST) {
    throw new Error(`This file was written by a newer version of the book ` +
      `(${graph.version}; this page knows ${NEWEST}). Reload the page, or ` +
      "open the current one.");
  }
  const { input_shape: shape, mean, std, class_names: names, nodes } =
    graph ?? {};
  const numbers = (list) => Array.isArray(list) &&
    list.length === shape[0] && list.every(Number.isFinite);
  if (graph?.version !== NEWEST || !isShape(shape) || shape.length !== 3 ||
    !numbers(mean) || !numbers(std) || Math.min(...std) <= 0 ||
    !Array.isArray(names) || !names.every((n) => typeof n === "string") ||
    !Array.isArray(nodes)) {
    throw new Error(damaged);
  }
  if (nodes.length === 0) {
    throw new Error("This file holds a network without layers.");
  }
  return graph;
}

/** A tensor as floats: whole numbers times the scale of their channel. */
function readTensor(buffer, { tensors, start }, node, key, shape) {
  const name = `${node.name}.${key}`;
  const found = tensors[name];
  demand(found && same(found.shape, shape), node,
    `the ${key} is ${found ? found.shape.join(" × ") : "missing"}, not ` +
    shape.join(" × "));
  const bytes = buffer.slice(start + found.data_offsets[0],
    start + found.data_offsets[1]);
  let values;
  if (found.dtype === "F32") {
    values = new Float32Array(bytes);
  } else {
    demand(found.dtype === "I8", node, `the ${key} is of ${found.dtype}`);
    const scale =
      readTensor(buffer, { tensors, start }, node, "scale", [shape[0]]);
    const each = product(shape) / shape[0];
    const whole = new Int8Array(bytes);
    values = new Float32Array(whole.length);
    for (let i = 0; i < whole.length; i += 1) {
      values[i] = whole[i] * scale[Math.floor(i / each)];
    }
  }
  if (!values.every(Number.isFinite)) {
    throw new Error(`The ${key} at “${node.name}” is not finite (NaN or ` +
      "infinite): the training failed. Train again with a lower learning " +
      "rate.");
  }
  return values;
}

/**
 * The network in a .safetensors file (an ArrayBuffer) of utils.network_file.
 *
 * Throws an Error with a sentence for the reader if there is none.
 */
function readNetwork(buffer) {
  const header = readHeader(buffer);
  const graph = readGraph(header.metadata, header.tensors);
  const shapes = new Map([["input", graph.input_shape]]);
  let products = 0;
  const steps = graph.nodes.map((node) => {
    if (!Object.hasOwn(operations, node.op)) {
      throw new Error(`This page does not know the operation “${node.op}” ` +
        `at “${node.name}”; a newer version of the book may. Reload the ` +
        "page, or open the current one.");
    }
    demand(Array.isArray(node.inputs) && node.inputs.length > 0 &&
      node.inputs.every((name) => shapes.has(name)) && !shapes.has(node.name),
    node, "the order of the layers is wrong");
    demand(isShape(node.shape), node, "the maps have no usable size");
    const tensor = (key, shape) =>
      readTensor(buffer, header, node, key, shape);
    tensor.shape = (key) => {
      const found = header.tensors[`${node.name}.${key}`];
      demand(found, node, `the ${key} is missing`);
      return found.shape;
    };
    const { shape, run, products: more = 0 } =
      operations[node.op](node, node.inputs.map((n) => shapes.get(n)), tensor);
    demand(same(shape, node.shape), node,
      `the maps are ${shape.join(" × ")}, not ${node.shape.join(" × ")}`);
    shapes.set(node.name, shape);
    products += more;
    return { name: node.name, inputs: node.inputs, shape, run };
  });
  const last = graph.nodes[graph.nodes.length - 1];
  demand(same(last.shape, [graph.class_names.length]), last,
    "the classes are not as many as their names");
  if (products > MOST_PRODUCTS) {
    throw new Error(`This network multiplies ${(products / 1e9).toFixed(0)} ` +
      "thousand million times for a picture, which would take the page " +
      "minutes. Train it on smaller pictures, or a narrower one.");
  }
  return {
    inputShape: graph.input_shape,
    mean: graph.mean,
    std: graph.std,
    classNames: graph.class_names,
    accuracy: graph.accuracy,
    nodes: graph.nodes,
    run: (pixels, wishes = {}) => runSteps(steps, graph, pixels, wishes),
  };
}

/**
 * What the network answers to one picture, Float32Array (C × H × W) of
 * (pixel / 255 - mean) / std.
 *
 * `keep` names nodes whose maps are wanted, or is "all"; `zero` names nodes
 * whose output is replaced by zeros. Returns {logits, probabilities, maps},
 * maps as {name: {shape, values}}.
 */
function runSteps(steps, graph, pixels, { keep = [], zero = [] }) {
  if (pixels.length !== product(graph.input_shape)) {
    throw new Error(`${pixels.length} numbers for a picture of ` +
      graph.input_shape.join(" × "));
  }
  const values = new Map([["input", pixels]]);
  for (const { name, inputs, shape, run } of steps) {
    values.set(name, zero.includes(name) ? new Float32Array(product(shape)) :
      run(...inputs.map((input) => values.get(input))));
  }
  const maps = {};
  for (const { name, shape } of steps) {
    if (keep === "all" || keep.includes(name)) {
      maps[name] = { shape, values: values.get(name) };
    }
  }
  const last = graph.nodes[graph.nodes.length - 1];
  const logits =
    values.get(last.op.endsWith("softmax") ? last.inputs[0] : last.name);
  return { logits, probabilities: softmax(logits), maps };
}

if (typeof module === "object") {
  module.exports = { MOST_BYTES, operations, readNetwork };
}
