// Reads a list of {input, layers} from standard input and writes what the
// shape stepper's arithmetic makes of each. Called by tests/test_shape_stepper.py.
const fs = require("node:fs");
const path = require("node:path");
const { computeTable, remainderHint } = require(
  path.join(__dirname, "../../utils/figures/shape_stepper/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const tables = cases.map(({ input, layers }) => {
  const table = computeTable(input, layers);
  const hints = layers.map((layer, i) =>
    layer.kernel && table.rows[i + 1].state === "fine"
      ? remainderHint(layer, table.rows[i], table.rows[i + 1]) : "");
  return { ...table, hints };
});
process.stdout.write(JSON.stringify(tables));
