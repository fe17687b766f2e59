// Reads a list of {maps, names, label, chosen, relu} from standard input and
// writes what the class map viewer's arithmetic makes of each. Called by
// tests/test_class_map_viewer.py.
const fs = require("node:fs");
const path = require("node:path");
const { told } = require(path.join(
  __dirname, "../../utils/figures/class_map_viewer/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(
  cases.map(({ maps, names, label, chosen, relu }) =>
    told(maps, names, label, chosen, relu))));
