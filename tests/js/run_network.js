// Reads a list of {file, images, keep, zero} from standard input: the path of
// a network's file, the path of raw float32 pixels of normalised images, and
// what network.run takes. Writes for each what the page answers, one answer an
// image, or the error that the reader would see. A case with `bytes` in the
// place of a file is a file of so many zeros.
const fs = require("node:fs");
const path = require("node:path");
const { operations, readNetwork } =
  require(path.join(__dirname, "../../utils/figures/network.js"));

const content = (file) => new Uint8Array(fs.readFileSync(file)).buffer;

function answer({ file, bytes, images, keep, zero }) {
  const network = readNetwork(bytes ? new ArrayBuffer(bytes) : content(file));
  const { run, ...about } = network;
  if (!images) return { about };
  const pixels = new Float32Array(content(images));
  const size = network.inputShape.reduce((a, b) => a * b, 1);
  const answers = [];
  for (let from = 0; from < pixels.length; from += size) {
    const { logits, probabilities, maps } =
      network.run(pixels.slice(from, from + size), { keep, zero });
    for (const map of Object.values(maps)) map.values = [...map.values];
    answers.push({ logits: [...logits], probabilities: [...probabilities],
      maps });
  }
  return { about, answers };
}

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const results = cases.map((given) => {
  try {
    return { ...answer(given), operations: Object.keys(operations) };
  } catch (error) {
    return { error: error.message };
  }
});
process.stdout.write(JSON.stringify(results));
