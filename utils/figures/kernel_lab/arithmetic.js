/* The arithmetic of the kernel lab: no page in sight, so that node can test it
 * against PyTorch. Pictures and kernels are lists of rows.
 */
"use strict";

/** How many places a window has along a side; 0 or less: it does not fit. */
const places = (side, kernel, stride, padding) =>
  Math.floor((side + 2 * padding - kernel) / stride) + 1;

/** The pixels under the window of one output value; null in the padding. */
function pixelsUnder(picture, kernel, stride, padding, row, column) {
  const top = row * stride - padding;
  const left = column * stride - padding;
  return kernel.map((weights, y) => weights.map((_, x) => {
    const line = picture[top + y];
    return line && left + x in line ? line[left + x] : null;
  }));
}

/** Each pixel times its weight, and their sum: one output value. */
function multiply(pixels, kernel) {
  const products = kernel.map((weights, y) =>
    weights.map((weight, x) => weight * (pixels[y][x] ?? 0)));
  const sum = products.flat().reduce((total, product) => total + product, 0);
  return { products, sum };
}

/** The whole output, as torch.nn.functional.conv2d computes it. */
function convolve(picture, kernel, stride, padding) {
  const side = (length, k) => Math.max(0, places(length, k, stride, padding));
  const height = side(picture.length, kernel.length);
  const width = side(picture[0].length, kernel[0].length);
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => multiply(
      pixelsUnder(picture, kernel, stride, padding, row, column), kernel).sum));
}

if (typeof module !== "undefined") {
  module.exports = { convolve, multiply, pixelsUnder };
}
