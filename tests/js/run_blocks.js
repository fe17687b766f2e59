// Reads {network, pictures, settings} from standard input: a packed network,
// bytes of pictures in base64, and settings of its switches. Writes what the
// block switch computes for each. Called by tests/test_block_switch.py.
const fs = require("node:fs");
const path = require("node:path");
const { run, unpackNetwork } = require(
  path.join(__dirname, "../../utils/figures/block_switch/arithmetic.js"));

const { network, pictures, size, settings } =
  JSON.parse(fs.readFileSync(0, "utf8"));
const unpacked = unpackNetwork(network);
const bytes = new Uint8Array(Buffer.from(pictures, "base64"));
const results = settings.map(({ picture, on }) => {
  const pixels = bytes.subarray(picture * size, (picture + 1) * size);
  const { probabilities, blocks } = run(unpacked, pixels, on);
  return { probabilities, blocks:
    blocks.map(({ map, side, ratio }) => ({ map: [...map], side, ratio })) };
});
process.stdout.write(JSON.stringify(results));
