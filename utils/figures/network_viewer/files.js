/* Files that a reader chooses, pastes or drops: a picture, or a network. What
 * cannot be used is an Error whose message is a sentence for the reader.
 */

const MEGABYTE = 1e6;
const MOST_PIXELS = 64e6;
const count = (number) => Math.round(number).toLocaleString("en-GB");

/** Refuse a file by its size, before it is read. */
function checkSize({ name, size }, limit, advice) {
  if (size === 0) throw new Error(`“${name}” is empty.`);
  if (size > limit * MEGABYTE) {
    throw new Error(`“${name}” has ${count(size / MEGABYTE)} MB, and a page ` +
      `can work with ${limit} at most. ${advice}`);
  }
}

/** What gzip has packed, or the bytes as they are. */
async function unpacked(buffer) {
  const [first, second] = new Uint8Array(buffer, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/**
 * The network in these bytes, as readNetwork has it; where each logit is the
 * mean of a map of its own, with what these maps are made of: classMaps is
 * {maps: name of a node, weights: (classes × channels)}.
 */
function networkIn(buffer) {
  const network = readNetwork(buffer);
  const { nodes, classNames } = network;
  const { maps, linear } = classMapNodes(nodes) ?? {};
  if (!maps) return network;
  const channels = nodes.find(({ name }) => name === maps).shape[0];
  const weights = readTensor(buffer, readHeader(buffer), { name: linear },
    "weight", [classNames.length, channels]);
  return { ...network, classMaps: { maps, weights } };
}

/** The network in a file of the reader's. */
async function openNetwork(file) {
  checkSize(file, MOST_BYTES / MEGABYTE, "Saved with weights=\"int8\" it is a quarter as large; " +
    "30 million weights are the most that a page runs.");
  const buffer = await file.arrayBuffer();
  const [first, second] = new Uint8Array(buffer);
  if (first === 0x50 && second === 0x4b) {
    throw new Error(`“${file.name}” looks like a file of torch.save, which ` +
      "only Python can read. Save the network with save(net, " +
      "\"my-network.safetensors\", …), as this chapter does.");
  }
  try {
    return networkIn(buffer);
  } catch (error) {
    throw new Error(`“${file.name}”: ${error.message}`);
  }
}

/** A canvas with the middle square of what can be drawn; at most 1,024. */
function middleSquare(drawable) {
  const { width, height } = drawable;
  const square = Math.min(width, height);
  const side = Math.min(square, 1024);
  const canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(drawable, (width - square) / 2, (height - square) / 2,
    square, square, 0, 0, side, side);
  return { square, side, rgba: context.getImageData(0, 0, side, side).data };
}

/**
 * A picture of the reader's: {name, bytes, notes}, bytes (3, side, side), and
 * sentences on what was done to it.
 */
async function openPicture(file, side) {
  const name = file.name || "the picture";
  checkSize({ name, size: file.size }, 40, "Make it smaller: the network " +
    `looks at ${side} × ${side} pixels.`);
  const facts = pictureFacts(new Uint8Array(await file.arrayBuffer()));
  if (!facts && !file.type.startsWith("image/")) {
    throw new Error(`“${name}” is neither a picture (PNG, JPEG, GIF, WebP) ` +
      "nor a network (.safetensors).");
  }
  const { width, height } = facts ?? {};
  if (width * height > MOST_PIXELS) {
    throw new Error(`“${name}” has ${count(width)} × ${count(height)} pixels ` +
      `and ${count(MOST_PIXELS / 1e6)} million are the most a page can take. ` +
      `Make it smaller: the network looks at ${side} × ${side}.`);
  }
  let bitmap;
  try {
    // A camera's orientation is followed, and of an animation the first
    // picture is taken.
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`“${name}” cannot be read by this browser: it is damaged, ` +
      "or of another kind than PNG, JPEG, GIF and WebP.");
  }
  const middle = middleSquare(bitmap);
  const isClear = middle.rgba.some((value, i) => i % 4 === 3 && value < 250);
  return {
    name,
    bytes: scaled(middle.rgba, middle.side, side),
    notes: notesOn(name, facts ?? {}, bitmap, middle.square, side, isClear),
  };
}

/** What was done to a picture, in sentences. */
function notesOn(name, facts, { width, height }, square, side, isClear) {
  const cut = width === height ? "It"
    : `Its middle square of ${count(square)} × ${count(square)} pixels`;
  return [
    `Your picture “${name}”. ${cut} was scaled to ${side} × ${side}, as the ` +
      "network’s pictures are.",
    square < side && `It has only ${width} × ${height} pixels, so each ` +
      "of them became a rectangle.",
    facts.turned && "It was turned as its camera noted.",
    facts.animated && "It moves; this is its first picture.",
    isClear && "What is transparent in it was put on white.",
    facts.inks && "It is made for print, in four inks; your browser " +
      "translated the colours, not always well.",
  ].filter(Boolean);
}
