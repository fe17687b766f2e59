// Reads a list of [function, ...arguments] from standard input and writes what
// each function of the comparison explorer's arithmetic returns. Called by
// tests/test_comparison_explorer.py.
const fs = require("node:fs");
const path = require("node:path");
// In a page all these are one script.
Object.assign(globalThis,
  require(path.join(__dirname, "../../utils/figures/numbers.js")));
const arithmetic = require(path.join(__dirname,
  "../../utils/figures/comparison_explorer/arithmetic.js"));

// A row is found by its identity, which JSON does not keep.
arithmetic.summaries = (setting, cost, measure) => setting.rows.map((row) =>
  [row.name, arithmetic.summaryText(setting, row, cost, measure)]);

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(([name, ...values]) =>
  arithmetic[name](...values))));
