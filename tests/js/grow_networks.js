// Reads a list of {input, blocks, kernel, connected} from standard input and
// writes what the growing network's arithmetic makes of each. Called by
// tests/test_growing_network.py.
const fs = require("node:fs");
const path = require("node:path");
// In a page all these are one script.
const { short } = Object.assign(globalThis,
  require(path.join(__dirname, "../../utils/figures/numbers.js")));
const { grow, fieldText, summaryText } = require(
  path.join(__dirname, "../../utils/figures/growing_network/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(
  cases.map(({ input, blocks, kernel, connected }) => {
    const result = grow(input, blocks, kernel, connected);
    return { ...result, short: short(result.macs),
      fieldText: fieldText(result.field, input.side),
      summaryText: summaryText(blocks, result) };
  })));
