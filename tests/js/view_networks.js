// Reads a list of {call, args} from standard input, calls these functions of
// the network viewer's arithmetic, and writes what they return. {bytes: [...]}
// and {base64: "..."} stand for a Uint8Array. "blocks" runs a network with some
// of its residual blocks off. Called by tests/test_network_viewer.py.
const fs = require("node:fs");
const path = require("node:path");
const figures = path.join(__dirname, "../../utils/figures");
const arithmetic = require(path.join(figures, "network_viewer/arithmetic.js"));
const { readNetwork } = require(path.join(figures, "network.js"));

function argument(given) {
  if (Array.isArray(given?.bytes)) return Uint8Array.from(given.bytes);
  if (typeof given?.base64 === "string") {
    return new Uint8Array(Buffer.from(given.base64, "base64"));
  }
  return given;
}

/** What each picture's run says, with the blocks of these places off. */
function blocks(file, pictures, off) {
  const network = readNetwork(file.slice().buffer);
  const found = arithmetic.residualBlocks(network.nodes);
  return pictures.map((pixels) => {
    const { probabilities, maps } = network.run(Float32Array.from(pixels), {
      keep: "all", zero: off.map((place) => found[place].correction) });
    return { probabilities: [...probabilities],
      blocks: found.map(({ correction, path: way, end }) => ({
        map: [...arithmetic.meanMap(maps[end])],
        ratio: arithmetic.length(maps[correction].values) /
          arithmetic.length(maps[way].values),
      })) };
  });
}

/** The nodes of a network, as residualBlocks and classMapNodes take them. */
const nodes = (file) => readNetwork(file.slice().buffer).nodes;

const known = { ...arithmetic, blocks,
  residualBlocks: (file) => arithmetic.residualBlocks(nodes(file)),
  classMapNodes: (file) => arithmetic.classMapNodes(nodes(file)) };
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const results = cases.map(({ call, args }) =>
  known[call](...args.map(argument)));
process.stdout.write(JSON.stringify(results, (_, value) =>
  (ArrayBuffer.isView(value) ? [...value] : value)));
