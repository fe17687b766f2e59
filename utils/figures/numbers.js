/* Numbers in words, for figures that name this file among their scripts. */

/** 15,470,264, with commas. */
const number = (n) => n.toLocaleString("en-GB");

/** Three digits and a unit: 15,470,264 is "15.5 M". */
function short(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= size) return `${(n / size).toPrecision(3)} ${unit}`;
  }
  return String(n);
}

if (typeof module !== "undefined") module.exports = { number, short };
