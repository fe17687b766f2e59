/* In the page that presents: what its window of notes (speaker.html) is told,
   and what it may ask for. Windows of file:// may not look into each other, so
   the two send messages. That window asks once a second, so that both find each
   other again after either was reloaded. */
(() => {
  "use strict";
  const presenter = window.bookPresenter;
  const store = window.bookStore;
  const article = document.querySelector("article.bd-article");
  const NO_WORDS = ".headerlink, .katex-mathml, .visually-hidden, script, "
    + "style, button, [class$=-spoken]";
  const HEADINGS = "h1, h2, h3, h4";
  const LESSON = 6 * 3600_000; // ms; a clock that is older is another lesson's

  /** An element's words, as far as `room` characters reach. */
  function words(element, room = Infinity) {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(NO_WORDS).forEach((useless) => useless.remove());
    const text = copy.textContent.replace(/\s+/g, " ").trim();
    return text.length <= room ? text
      : `${text.slice(0, room).replace(/\S*$/, "")}…`;
  }

  const headingOf = (section) =>
    section?.querySelector(`:scope > :is(${HEADINGS})`);

  /** A screen's headings; first that of the section which it goes on with. */
  function title(screen) {
    const headings = screen.filter((one) => one.matches(HEADINGS));
    const before = headings[0] !== screen[0]
      && headingOf(screen[0].closest("section"));
    return [before ? `${words(before)} (continued)` : "",
      ...headings.map((one) => words(one))].filter(Boolean).join(" · ");
  }

  /** What a screen begins with, below its heading. */
  function begins(screen) {
    const block = screen.find((one) => !one.matches(HEADINGS));
    if (!block) return "";
    const picture = block.matches("img") ? block : block.querySelector("img");
    const code = block.matches(".cell_input") ? "Code: " : "";
    return picture ? `Figure: ${picture.alt}`
      : code + words(block.querySelector("summary") ?? block, 160);
  }

  /** The anchors of the sections that a block stands in, innermost first. */
  function anchors(block) {
    const found = [];
    for (let up = block.closest("section"); up && article.contains(up);
      up = up.parentElement.closest("section"))
      // A section is also known by what else points at its beginning.
      found.push(up.id, ...[...up.querySelectorAll(":scope > span[id]")]
        .map(({ id }) => id));
    return found;
  }

  /** The quiz: what each question asks, and what is right. */
  const quiz = {};
  for (const asked of article.querySelectorAll("#quiz p > strong")) {
    const [, number, asks] = words(asked).match(/^(\d+)\. (.*)/) ?? [];
    if (!number) continue;
    const options = [];
    for (let next = asked.parentElement.nextElementSibling;
      next?.matches("details.choice"); next = next.nextElementSibling)
      options.push(next.cloneNode(true));
    for (const option of options) {
      const answer = option.querySelector("summary");
      answer.remove();
      if (words(option).startsWith("Right"))
        quiz[number] = {
          asks, right: words(answer).replace(/\.$/, ""),
          why: words(option).replace(/^Right\W*/, ""),
        };
    }
  }

  /** The numbers of the questions on a screen. */
  const questionsOn = (screen) => screen.flatMap((block) =>
    block.closest("#quiz") && words(block).match(/^(\d+)\. /)?.[1] || []);

  function keptClock() {
    const { page, at, clock } = store.get("clock");
    return page === presenter.page && Date.now() - at < LESSON ? clock : null;
  }

  function state() {
    const shown = presenter.shown();
    const told = {
      book: "presenter",
      presenting: shown !== null,
      theme: document.documentElement.dataset.theme,
      page: presenter.page,
      title: words(article.querySelector("h1")),
      singleKeys: presenter.singleKeys(),
      notes: window.bookNotes?.[presenter.page] ?? null,
      quiz,
      order: [...article.querySelectorAll("section, section > span[id]")]
        .map(({ id }) => id),
      clock: keptClock(),
      lasts: store.lasts(),
    };
    if (!shown) return told;
    const { screens, current, goesOn, covered } = shown;
    const [screen, next] = [screens[current], screens[current + 1]];
    return {
      ...told,
      screen: {
        number: current + 1, total: screens.length, title: title(screen),
        goesOn, covered, chains: screen.map(anchors),
        questions: questionsOn(screen),
      },
      next: next ? { title: title(next), begins: begins(next) } : null,
    };
  }

  function tell() {
    const speaker = presenter.getSpeaker();
    if (speaker && !speaker.closed) speaker.postMessage(state(), "*");
  }

  addEventListener("message", ({ data, source }) => {
    // Only a window that this one has opened; of file:// no more is known.
    if (data?.book !== "speaker" || source?.opener !== window) return;
    presenter.setSpeaker(source);
    if (data.clock) store.set("clock",
      { page: presenter.page, at: Date.now(), clock: data.clock });
    if (Object.hasOwn(presenter.do, data.do)) presenter.do[data.do](data.value);
    tell();
  });
  document.addEventListener("present-screen", tell);
  document.addEventListener("book-forgets", () => {
    presenter.getSpeaker()?.postMessage(
      { book: "presenter", forget: true }, "*");
  });
})();
