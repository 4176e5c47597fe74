// The spectra of the runs: one at a time, by step.

let families = [];

// Sorts them by what they are of, and offers what there is.
function gather() {
  const chosen = byId("spectrum-of").value;
  families = [];
  DATA.runs.forEach((run, index) => {
    for (const spectrum of run.spectra) {
      const name = several ? `${spectrum.matrix}, ${run.label}` : spectrum.matrix;
      let family = families.find((family) => family.name === name && family.run === index);
      if (!family) families.push(family = { name, run: index, spectra: [] });
      family.spectra.push(spectrum);
    }
  });
  byId("spectra").hidden = document.querySelector(".spectra-link").hidden = families.length === 0;
  byId("spectrum-of").replaceChildren(...families.map((family) => element("option", { textContent: family.name })));
  byId("spectrum-of").selectedIndex = Math.max(0, families.findIndex((family) => family.name === chosen));
}

let spectrumPlot = null;

function curveOf(spectrum) {
  spectrum.curve ??= [unpack(spectrum.eigenvalue), unpack(spectrum.density)];
  return spectrum.curve;
}

// The axes of all steps of a family, so that scrubbing compares.
function extent(family) {
  const all = family.spectra.map(curveOf);
  const xs = all.flatMap(([x]) => [x[0], x.at(-1)]);
  const thresholds = family.spectra.map((spectrum) => spectrum.threshold).filter((t) => t !== null);
  const top = Math.max(...all.map(([, y]) => Math.max(...y)));
  return { x: [Math.min(...xs), Math.max(...xs, ...thresholds) * 1.02], y: [top * 1e-6, top * 2] };
}

function drawSpectrum() {
  const family = families[byId("spectrum-of").selectedIndex];
  if (!family) return;
  const slider = byId("spectrum-index");
  slider.max = family.spectra.length - 1;
  const spectrum = family.spectra[Math.min(Number(slider.value), family.spectra.length - 1)];
  family.extent ??= extent(family);
  const [x, y] = curveOf(spectrum);
  const root = byId("spectrum-chart");
  const axis = axisStyle();
  spectrumPlot?.destroy();
  root.replaceChildren();
  spectrumPlot = new uPlot({
    width: Math.max(240, root.clientWidth), height: 320, legend: { show: false },
    scales: { x: { time: false, range: () => family.extent.x }, y: { distr: 3, range: () => family.extent.y } },
    series: [{}, { label: "density", stroke: color(0), width: 1.6, fill: `${color(0)}22`, points: { show: false } }],
    axes: [{ ...axis, size: 30, label: "eigenvalue", labelSize: 16 }, { ...axis, label: "density", labelSize: 18, size: 66 }],
    cursor: { drag: { x: false, y: false } },
    hooks: { draw: [(plot) => spectrumMarks(plot, spectrum)] },
  }, [x, y.map((v) => v > 0 ? v : null)], root);
  byId("spectrum-step").textContent = spectrum.step;
  slider.setAttribute("aria-valuetext", `step ${spectrum.step}`);
  const ends = `largest ${spectrum.largest.map(short).join(", ")}${spectrum.converged ? "" : " (not converged)"}, smallest ${short(spectrum.smallest)}`;
  const bound = spectrum.threshold === null ? "" : `; ${DATA.runs[family.run].threshold} = ${short(spectrum.threshold)}`;
  byId("spectrum-text").textContent = `Step ${spectrum.step}: ${ends}${bound}. ${spectrum.text}.`;
  layersOf(spectrum);
}

function spectrumMarks({ ctx, bbox, valToPos }, spectrum) {
  const ratio = devicePixelRatio || 1;
  const vertical = (value, dashes, from) => {
    const x = valToPos(value, "x", true);
    ctx.setLineDash(dashes.map((d) => d * ratio));
    ctx.beginPath();
    ctx.moveTo(x, from);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  };
  ctx.save();
  ctx.lineWidth = 1.5 * ratio;
  ctx.strokeStyle = color(1);
  if (spectrum.threshold !== null) vertical(spectrum.threshold, [6, 4], bbox.top);
  ctx.strokeStyle = ink("--ink");
  const low = bbox.top + bbox.height * 0.85;
  spectrum.largest.concat(spectrum.smallest ?? []).forEach((value) => vertical(value, [], low));
  ctx.restore();
}

function layersOf({ layers }) {
  const root = byId("spectrum-layers");
  root.replaceChildren();
  if (layers.length === 0) return;
  const cell = (text, number) => element("td", { textContent: text, className: number ? "number" : "" });
  const rows = layers.map((layer) => element("tr", {}, element("th", { scope: "row", textContent: layer.group }),
    cell(layer.parameters, true), cell(short(layer.lambda_max), true), cell(short(layer.residual), true), cell(short(layer.trace), true)));
  const head = ["layer", "parameters", "largest eigenvalue of its block", "residual", "trace"]
    .map((text) => element("th", { scope: "col", textContent: text }));
  root.append(element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}
