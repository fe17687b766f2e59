/* Typesets formulas for formulas.py: reads one JSON object a line, { tex,
   display }, and answers each with a line, { html } or { error }. */
"use strict";
const katex = require("./vendor/katex/katex.min.js");
const readline = require("readline");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { tex, display } = JSON.parse(line);
  const answer = {};
  try {
    answer.html = katex.renderToString(tex, {
      displayMode: display,
      output: "htmlAndMathml", // the second is what a screen reader is given
      strict: "error",
    });
  } catch (error) {
    answer.error = error.message;
  }
  console.log(JSON.stringify(answer));
});
