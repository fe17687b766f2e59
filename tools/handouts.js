/* Makes a handout of a chapter's page, which handouts.py has opened: takes out
   what paper cannot do, opens or takes out the answers, adds room to write and
   says where links lead. Links to other sites become notes by print.js. */
({ edition, plan, teaching, places, guess, title, note }) => {
  const student = edition === "student";
  const article = document.querySelector("article.bd-article");
  const all = (selector, root = article) => [...root.querySelectorAll(selector)];
  const words = (node) => node.textContent.replace(/\s+/g, " ").trim();

  function make(tag, name, text = "") {
    const node = document.createElement(tag);
    node.className = `handout-${name}`;
    node.textContent = text;
    return node;
  }

  /** Room to write: empty lines, of which nothing is read aloud. */
  function lines(count, label = "") {
    const room = make("div", "room");
    if (label) room.append(make("span", "label", label));
    for (let i = 0; i < count; i++) room.append(make("div", "line"));
    return room;
  }

  // ---- the parts of the page ---------------------------------------------

  const main = document.createElement("main");
  main.className = `handout handout-${edition}`;
  main.append(article);
  document.body.replaceChildren(main);
  document.documentElement.dataset.theme = "light";
  document.title = `${title} (${edition} handout)`;

  // A plan that the chapter's page has below it, with names of its own.
  if (teaching) {
    const part = make("section", "teaching");
    part.innerHTML = teaching;
    for (const node of all("[id]", part)) node.id = `teaching-${node.id}`;
    for (const link of all("a[href^='#']", part))
      link.href = plan + link.getAttribute("href");
    article.append(part);
  }

  for (const node of all(".headerlink, .copybtn, .d-print-none, script,"
      + ".questions-progress, .numeric-form, .visually-hidden")) node.remove();

  const heading = article.querySelector("h1");
  heading.after(make("p", "head", note));
  if (student) heading.before(make("p", "name", "Name"));

  // Code that teaches nothing on paper: lists of imports, what only draws, what
  // reads or defines recorded runs. The notebook has it, and what it shows stays.
  const IMPORTS = /^\s*((from\s+\S+\s+)?import\s+(\([^)]*\)|[^\n(]*)|\w+ = chapter\(.*|print\("scale:.*|#.*)\s*$/gm;
  const RECORDS = /\brecorded\(|^(RUNS|EXPERIMENTS)\b/m;
  const DRAWS = /\bplt\.|\bshow_\w+\(|\bplot_history\(/;
  const TEACHES = /\b(def|class) |\bfit\(/;
  for (const cell of all(".cell:not(.tag_solution)")) {
    const code = cell.querySelector(".cell_input pre")?.textContent ?? "";
    const idle = RECORDS.test(code) || !code.replace(IMPORTS, "").trim()
      || DRAWS.test(code) && !TEACHES.test(code)
      || cell.matches(".tag_hide-input") || cell.querySelector("[data-figure]");
    if (!idle) continue;
    all(".cell_input, details.hide.above-input", cell).forEach((node) => node.remove());
    if (!cell.querySelector(".cell_output")
      || /^scale: \w+$/.test(words(cell))) cell.remove();
  }

  // Colab's title of a cell stands above it anyway.
  const TITLE = /^(<span><\/span>)?<span class="c1"># @title [^<]*<\/span>\n/;
  for (const code of all(".cell_input pre"))
    code.innerHTML = code.innerHTML.replace(TITLE, "").replace(/\n{3,}/g, "\n\n");

  // ---- what is folded ----------------------------------------------------

  const inFigure = (node) => node.closest("[data-figure]");
  const isData = (fold) => /^Data of the chart/.test(words(fold.firstElementChild));
  const isHint = (fold) => /^A hint/.test(words(fold.firstElementChild));
  const folds = all("details").filter((fold) => !inFigure(fold));

  function showFold(fold) {
    fold.open = true;
    if (isData(fold)) fold.classList.add("handout-data");
  }

  function showChoice(fold) {
    const option = make("p", "option");
    const right = words(fold).slice(words(fold.firstElementChild).length)
      .trim().startsWith("Right");
    option.append(make("span", "box", !student && right ? "☒" : "☐"), " ",
      ...fold.firstElementChild.childNodes);
    if (student) return fold.replaceWith(option);
    fold.firstElementChild.replaceChildren(option);
    fold.open = true;
  }

  const hints = make("section", "hints");
  function keepHint(fold) {
    if (!hints.children.length) {
      hints.append(document.createElement("h2"));
      hints.firstChild.textContent = "Hints";
    }
    const where = words(fold.closest("section").querySelector("h2, h3"));
    fold.firstElementChild.remove();
    fold.firstElementChild.prepend(make("strong", "where", `${where}. `));
    hints.append(...fold.children);
    fold.replaceWith(make("p", "pointer", "A hint stands at the end of this handout."));
  }

  for (const fold of folds.filter((node) => node.isConnected)) {
    const section = fold.closest("section");
    if (fold.matches(".choice")) showChoice(fold);
    else if (!student || isData(fold)) showFold(fold);
    else if (isHint(fold)) keepHint(fold);
    else if (section.id.startsWith("find-the-")) {
      // What follows the answer, up to the next heading, speaks of it.
      while (fold.nextSibling && fold.nextSibling.nodeName !== "SECTION")
        fold.nextSibling.remove();
      fold.replaceWith(lines(7, "What is wrong, and which check would have found it?"));
    } else if (fold.matches(".numeric")) fold.replaceWith(lines(1, "Answer"));
    else (fold.closest(".tag_solution") ?? fold).remove();
  }

  // ---- room to write -----------------------------------------------------

  if (student) {
    for (const section of all("section[id^=exercise-]")) {
      section.append(lines(4));
      section.classList.add("handout-exercise");
    }
    const guesses = new RegExp(`^Predict\\.|${guess}`, "m");  // as in editions.py
    for (const asked of all("p")) {
      const has = asked.closest(".handout-exercise")
        || asked.nextElementSibling?.matches(".handout-room");
      if (guesses.test(words(asked)) && !has && !inFigure(asked)) asked.after(lines(2));
    }
    for (const table of all("table"))
      if (words(table.querySelector("th, td")) === "time")
        (table.closest(".pst-scrollable-table-container") ?? table).remove();
    if (hints.children.length) article.querySelector("section").append(hints);
  }
  for (const told of all("p"))
    if (words(told) === "Choose an answer to see whether it holds.")
      if (student) told.textContent = "Tick one answer to each question.";
      else told.remove();

  // What to do with a figure that does not move here.
  if (student) {
    for (const told of all("p + ol")) {
      const asks = told.previousElementSibling;
      const [invites] = asks.textContent.match(/(Try this|\w+ things to try):\s*$/) ?? [];
      if (!invites) continue;
      told.remove();
      asks.textContent = asks.textContent.replace(invites, "");
      if (!words(asks)) asks.remove();
    }
    for (const cell of all(".cell"))
      if (/^save\(/m.test(cell.querySelector("pre")?.textContent)) {
        if (cell.previousElementSibling.matches("p")) cell.previousElementSibling.remove();
        cell.remove();
      }
  }

  // What a figure says to a reader at a screen.
  const AT_SCREEN = /\b(your device|dropped|drag|click|press|tap)\b/i;
  for (const told of all("[data-figure] [class$=-caption]")) {
    const sentences = told.textContent.match(/[^.]+\.(\d[^.]*\.)*\s*/g) ?? [];
    if (sentences.some((one) => AT_SCREEN.test(one)))
      told.textContent = sentences.filter((one) => !AT_SCREEN.test(one)).join("");
  }

  // A guess that a figure asks for first; who skips it is told.
  for (const guess of all("[data-figure] [class$=-guess]")) {
    const asked = make("p", "guess");
    asked.append(...guess.querySelector("label").childNodes);
    inFigure(guess).before(asked);
    if (student) asked.after(lines(1, "Answer"));
    else {
      guess.querySelector("button[type=button]").click();
      asked.append(" ", words(guess.querySelector("[role=status]")));
    }
    guess.remove();
  }

  // ---- links -------------------------------------------------------------

  for (const link of all("a[href]")) {
    const { inner, text } = places[link.href] ?? {};
    if (text && !inFigure(link)) {
      const where = make("span", "place", ` (${text})`);
      const said = words(link).toLowerCase();
      const heard = text.toLowerCase().split(/, (?=“)/)
        .filter((part) => !said.includes(part.replace(/[“”]/g, "")));
      if (heard.length) {
        where.textContent = ` (${text.split(/, (?=“)/)
          .filter((part) => heard.includes(part.toLowerCase())).join(", ")})`;
        link.after(where);
      }
    }
    if (inner) link.setAttribute("href", inner);
    else if (!/^https?:/.test(link.href)) link.replaceWith(...link.childNodes);
  }

  // ---- where pages may break ---------------------------------------------

  const PAGE = (297 - 36) * 96 / 25.4; // its pixels between head and foot
  const height = (node) => node.getBoundingClientRect().height;
  for (const figure of all("[data-figure]"))
    if (height(figure) > 0.8 * PAGE) figure.classList.add("handout-small");
  // The numbers of a chart, when they are many: in columns.
  for (const table of all(".handout-data table"))
    if (table.rows.length > 24 && table.offsetWidth < 0.48 * main.offsetWidth) {
      const columns = make("div", "columns");
      table.replaceWith(columns);
      columns.append(table);
    }
  for (const node of all(".cell_input, .cell_output > *, figure, table, img, svg,"
      + "[data-figure], .handout-data, .numbered-math, .handout-exercise"))
    node.classList.add(height(node) < PAGE ? "handout-whole" : "handout-long");
}
