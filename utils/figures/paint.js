/* Pictures in figures: for those that name this file among their scripts. */

/**
 * Paint a grid of colours [red, green, blue], each from 0 to 255, one canvas
 * pixel each; CSS enlarges them. colourAt gets places, row by row, from 0 on.
 */
function paint(canvas, width, height, colourAt) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    image.data.set([...colourAt(i), 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The same, for rows of colours. */
function paintRows(canvas, rows) {
  const colours = rows.flat();
  paint(canvas, rows[0].length, rows.length, (i) => colours[i]);
}
