// The charts over steps. All show the same steps.

const charts = [];

class Chart {
  constructor(panel) {
    Object.assign(this, panel);
    this.on = new Set(this.columns.filter(drawnAtFirst));
    this.log = Boolean(panel.log);
    this.id = `chart-${charts.length}`;
    this.frame();
    charts.push(this);
  }

  frame() {
    const title = element("h3", { id: `${this.id}-title`, textContent: this.title });
    this.logButton = element("button", { type: "button", textContent: "log axis", onclick: () => this.setLog(!this.log) });
    this.logButton.setAttribute("aria-label", `log axis of ${this.title}`);
    this.keys = element("fieldset", { className: "keys" });
    this.keys.setAttribute("aria-label", `Columns of ${this.title}`);
    this.keys.append(...this.columns.map((name, place) => this.columnKey(name, place)));
    this.plot = element("div", { className: "plot", tabIndex: 0, id: this.id });
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", "chart");
    this.plot.setAttribute("aria-labelledby", `${this.id}-title`);
    this.plot.setAttribute("aria-describedby", `${this.id}-readout`);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.readout = element("p", { className: "readout", id: `${this.id}-readout` });
    this.root = element("div", { className: "panel" },
      element("div", { className: "head" }, title, this.logButton), this.keys, this.plot, this.readout);
    byId("panels").append(this.root);
  }

  // The box that chooses a column, with a piece of its line.
  columnKey(name, place) {
    const box = element("input", { type: "checkbox", checked: this.on.has(name) });
    box.dataset.column = name;
    box.onchange = () => { box.checked ? this.on.add(name) : this.on.delete(name); this.draw(); };
    const sample = element("span", { className: "sample" });
    sample.setAttribute("aria-hidden", "true");
    sample.dataset.place = place;
    const of = unit(name) ? ` (${unit(name)})` : "";
    return element("label", { title: about(name) }, box, sample, `${name}${of}`);
  }

  // Columns that have come since.
  add(columns) {
    for (const name of columns.filter((name) => !this.columns.includes(name))) {
      this.columns.push(name);
      if (drawnAtFirst(name)) this.on.add(name);
      this.keys.append(this.columnKey(name, this.columns.length - 1));
    }
  }

  // Shows rows that have come to what is drawn; the steps that are looked at stay.
  grow() {
    if (!this.uplot) return;
    const range = state.range ?? wholeRange();
    withoutSharing(() => this.uplot.batch(() => {
      this.uplot.setData(this.data(this.drawn), false);
      this.uplot.setScale("x", range);
    }));
  }

  // The series that are drawn: a run's column each, raw, and smoothed as well where that is asked for.
  series() {
    const all = [];
    this.columns.forEach((name, place) => {
      if (!this.on.has(name)) return;
      DATA.runs.forEach((run, index) => {
        const values = state.shown[index] ? column(index, name) : null;
        if (values) all.push({ run: index, name, place, values });
      });
    });
    return all;
  }

  data(series) {
    const usable = (x) => x === null || x === undefined || (this.log && x <= 0) ? null : x;
    const padded = (values) => Array.from({ length: longest }, (_, i) => usable(values[i]));
    const steps = Array.from({ length: longest }, (_, i) => i);
    const raw = series.map((one) => padded(one.values));
    const smoothed = state.smoothing > 1 ? series.map((one) => padded(smooth(one.values, state.smoothing))) : [];
    return [steps, ...raw, ...smoothed];
  }

