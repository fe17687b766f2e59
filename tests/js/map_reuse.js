// Reads a list of {block, number, kind} from standard input and writes what
// the reuse map's arithmetic says of each. Called by tests/test_reuse_map.py.
const fs = require("node:fs");
const path = require("node:path");
const { largest, agreement, shares, mapText } = require(
  path.join(__dirname, "../../utils/figures/reuse_map/arithmetic.js"));

const KINDS = ["weight", "signal", "cut"];
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(({ block, number, kind }) => ({
  largest: largest(block, kind),
  agreement: agreement(block, kind, 2),
  shares: block.map((wires) => shares(wires, kind)),
  mapText: mapText(block, number, KINDS, kind),
}))));
