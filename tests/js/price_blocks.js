// Reads a list of blocks from standard input and writes what the Inception
// builder's arithmetic makes of each. Called by
// tests/test_inception_builder.py.
const fs = require("node:fs");
const path = require("node:path");
// In a page all these are one script.
const { short } = Object.assign(globalThis,
  require(path.join(__dirname, "../../utils/figures/numbers.js")));
const { price, summaryText, fieldText } = require(path.join(__dirname,
  "../../utils/figures/inception_builder/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(({ stage, widths, name }) => {
  const block = price(stage, widths);
  return { ...block, short: short(block.macs),
    summaryText: summaryText(name, block, price(stage, stage.widths)),
    fieldText: fieldText(block) };
})));
