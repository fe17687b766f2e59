/* Quizzes and numeric questions. In a notebook, in print and without this
   script they are plain <details> below a paragraph that asks. In the page
   the reader's answers are checked, remembered (store.js) and counted, and
   none of it is sent.

   <details class="choice">: an option. Options in a row belong together; the
   explanation of the right one begins with "Right".

   <details class="numeric" data-answer="54">: a number. It may have
   data-tolerance="0.01" (or "1%"), data-unit="pixels", and hints for wrong
   numbers: data-hint-55="..." for one of them, or for a kind of them, as
   data-hint-half (see wrongNumber). */
(() => {
  "use strict";
  const store = window.bookStore;
  const PAGE = `answers/${DOCUMENTATION_OPTIONS.pagename}`;
  const FORGOTTEN = " Your browser lets this book keep nothing, so leaving the"
    + " page forgets your answers. The foot of the page saves them as a file.";
  const questions = []; // {name, first, show(record), clear()}

  /** An element's words, which name it in the store; formulas left out. */
  function words(element) {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(".math").forEach((m) => m.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  }

  /** What the store has of a question: {tried: [...], right}, or null. */
  function recordOf(name) {
    const record = store.get(PAGE)[name];
    return Array.isArray(record?.tried) ? record : null;
  }

  /** Remember an answer. `right` is that of the first. */
  function remember(name, right, answer) {
    const record = recordOf(name) ?? { right, tried: [] };
    if (answer !== undefined && !record.tried.includes(answer))
      record.tried.push(answer);
    store.set(PAGE, { ...store.get(PAGE), [name]: record });
    count();
  }

  // ---- options -----------------------------------------------------------

  function addChoice(options) {
    const name = words(options[0].previousElementSibling);
    const byAnswer = new Map(options.map((option) =>
      [words(option.firstElementChild), option]));
    const isRight = (option) =>
      words(option).slice(words(option.firstElementChild).length).trim()
        .startsWith("Right");

    function show({ tried }) {
      for (const answer of tried) {
        const option = byAnswer.get(answer);
        option?.classList.add(isRight(option) ? "chosen-right" : "chosen-wrong");
      }
    }

    function clear() {
      for (const option of options) {
        option.classList.remove("chosen-right", "chosen-wrong");
        option.open = false;
      }
    }

    for (const [answer, option] of byAnswer) {
      // A click, or Enter. Unlike "toggle" not the browser's own search.
      option.firstElementChild.addEventListener("click", () => {
        remember(name, isRight(option), answer);
        show(recordOf(name));
      });
    }
    questions.push({ name, first: options[0].firstElementChild, show, clear });
  }

  // ---- numbers -----------------------------------------------------------

  /** The number that a reader typed, or null. A unit may stand behind it. */
  function readNumber(typed, unit) {
    let text = typed.normalize("NFKC").trim().toLowerCase()
      .replace(/[−–]/g, "-")
      .replace(/\s*[x×*·⋅]\s*10\s*\^?\s*/, "e"); // 1.5 × 10^6
    if (unit && text.endsWith(unit.toLowerCase()))
      text = text.slice(0, -unit.length).trim();
    const percent = text.endsWith("%");
    if (percent) text = text.slice(0, -1).trim();
    // 1,234.5 is tried first, then 1.234,5; 1 234 and 1'234 go with both.
    for (const [group, point] of [",.", ".,"]) {
      const between = `[${group}\\s'’_]`;
      const number = new RegExp(
        `^[+-]?([1-9]\\d{0,2}(${between}\\d{3})+|\\d*)`
        + `([${point}]\\d*)?(e[+-]?\\d+)?$`);
      if (/\d/.test(text) && number.test(text)) {
        const value = Number(
          text.replace(new RegExp(between, "g"), "").replace(point, "."));
        if (Number.isFinite(value)) return percent ? value / 100 : value;
      }
    }
    return null;
  }

  /** The wrong number that a hint is for: data-hint-55, data-hint-half. */
  function wrongNumber(hint, answer, value) {
    const zeros = value ? Math.round(Math.log10(value / answer)) : NaN;
    const kinds = {
      half: answer / 2, double: answer * 2,
      third: answer / 3, triple: answer * 3,
      below: answer - 1, above: answer + 1,
      magnitude: answer * 10 ** zeros,
    };
    return kinds[hint] ?? Number(hint);
  }

  function addNumber(details) {
    const { answer, tolerance = "0", unit } = details.dataset;
    const target = Number(answer);
    const asked = details.previousElementSibling;
    const name = words(asked);
    asked.id ||= `question-${questions.length + 1}`;
    const form = document.createElement("form");
    form.className = "numeric-form d-print-none";
    form.innerHTML = `<label>Your answer <input inputmode="decimal" size="11"
      autocomplete="off" aria-describedby="${asked.id}"></label>
      <button>Check</button> <output></output>`;
    const [input, , output] = form.elements;
    if (unit) form.firstChild.firstChild.data = `Your answer (${unit}) `;

    function isNear(value, number) {
      const room = tolerance.endsWith("%")
        ? Math.abs(number) * parseFloat(tolerance) / 100 : Number(tolerance);
      return Math.abs(value - number) <= room + 1e-9 * Math.abs(number);
    }

    function check(typed) {
      const value = readNumber(typed, unit);
      if (value === null) return null;
      if (isNear(value, target)) return { right: true, says: "Right." };
      for (const attribute of details.attributes) {
        const hint = attribute.name.match(/^data-hint-(.+)/)?.[1];
        if (hint && isNear(value, wrongNumber(hint, target, value)))
          return { right: false, says: `Not yet. ${attribute.value}` };
      }
      const size = value < target ? "small" : "large";
      return { right: false, says: `Not yet: too ${size}.` };
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = input.value.trim();
      const verdict = check(typed);
      output.textContent = verdict?.says ?? (typed
        ? `“${typed}” is not a number. Write it like 1,234 or 1.5e6.`
        : "Type a number first.");
      if (!verdict) return;
      remember(name, verdict.right, typed);
      if (verdict.right) details.open = true;
    });
    details.firstElementChild.addEventListener("click", () => {
      if (!recordOf(name)) remember(name, false); // looked it up
    });
    details.before(form);
    questions.push({
      name,
      first: input,
      show({ tried }) {
        input.value = tried.at(-1) ?? "";
        output.textContent = check(input.value)?.says ?? "";
      },
      clear() {
        input.value = output.textContent = "";
        details.open = false;
      },
    });
  }

  // ---- how far the reader is ---------------------------------------------

  const progress = document.createElement("p");
  progress.className = "questions-progress d-print-none";
  progress.innerHTML =
    '<span role="status"></span> <button type="button">Start again</button>';
  const [status, again] = progress.children;

  function count() {
    const records = questions.map(({ name }) => recordOf(name)).filter(Boolean);
    const right = records.filter((record) => record.right === true).length;
    status.textContent = `${records.length} of ${questions.length} questions`
      + ` of this chapter answered, ${right} right at the first try.`
      + (store.lasts() ? "" : FORGOTTEN);
    again.hidden = records.length === 0;
  }

  function startAgain() {
    store.remove(PAGE);
    questions.forEach((question) => question.clear());
    count();
  }

  again.addEventListener("click", () => {
    startAgain();
    const here = progress.parentElement; // the quiz; others are far above it
    questions.find(({ first }) => here.contains(first)).first.focus();
  });
  document.addEventListener("book-forgets", startAgain);

  const all = [...document.querySelectorAll(
    ".bd-article details:is(.choice, .numeric)")];
  for (const details of all) {
    if (details.matches(".numeric")) {
      addNumber(details);
    } else if (!details.previousElementSibling.matches(".choice")) {
      const options = [details];
      while (options.at(-1).nextElementSibling?.matches(".choice"))
        options.push(options.at(-1).nextElementSibling);
      addChoice(options);
    }
  }
  for (const { name, show } of questions) {
    const record = recordOf(name);
    if (record) show(record);
  }
  count();
  all.at(-1)?.after(progress);
})();
