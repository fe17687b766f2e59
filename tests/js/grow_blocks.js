// Reads a list of settings from standard input and writes what the growing
// block's arithmetic makes of each. Called by tests/test_growing_block.py.
const fs = require("node:fs");
const path = require("node:path");
// In a page all these are one script.
const { short } = Object.assign(globalThis,
  require(path.join(__dirname, "../../utils/figures/numbers.js")));
const { dense, residual, megabytes, summaryText, layerText } = require(
  path.join(__dirname, "../../utils/figures/growing_block/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map((settings) => {
  const block = dense(settings);
  const other = residual(block.parameters,
    settings.layers * (settings.bottleneck ? 2 : 1), settings.side);
  return { ...block, other, megabytes: megabytes(block.kept, settings.side),
    short: short(block.macs), summaryText: summaryText(settings, block, other),
    layerText: layerText(settings, settings.layers) };
})));
