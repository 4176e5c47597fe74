// The page's numbers, and what is shown of them.

let DATA = JSON.parse(document.getElementById("data").textContent);

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A packed column: one number for all, or base64 of little-endian floats. Gaps are null, as the charts have them.
function unpack(packed, length) {
  if (packed === undefined) return null;
  if (typeof packed === "number") return new Array(length).fill(packed);
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => {
    const x = view.getFloat32(4 * i, true);
    return Number.isFinite(x) ? x : null;
  });
}

let unpacked = DATA.runs.map(() => new Map());

// A run's column, as long as the run; null where the run does not have it.
function column(run, name) {
  const known = unpacked[run];
  if (!known.has(name)) {
    const { columns, steps } = DATA.runs[run];
    known.set(name, Object.hasOwn(columns, name) ? unpack(columns[name], steps) : null);
  }
  return known.get(name);
}

// All columns that a run has, the rows of the longest run, and whether there are several runs.
let names, longest, several;

function survey() {
  names = [...new Set(DATA.runs.flatMap((run) => Object.keys(run.columns)))];
  longest = Math.max(0, ...DATA.runs.map((run) => run.steps));
  several = DATA.runs.length > 1;
}

survey();

const numbered = /^(midpoint_)?lambda_\d+$/;
const described = (name) => words.get(numbered.test(name) ? name.replace(/_\d+$/, "") : name);

const words = new Map(DATA.columns.map((column) => [column.name, column]));
const unit = (name) => described(name)?.unit ?? "";
const about = (name) => described(name)?.about ?? "";

// Which columns stand in one chart, in which order, and which of them are drawn at first. Those in none have a
// chart of their own.
const CHARTS = [
  { title: "Loss", columns: ["train_loss", "val_loss"], log: true, events: true },
  { title: "Sharpness and what the optimizer can bear", log: false, events: true, rings: true,
    columns: ["preconditioned_sharpness", "sharpness", "threshold", "batch_sharpness", "perturbed_sharpness", "midpoint_sharpness", "midpoint_preconditioned_sharpness"] },
  { title: "Edge ratio: sharpness over threshold", columns: ["edge_ratio", "realized_ratio", "realized_ratio_midpoint"], at: 1, events: true },
  { title: "Eigenvalues of the Hessian", columns: ["lambda_min"], numbered: true, rings: true },
  { title: "Accuracy", columns: ["train_accuracy", "val_accuracy"] },
  { title: "Norms", columns: ["grad_norm", "update_norm", "param_norm", "relative_update"], log: true },
  { title: "Variance along the top eigenvector", columns: ["measured_variance", "predicted_variance"], log: true },
  { title: "Gradient along the top eigenvector", columns: ["gradient_alignment"] },
  { title: "Learning rate", columns: ["lr"] },
  { title: "Residual of the eigenvalues", columns: ["residual"], log: true },
  { title: "Hessian-vector products", columns: ["hvps"] },
  { title: "Time", columns: ["step_ms", "curvature_ms"], log: true },
];

// The charts that there is something for.
function panels() {
  const lambdas = names.filter((n) => numbered.test(n));
  const charts = CHARTS.map((chart) => chart.numbered ? { ...chart, columns: lambdas.concat(chart.columns) } : chart);
  const listed = new Set(charts.flatMap((chart) => chart.columns).concat("batch_sharpness_se"));
  return charts.concat(names.filter((n) => !listed.has(n)).map((n) => ({ title: n.replaceAll("_", " "), columns: [n] })))
    .map((chart) => ({ ...chart, columns: chart.columns.filter((n) => names.includes(n)) }))
    .filter((chart) => chart.columns.length > 0);
}

// The sharpness that the threshold does not bound is off at first.
const drawnAtFirst = (name) => !["sharpness", "midpoint_sharpness"].includes(name) || !names.includes("preconditioned_sharpness");

const state = { shown: DATA.runs.map(() => true), smoothing: 1, logSteps: false, range: null };

// Okabe and Ito's colours, darkened or lightened where they would be lost on the paper; then dashes.
const COLORS = {
  light: ["#0072b2", "#c24e00", "#007a59", "#a8508a", "#8a6100", "#2b7fb5", "#663300", "#000000"],
  dark: ["#56b4e9", "#ff8c42", "#2fcf9f", "#e39cc6", "#f0b73c", "#9ad1f5", "#d8a878", "#ffffff"],
};
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const theme = () => document.documentElement.dataset.theme === "dark" ? "dark" : "light";
const color = (index) => COLORS[theme()][index % 8];
const dash = (index) => DASHES[index % 4];
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Of several runs each has a colour, of one each column.
const look = (run, place) => several
  ? { stroke: color(run), dash: dash(Math.floor(run / 8) + place) }
  : { stroke: color(place), dash: dash(Math.floor(place / 8)) };

function short(x) {
  if (x === null || x === undefined) return "–";
  const size = Math.abs(x);
  return x === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(x.toPrecision(5))) : x.toExponential(3);
}

// The mean over the measured rows within a window around each.
function smooth(values, width) {
  const at = [];
  values.forEach((x, i) => { if (x !== null) at.push(i); });
  const out = new Array(values.length).fill(null);
  const half = Math.floor(width / 2);
  let sum = 0, from = 0, to = 0;
  at.forEach((step, i) => {
    while (to < Math.min(at.length, i + half + 1)) sum += values[at[to++]];
    while (from < i - half) sum -= values[at[from++]];
    out[step] = sum / (to - from);
  });
  return out;
}

function phaseAt(run, step) {
  let phase = "";
  for (const [from, name] of DATA.runs[run].phases) { if (from > step) break; phase = name; }
  return phase;
}

// The text at a tick: as many digits as tell it from the next.
function tick(x, gap) {
  if (x === null || x === undefined) return "";
  const size = Math.abs(x);
  if (x !== 0 && (size >= 1e6 || size < 1e-3)) return x.toExponential(gap > 0 ? Math.min(6, Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(gap)))) : 0);
  return gap > 0 ? x.toFixed(Math.min(12, Math.max(0, -Math.floor(Math.log10(gap) + 1e-9)))) : String(Number(x.toPrecision(3)));
}

function axisStyle() {
  const font = "12px system-ui, sans-serif";
  const values = (plot, ticks, at, _, gap) => {
    const evenly = plot.scales[plot.axes[at].scale].distr === 1;
    return ticks.map((x) => tick(x, evenly ? gap : 0));
  };
  return { stroke: ink("--ink"), grid: { stroke: ink("--rule"), width: 1 }, ticks: { stroke: ink("--rule") }, font, labelFont: font, values };
}
