// A page that is served follows its runs: rows are added as they come, and what else has changed is fetched.

const follower = { source: null, waiting: null, told: "" };

const held = () => DATA.runs.map((run) => [run.steps, run.events.length, run.spectra.length, Number(run.ended)].join(":")).join(",");

function say(text) {
  if (text !== follower.told) byId("following").textContent = follower.told = text;
}

function follow() {
  follower.source?.close();
  clearTimeout(follower.waiting);
  const source = follower.source = new EventSource(`growth?held=${held()}`);
  source.onopen = () => say(DATA.runs.length > 0 && DATA.runs.every((run) => run.ended) ? "All runs have ended." : "Following.");
  source.addEventListener("rows", ({ data }) => take(JSON.parse(data)));
  source.addEventListener("page", () => again(refresh, 0));
  source.addEventListener("failed", ({ data }) => { say(`Not followed: ${JSON.parse(data)}`); again(follow, 5000); });
  // It would ask again for what it asked for at first.
  source.onerror = () => { say("The server is gone; looking for it."); again(refresh, 2000); };
}

function again(what, after) {
  follower.source?.close();
  clearTimeout(follower.waiting);
  follower.waiting = setTimeout(what, after);
}

// New rows and events of a run.
function take(news) {
  const run = DATA.runs[news.run], known = unpacked[news.run];
  if (run.steps !== news.from) return again(refresh, 0);
  const count = news.to - news.from;
  // All columns as arrays, while the run is as long as they are.
  for (const name of Object.keys(run.columns)) column(news.run, name);
  const fresh = Object.keys(news.columns).filter((name) => !Object.hasOwn(run.columns, name));
  for (const name of fresh) {
    run.columns[name] = "";
    known.set(name, new Array(run.steps).fill(null));
  }
  run.steps = news.to;
  for (const [name, values] of known) {
    if (values === null) known.delete(name);
    else for (const x of unpack(news.columns[name], count) ?? new Array(count).fill(null)) values.push(x);
  }
  run.unconverged.push(...news.unconverged);
  run.phases.push(...news.phases);
  run.events.push(...news.events);
  Object.assign(DATA.kinds, news.kinds);
  const row = document.querySelector(`[data-run="${news.run}"]`).closest("tr");
  row.querySelector(".number").textContent = run.steps;
  survey();
  if (fresh.length > 0) { arrange(); drawAll(); } else charts.forEach((chart) => chart.grow());
  if (news.events.length > 0) { listKinds(); listEvents(); }
}

// The page as it is now, in the place of this one; what its user has chosen stays.
async function refresh() {
  let text;
  try {
    const answer = await fetch("./", { cache: "no-store" });
    text = await answer.text();
    if (!answer.ok) throw new Error(text);
  } catch (error) {
    say("The server is gone; looking for it.");
    return again(refresh, 2000);
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const hidden = new Set(DATA.runs.filter((_, index) => !state.shown[index]).map((run) => run.label));
  DATA = JSON.parse(page.getElementById("data").textContent);
  unpacked = DATA.runs.map(() => new Map());
  state.shown = DATA.runs.map((run) => !hidden.has(run.label));
  document.title = page.title;
  document.querySelector("h1").textContent = page.title;
  for (const id of ["runs", "results", "settings", "validity"]) replace(byId(id), page.getElementById(id));
  survey();
  gather();
  listKinds();
  arrange();
  wireRuns();
  setRuns(state.shown);
  redraw();
  follow();
}

// Puts a section in the place of another, with the details open that were open there.
function replace(old, section) {
  const open = new Set([...old.querySelectorAll("details[open]")].map((details) => details.firstElementChild.textContent));
  section.querySelectorAll("details").forEach((details) => { details.open ||= open.has(details.firstElementChild.textContent); });
  old.replaceWith(document.adoptNode(section));
}

follow();
