// Reads a list of {pixels, paints, target, network} from standard input and
// writes what the channel mixer's arithmetic makes of each. Called by
// tests/test_channel_mixer.py.
const fs = require("node:fs");
const path = require("node:path");
const { mapsOf, verdict } = require(
  path.join(__dirname, "../../utils/figures/channel_mixer/arithmetic.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(
  cases.map(({ pixels, paints, target, network }) => ({
    ...mapsOf(pixels, network), verdict: verdict(paints, target, network),
  }))));