  draw() {
    if (!this.visible) return;
    const series = this.drawn = this.series();
    const line = (one, faint) => {
      const { stroke, dash } = look(one.run, one.place);
      return { label: `${DATA.runs[one.run].label} ${one.name}`, stroke: faint ? `${stroke}55` : stroke, dash,
        width: faint ? 1 : 1.6, spanGaps: true, points: { show: false } };
    };
    const smoothing = state.smoothing > 1;
    const lines = series.map((one) => line(one, smoothing)).concat(smoothing ? series.map((one) => line(one, false)) : []);
    const axis = axisStyle();
    const options = {
      width: this.width(), height: this.height(), legend: { show: false },
      scales: {
        x: { time: false, distr: state.logSteps ? 4 : 1, asinh: 1 },
        y: { distr: this.log ? 3 : 1 },
      },
      series: [{ label: "step" }, ...lines],
      axes: [{ ...axis, size: 30, label: "step", labelSize: 16, }, { ...axis, size: 62 }],
      cursor: { drag: { x: true, y: false, setScale: true, dist: 4 }, sync: { key: "steps" }, focus: { prox: 24 }, points: { size: 6 } },
      focus: { alpha: lines.length > 12 ? 0.25 : 1 },
      hooks: {
        setCursor: [() => this.read()],
        setScale: [(plot, key) => { if (key === "x" && !settingRange) shareRange(this, plot); }],
        draw: [(plot) => this.marks(plot)],
      },
    };
    const data = this.data(series);
    this.uplot?.destroy();
    this.plot.replaceChildren();
    this.uplot = new uPlot(options, data, this.plot);
    if (state.range) withoutSharing(() => this.uplot.setScale("x", state.range));
    this.logButton.setAttribute("aria-pressed", String(this.log));
    this.root.querySelectorAll(".keys .sample").forEach((sample) => {
      const place = Number(sample.dataset.place);
      sample.replaceChildren(lineSample(several ? { stroke: ink("--ink"), dash: dash(place) } : look(0, place)));
    });
    this.move();
    this.read();
  }

  width() { return Math.max(240, this.plot.clientWidth); }
  height() { return window.innerWidth < 640 ? 220 : 290; }

