/* The window of notes: what is on the screen and what comes next, the teacher's
   notes for it, and a clock against the plan. It knows nothing by itself. The
   page that presents tells it (speaker_host.js), when asked, which is once a
   second. The clock runs here; that page keeps it. */
(() => {
  "use strict";
  const SILENCE = 5000; // ms without an answer: that page is closed, or hangs
  const STEPS = {
    ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1,
    Home: -Infinity, End: Infinity,
  };
  const NO_ANSWER = "The page that presents does not answer. Open the chapter, "
    + "press p there and then s.";
  const NOT_PRESENTED = "The chapter is open, but it is not presented now.";
  const at = Object.fromEntries([...document.querySelectorAll("[id]")]
    .map((element) => [element.id, element]));
  const presenting = window.opener;
  let told = null; // the last answer
  let heard = 0; // when it came
  let rows = []; // of the chosen plan, with `from` and `to` in minutes
  // `spent` ms until it was last paused, running `since` then; null: it is not.
  let clock = { plan: null, spent: 0, since: null };
  let mine = false; // the clock was used in this window, or taken over

  function ask(wish = {}) {
    presenting?.postMessage({ book: "speaker", ...wish }, "*");
  }

  function make(kind, text, className = "") {
    const made = document.createElement(kind);
    made.textContent = text;
    made.className = className;
    return made;
  }

  // ---- the plan -----------------------------------------------------------

  function withMinutes(plan) {
    let minutes = 0;
    return plan.map((row) => {
      const from = minutes;
      minutes += row.minutes;
      return { ...row, from, to: minutes };
    });
  }

  /** The rows whose section holds a part of the screen, the innermost. */
  function rowsOn(some) {
    const found = new Set();
    for (const chain of told.screen.chains) {
      const inner = chain.find((id) => some.some((row) => row.at.includes(id)));
      some.filter((row) => row.at.includes(inner))
        .forEach((row) => found.add(row));
    }
    return [...found];
  }

  /** What the plan says of the screen: the minutes, and in words. */
  function planned() {
    const on = rowsOn(rows);
    if (on.length) {
      const [from, to] = [on[0].from, on.at(-1).to];
      return { from, to, says: `Planned for minutes ${from} to ${to}.` };
    }
    const place = (id) => told.order.indexOf(id);
    const here = place(told.screen.chains[0][0]);
    // The last section before the screen that the plan has, and its last row.
    const starts = (row) => Math.max(...row.at.map(place));
    const before = rows.filter((row) => starts(row) <= here)
      .reduce((last, row) =>
        last && starts(last) > starts(row) ? last : row, null);
    if (!before)
      return { from: 0, to: 0, says: "The plan begins after this screen." };
    return {
      from: before.to, to: before.to,
      says: `The plan has no time for this screen. By now ${before.to} minutes`
        + ` were to be over, with: ${before.what}`,
    };
  }

  // ---- the clock ----------------------------------------------------------

  const elapsed = () =>
    clock.spent + (clock.since === null ? 0 : Date.now() - clock.since);

  function change(changes) {
    clock = { ...clock, ...changes };
    mine = true;
    ask({ clock });
    showClock();
  }

  const toggleClock = () => change(clock.since === null
    ? { since: Date.now() } : { spent: elapsed(), since: null });

  const minutes = (count) => `${count} minute${count === 1 ? "" : "s"}`;

  /** Ahead or behind, in words; within a minute one is on time. */
  function pace() {
    if (clock.since === null)
      return elapsed() ? "Paused." : "Not started.";
    if (!rows.length || !told.screen) return "";
    const { from, to } = planned();
    const now = elapsed() / 60_000;
    if (now >= to + 1) return `${minutes(Math.floor(now - to))} behind the plan.`;
    if (now <= from - 1)
      return `${minutes(Math.floor(from - now))} ahead of the plan.`;
    return "On time.";
  }

  function showClock() {
    const seconds = Math.floor(elapsed() / 1000);
    at.time.textContent = `${Math.floor(seconds / 60)}:`
      + String(seconds % 60).padStart(2, "0")
      + (rows.length ? ` of ${rows.at(-1).to}:00` : "");
    at.pace.textContent = pace();
    at.planned.textContent = rows.length && told.screen ? planned().says : "";
    at.run.textContent = clock.since !== null ? "Pause"
      : clock.spent ? "Go on" : "Start";
  }

  function say() {
    const seconds = Math.floor(elapsed() / 1000);
    at.spoken.textContent = `${minutes(Math.floor(seconds / 60))} and `
      + `${seconds % 60} seconds. ${pace()}`;
  }

  // ---- what is shown ------------------------------------------------------

  function showPlans() {
    const plans = told.notes?.plans ?? {};
    at.plan.replaceChildren(...["", ...Object.keys(plans)].map((name) =>
      new Option(name ? `of ${name} minutes` : "none", name)));
    // Who has chosen none keeps that; the first plan is a beginning.
    const name = clock.plan ?? Object.keys(plans)[0] ?? "";
    at.plan.value = name in plans ? name : "";
    rows = withMinutes(plans[at.plan.value] ?? []);
    at["rows-section"].hidden = !rows.length;
    at.rows.replaceChildren(...rows.map((row) => {
      const item = document.createElement("li");
      const button = make("button", "");
      button.type = "button";
      button.disabled = !row.at.length;
      button.append(make("span", `${row.from} to ${row.to}`, "minutes"),
        make("span", row.what));
      button.addEventListener("click", () =>
        ask({ do: "show", value: row.at[0] }));
      item.append(button);
      return item;
    }));
  }

  const sentence = (text) => text[0].toUpperCase() + text.slice(1)
    + (/[.?!]”?$/.test(text) ? "" : ".");

  /** A heading and items; the strong part of each, and more below it. */
  function list(heading, items) {
    if (!items.length) return [];
    const made = document.createElement("ul");
    made.append(...items.map(([strong, ...more]) => {
      const item = document.createElement("li");
      item.append(...(strong ? [make("strong", strong)] : []),
        ...more.map((text) => make("p", sentence(text))));
      return item;
    }));
    return [make("h3", heading), made];
  }

  function showNotes() {
    const { notes, quiz, screen } = told;
    if (!notes) {
      at.notes.replaceChildren(
        make("p", "This copy of the book has no notes on this page."));
      return;
    }
    const ids = new Set(screen.chains.flat());
    const isHere = ({ at: places }) => places.some((id) => ids.has(id));
    const chosen = Object.entries(notes.plans)
      .filter(([name]) => !rows.length || name === at.plan.value)
      .map(([name, plan]) => [name, rowsOn(withMinutes(plan))]);
    const numbers = [...new Set([...screen.questions.map(Number),
      ...chosen.flatMap(([, plan]) => plan.flatMap((row) => row.quiz))])]
      .filter((number) => quiz[number]);
    // In the quiz only what its question on the screen exposes.
    const wrong = notes.misconceptions.filter((one) => one.quiz.length
      ? one.quiz.some((number) => numbers.includes(number))
        || isHere({ at: one.at.filter((id) => id !== "quiz") })
      : isHere(one));
    const found = [
      ...chosen.flatMap(([name, plan]) =>
        list(`In ${name} minutes`, plan.map(({ from, to, what }) =>
          [`Minutes ${from} to ${to}`, what]))),
      ...list("What students think, and what exposes it", wrong.map(
        ({ think, ask: question }) => [sentence(think), question])),
      ...list("Answers", numbers.map((number) => {
        const { asks, right, why } = quiz[number];
        return [`${number}. ${asks}`, right, why];
      })),
      ...list("To know", notes.hints.filter((hint) => isHere(
        { at: hint.at.filter((id) => id !== "quiz") }))
        .map(({ text }) => ["", text])),
    ];
    at.notes.replaceChildren(...(found.length ? found
      : [make("p", "The page for teachers says nothing of this section.")]));
  }

  function showScreen() {
    const { screen, next } = told;
    at.place.textContent = `Screen ${screen.number} of ${screen.total}`;
    at.title.textContent = screen.title;
    at.state.textContent = [
      screen.covered,
      screen.goesOn && "It goes on below the window.",
    ].filter(Boolean).join(" ");
    at["next-title"].textContent = next?.title ?? "Nothing: this is the end.";
    at["next-words"].textContent = next?.begins ?? "";
    const on = rowsOn(rows);
    [...at.rows.children].forEach(({ firstChild: button }, i) => {
      if (on.includes(rows[i])) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    showNotes();
  }

  /** Show what is new in an answer. */
  function take(answer) {
    const before = told;
    const isNew = (...names) => names.some((name) =>
      JSON.stringify(before?.[name]) !== JSON.stringify(answer[name]));
    told = answer;
    if (answer.clock && !mine) {
      clock = answer.clock;
      mine = true;
    }
    document.documentElement.dataset.theme = answer.theme;
    document.title = `Notes: ${answer.title}`;
    at.single.hidden = !answer.singleKeys;
    at.forgets.hidden = answer.lasts;
    at.all.hidden = at.bar.hidden = false;
    trouble(answer.presenting ? "" : NOT_PRESENTED);
    const newNotes = isNew("page", "notes");
    if (newNotes) showPlans();
    if (answer.screen && (newNotes || isNew("screen", "next"))) showScreen();
    if (answer.screen?.number !== before?.screen?.number && answer.screen)
      at.spoken.textContent = `${at.place.textContent}: ${answer.screen.title}`;
    showClock();
  }

  function trouble(says) {
    at.trouble.hidden = !says;
    if (says && at.trouble.textContent !== says) at.trouble.textContent = says;
  }

  // ---- what is asked ------------------------------------------------------

  addEventListener("message", ({ data, source }) => {
    if (!presenting || source !== presenting || data?.book !== "presenter")
      return;
    if (data.forget) {
      clock = { plan: clock.plan, spent: 0, since: null };
      showClock();
    } else if (data.toggleClock) {
      toggleClock();
    } else {
      heard = Date.now();
      take(data);
    }
  });

  at.run.addEventListener("click", toggleClock);
  at.reset.addEventListener("click", () => change({ spent: 0, since: null }));
  at.say.addEventListener("click", say);
  at.plan.addEventListener("change", () => {
    change({ plan: at.plan.value });
    showPlans();
    if (told.screen) showScreen();
    showClock();
  });
  for (const button of at.bar.children)
    button.addEventListener("click", () => ask({
      do: button.dataset.do, value: Number(button.dataset.value),
    }));

  const SINGLE = {
    b: () => ask({ do: "blank" }),
    ".": () => ask({ do: "blank" }),
    z: () => ask({ do: "enlarge" }),
    c: toggleClock,
  };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (!told || event.ctrlKey || event.altKey || event.metaKey) return;
    if (key === "Escape") return ask({ do: "uncover" });
    // In the list of plans arrows and letters choose.
    if (target.closest("select") && !key.startsWith("Page")) return;
    if (key in SINGLE) {
      if (told.singleKeys) SINGLE[key]();
    } else if (key in STEPS) {
      if (key === " " && target.closest("button, summary")) return;
      event.preventDefault();
      ask({ do: "turn", value: STEPS[key] });
    }
  });

  function everySecond() {
    ask();
    if (!told) return;
    showClock();
    if (Date.now() - heard > SILENCE) trouble(NO_ANSWER);
  }

  if (matchMedia("(prefers-color-scheme: dark)").matches)
    document.documentElement.dataset.theme = "dark";
  everySecond();
  setInterval(everySecond, 1000);
})();
