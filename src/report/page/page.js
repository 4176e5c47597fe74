// The page comes to life.

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").setAttribute("aria-pressed", String(name === "dark"));
  redraw();
}

function redraw() {
  document.querySelectorAll("[data-sample]").forEach((sample) => {
    sample.replaceChildren(several ? lineSample(look(Number(sample.dataset.sample), 0)) : "");
  });
  drawAll();
  drawSpectrum();
}

function setRuns(shown) {
  state.shown = shown;
  document.querySelectorAll("[data-run]").forEach((box) => { box.checked = shown[Number(box.dataset.run)]; });
  drawAll();
  listEvents();
}

const MOST_ROWS = 500;

function listEvents() {
  const kind = byId("event-kind").value;
  const all = DATA.runs.flatMap((run, index) => state.shown[index] ? run.events.map((event) => ({ ...event, run: run.label })) : [])
    .filter((event) => !kind || event.kind === kind).sort((a, b) => a.step - b.step);
  byId("event-count").textContent = all.length > MOST_ROWS ? `the first ${MOST_ROWS} of ${all.length}` : `${all.length} events`;
  byId("event-about").textContent = kind ? DATA.kinds[kind] : "";
  const row = (event) => {
    const go = element("button", { type: "button", textContent: event.step, title: "Show in the charts" });
    go.onclick = () => {
      setRange({ min: event.step - 50, max: event.step + 50 });
      byId("charts").scrollIntoView();
      const chart = charts.find((chart) => chart.events && chart.uplot);
      setTimeout(() => { chart?.moveTo(event.step); chart?.plot.focus({ preventScroll: true }); }, 50);
    };
    const letter = LETTERS[event.kind] ? `${LETTERS[event.kind]} ` : "";
    return element("tr", {}, element("td", {}, go), element("td", { textContent: event.run }),
      element("td", { textContent: letter + event.kind.replaceAll("_", " ") }), element("td", { textContent: event.text }));
  };
  byId("event-rows").replaceChildren(...all.slice(0, MOST_ROWS).map(row));
}

// What the table of runs does.
function wireRuns() {
  byId("all-runs").onclick = () => setRuns(DATA.runs.map(() => true));
  byId("no-runs").onclick = () => setRuns(DATA.runs.map(() => false));
  document.querySelectorAll("[data-run]").forEach((box) => {
    box.onchange = () => setRuns(state.shown.map((on, index) => index === Number(box.dataset.run) ? box.checked : on));
  });
}

// The kinds of events that there are.
function listKinds() {
  const chosen = byId("event-kind").value;
  const kinds = [...new Set(DATA.runs.flatMap((run) => run.events.map((event) => event.kind)))].sort();
  const options = kinds.map((kind) => element("option", { value: kind, textContent: kind.replaceAll("_", " ") }));
  byId("event-kind").replaceChildren(element("option", { value: "", textContent: "all" }), ...options);
  byId("event-kind").value = kinds.includes(chosen) ? chosen : "";
}

function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").onclick = () => setTheme(theme() === "dark" ? "light" : "dark");
  byId("theme").setAttribute("aria-pressed", String(dark.matches));
  arrange();

  byId("smoothing").onchange = ({ target }) => {
    state.smoothing = Number(target.value);
    const note = byId("smoothed");
    note.hidden = state.smoothing === 1;
    note.textContent = `Thick lines are means of ${state.smoothing} measured rows; thin lines are what was measured.`;
    drawAll();
  };
  byId("log-steps").onchange = ({ target }) => { state.logSteps = target.checked; drawAll(); };
  byId("whole").onclick = () => setRange(null);
  wireRuns();
  listKinds();
  byId("event-kind").onchange = listEvents;
  gather();
  byId("spectrum-of").onchange = () => { byId("spectrum-index").value = 0; drawSpectrum(); };
  byId("spectrum-index").oninput = drawSpectrum;
  listEvents();
  redraw();

  let waiting = null;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      charts.forEach((chart) => chart.uplot?.setSize({ width: chart.width(), height: chart.height() }));
      drawSpectrum();
    }, 100);
  });
  // On paper all charts stand, in ink.
  addEventListener("beforeprint", () => {
    start.theme = theme();
    charts.forEach((chart) => { chart.visible = true; });
    setTheme("light");
  });
  addEventListener("afterprint", () => setTheme(start.theme));
}

start();
