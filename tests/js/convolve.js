// Reads a list of {picture, kernel, stride, padding} from standard input and
// writes what the kernel lab makes of each. Called by tests/test_kernel_lab.py.
const fs = require("node:fs");
const path = require("node:path");
const { convolve, multiply, pixelsUnder } = require(
  path.join(__dirname, "../../utils/figures/kernel_lab/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const results = cases.map(({ picture, kernel, stride, padding }) => {
  const output = convolve(picture, kernel, stride, padding);
  const windows = output.map((line, row) => line.map((_, column) => {
    const pixels =
      pixelsUnder(picture, kernel, stride, padding, row, column);
    return { pixels, ...multiply(pixels, kernel) };
  }));
  return { output, windows };
});
process.stdout.write(JSON.stringify(results));