  // Shift and drag moves the view.
  move() {
    const { over } = this.uplot;
    over.addEventListener("mousedown", (event) => {
      if (!event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { min, max } = this.uplot.scales.x;
      const from = this.uplot.posToVal(event.offsetX, "x"), left = event.clientX - event.offsetX;
      const drag = (moved) => {
        const by = from - this.uplot.posToVal(moved.clientX - left, "x");
        const now = this.uplot.scales.x;
        setRange({ min: now.min + by, max: now.max + by });
      };
      const stop = () => { removeEventListener("mousemove", drag); removeEventListener("mouseup", stop); };
      addEventListener("mousemove", drag);
      addEventListener("mouseup", stop);
    }, true);
    over.addEventListener("dblclick", (event) => { event.stopImmediatePropagation(); setRange(null); }, true);
  }

  // Events above the curves, a line at 1, rings about what did not converge, phases below.
  marks(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (this.at !== undefined) {
      const y = plot.valToPos(this.at, "y", true);
      ctx.strokeStyle = ink("--soft");
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    if (this.events) this.eventMarks(plot, ratio);
    if (this.rings) this.ringMarks(plot, ratio);
    ctx.restore();
  }

  eventMarks({ ctx, bbox, scales, valToPos }, ratio) {
    ctx.font = `${10 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    DATA.runs.forEach((run, index) => {
      if (!state.shown[index]) return;
      ctx.fillStyle = ctx.strokeStyle = several ? color(index) : ink("--ink");
      let last = -Infinity;
      for (const event of run.events) {
        if (event.step < scales.x.min || event.step > scales.x.max) continue;
        const x = valToPos(event.step, "x", true);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + 6 * ratio);
        ctx.stroke();
        if (x - last < 9 * ratio) continue;
        ctx.fillText(LETTERS[event.kind] ?? "•", x, bbox.top + 16 * ratio);
        last = x;
      }
    });
  }

  ringMarks({ ctx, valToPos }, ratio) {
    for (const one of this.drawn) {
      if (one.name === "threshold") continue;
      ctx.strokeStyle = ink("--ink");
      for (const step of DATA.runs[one.run].unconverged) {
        if (one.values[step] === null) continue;
        ctx.beginPath();
        ctx.arc(valToPos(step, "x", true), valToPos(one.values[step], "y", true), 4 * ratio, 0, 2 * Math.PI);
        ctx.stroke();
      }
    }
  }

  // What is under the cursor, in words.
  read() {
    const step = this.uplot?.cursor.idx;
    if (step === null || step === undefined) { this.readout.textContent = this.idle(); return; }
    const shown = this.drawn.filter((one) => one.values[step] !== null && one.values[step] !== undefined);
    const part = (one) => `${several ? `${DATA.runs[one.run].label} ` : ""}${one.name} ${short(one.values[step])}`;
    const events = this.events ? DATA.runs.flatMap((run, index) => state.shown[index]
      ? run.events.filter((event) => event.step === step).map((event) => event.text) : []) : [];
    const phase = !several ? phaseAt(0, step) : "";
    const parts = [`step ${step}${phase ? ` (${phase})` : ""}`, ...shown.slice(0, 16).map(part)];
    if (shown.length > 16) parts.push(`and ${shown.length - 16} more`);
    this.readout.textContent = parts.concat(events).join("  ·  ");
  }

  idle() {
    const { length } = this.drawn ?? [];
    return length === 0 ? "Nothing is chosen." : state.smoothing > 1 ? `Smoothed over ${state.smoothing} measured rows; the thin lines are what was measured.` : "";
  }

  setLog(on) { this.log = on; this.draw(); }

  key(event) {
    const { uplot } = this;
    if (!uplot || event.ctrlKey || event.metaKey || event.altKey) return;
    const { min, max } = uplot.scales.x;
    const at = Math.min(max, Math.max(min, uplot.cursor.idx ?? Math.round((min + max) / 2)));
    const width = max - min;
    const done = {
      ArrowLeft: () => event.shiftKey ? setRange({ min: min - width / 4, max: max - width / 4 }) : this.moveTo(at - 1),
      ArrowRight: () => event.shiftKey ? setRange({ min: min + width / 4, max: max + width / 4 }) : this.moveTo(at + 1),
      "+": () => setRange({ min: at - (at - min) / 2, max: at + (max - at) / 2 }),
      "=": () => setRange({ min: at - (at - min) / 2, max: at + (max - at) / 2 }),
      "-": () => setRange({ min: at - (at - min) * 2, max: at + (max - at) * 2 }),
      0: () => setRange(null),
      l: () => this.setLog(!this.log),
      L: () => this.setLog(!this.log),
    }[event.key];
    if (!done) return;
    event.preventDefault();
    this.readout.setAttribute("aria-live", "polite");
    done();
  }

  moveTo(step) {
    const within = Math.min(longest - 1, Math.max(0, step));
    const left = this.uplot.valToPos(within, "x");
    this.uplot.setCursor({ left, top: this.uplot.bbox.height / devicePixelRatio / 2 });
  }
}

const LETTERS = {
  edge_entered: "E", edge_left: "e", realized_edge_entered: "Z", realized_edge_left: "z", edge_forecast: "F", spike_warning: "W", loss_spike: "S", catapult: "C", plateau: "P",
  saddle: "X", minimum_suspected: "M", curvature_unconverged: "U", precision_suspect: "R", curvature_repaired: "A",
  action_taken: "T", curvature_non_finite: "N", divergence: "D",
};

function lineSample({ stroke, dash }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "28");
  svg.setAttribute("height", "10");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const attributes = { x1: 0, x2: 28, y1: 5, y2: 5, stroke, "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") };
  Object.entries(attributes).forEach(([name, value]) => line.setAttribute(name, value));
  svg.append(line);
  return svg;
}

// Makes the charts that there is something for, and the columns of those that are there.
function arrange() {
  for (const panel of panels()) {
    const chart = charts.find((chart) => chart.title === panel.title);
    if (chart) chart.add(panel.columns);
    else watcher.observe(new Chart(panel).root);
  }
}

let settingRange = false;

function withoutSharing(change) {
  settingRange = true;
  try { change(); } finally { setTimeout(() => { settingRange = false; }, 0); }
}

const wholeRange = () => ({ min: 0, max: Math.max(1, longest - 1) });

// Shows these steps in all charts; all steps for null.
function setRange(range) {
  const whole = wholeRange();
  const wanted = range ?? whole;
  const width = Math.min(Math.max(wanted.max - wanted.min, 2), whole.max - whole.min || 1);
  const min = Math.min(Math.max(wanted.min, whole.min), Math.max(whole.min, whole.max - width));
  state.range = range ? { min, max: min + width } : null;
  withoutSharing(() => charts.forEach((chart) => chart.uplot?.setScale("x", state.range ?? whole)));
}

// One was zoomed by the mouse: so are the others.
function shareRange(from, plot) {
  const { min, max } = plot.scales.x;
  if (min === null || max === null) return;
  const whole = min <= 0 && max >= longest - 1;
  state.range = whole ? null : { min, max };
  withoutSharing(() => charts.filter((chart) => chart !== from).forEach((chart) => chart.uplot?.setScale("x", { min, max })));
}

const drawAll = () => charts.forEach((chart) => chart.draw());

// A chart is drawn when it comes into view.
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const chart = charts.find((chart) => chart.root === target);
    if (isIntersecting && !chart.visible) { chart.visible = true; chart.draw(); }
  }
}, { rootMargin: "200px" });
