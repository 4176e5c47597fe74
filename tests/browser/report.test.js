// The report page in headless Chromium. Pictures of it are left in target/report-pictures.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { many, root, sharpscope, stored, table } from "./runs.js";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const pictures = join(root, "target/report-pictures");

let folder, browser;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sharpscope-page-"));
  mkdirSync(pictures, { recursive: true });
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-device-scale-factor=1"];
  browser = await puppeteer.launch({ executablePath: CHROMIUM, args });
  const run = (...flags) => sharpscope(folder, "run", "--backend", "cpu", "--quiet", "--model", "linear", "--train-size", "60",
    "--validation-size", "40", ...flags);
  run("--steps", "80", "--lr", "0.1", "--top", "3", "--spectrum-every", "40", "--probes", "2", "--iterations", "10", "--out", "a", "--name", "first");
  run("--steps", "60", "--lr", "0.05", "--every", "5", "--out", "b", "--name", "second");
  sharpscope(folder, "spectrum", "a", "--layers", "--probes", "2", "--iterations", "10", "--force");
});

after(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true });
});

// A page about these runs, opened. Whatever it says to the console, and whatever it asks of a network, fails the test.
async function open(name, runs, { width = 1200, height = 900, dark = false } = {}) {
  const out = join(folder, `${name}.html`);
  sharpscope(folder, "report", ...runs, "--out", out, "--force");
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => { if (!/^(file|data):/.test(request.url())) complaints.push(request.url()); });
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await page.goto(pathToFileURL(out).href);
  await settle(page);
  page.done = async () => { assert.deepEqual(complaints, []); await page.close(); };
  page.file = out;
  return page;
}

const settle = (page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 150)));
const drawEverything = (page) => page.evaluate(() => { charts.forEach((chart) => { chart.visible = true; chart.draw(); }); });

// What a chart of that title draws: per series its run, its column and its values.
const drawn = (page, title) => page.evaluate((title) => {
  const chart = charts.find((chart) => chart.title.startsWith(title));
  return chart.drawn.map((one, at) => ({ run: one.run, name: one.name, values: chart.uplot.data[at + 1] }));
}, title);

const readout = (page, title) => page.evaluate((title) => charts.find((chart) => chart.title.startsWith(title)).readout.textContent, title);

function close(found, wanted, what) {
  wanted.forEach((x, at) => {
    if (x === null) assert.equal(found[at], null, `${what} at ${at}`);
    else assert.ok(Math.abs(found[at] - x) <= 1e-6 * Math.abs(x), `${what} at ${at}: ${found[at]} for ${x}`);
  });
}

test("charts hold the runs' numbers", async () => {
  const page = await open("numbers", ["a", "b"]);
  await drawEverything(page);
  const tables = [table(join(folder, "a")), table(join(folder, "b"))];
  const titles = await page.evaluate(() => charts.map((chart) => chart.title));
  const seen = new Set();
  for (const title of titles) {
    for (const { run, name, values } of await drawn(page, title)) {
      close(values, tables[run][name], `${title}: ${name} of run ${run}`);
      seen.add(name);
      // The other run is longer.
      if (run === 1) assert.equal(values[tables[1].step.length], null);
    }
  }
  for (const name of ["train_loss", "val_loss", "sharpness", "threshold", "edge_ratio", "lambda_1", "lambda_3", "grad_norm", "residual", "hvps"]) {
    assert.ok(seen.has(name), name);
  }
  await page.done();
});

test("a run, a column and an axis can be switched", async () => {
  const page = await open("switches", ["a", "b"]);
  assert.deepEqual([...new Set((await drawn(page, "Loss")).map((one) => one.run))], [0, 1]);
  await page.click("[data-run='1']");
  assert.deepEqual([...new Set((await drawn(page, "Loss")).map((one) => one.run))], [0]);
  assert.ok(await page.$$eval("#event-rows tr", (rows) => rows.every((row) => row.cells[1].textContent === "first")));
  await page.click("#no-runs");
  assert.deepEqual(await drawn(page, "Loss"), []);
  assert.equal(await readout(page, "Loss"), "Nothing is chosen.");
  await page.click("#all-runs");
  await page.click("#chart-0 ~ p, [data-column='val_loss']");
  await page.evaluate(() => document.querySelector("[data-column='val_loss']").click());
  const names = new Set((await drawn(page, "Loss")).map((one) => one.name));
  assert.ok(names.has("train_loss"));
  const logarithmic = () => page.evaluate(() => charts[0].uplot.scales.y.distr);
  assert.equal(await logarithmic(), 3);
  await page.click(".panel button");
  assert.equal(await logarithmic(), 1);
  await page.done();
});

test("mouse: values under the cursor, zoom that all charts follow, and back", async () => {
  const page = await open("mouse", ["a"]);
  const plot = await page.$("#chart-0 .u-over");
  const { x, y, width, height } = await plot.boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  const text = await readout(page, "Loss");
  const step = Number(text.match(/^step (\d+)/)[1]);
  const loss = table(join(folder, "a")).train_loss[step];
  assert.ok(text.includes(`train_loss ${Number(loss.toPrecision(5))}`), `${text} for ${loss}`);
  await page.mouse.move(x + width / 4, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 2, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await settle(page);
  const ranges = () => page.evaluate(() => charts.filter((chart) => chart.uplot).map((chart) => [chart.uplot.scales.x.min, chart.uplot.scales.x.max]));
  for (const [min, max] of await ranges()) {
    assert.ok(Math.abs(min - 19.75) < 2 && Math.abs(max - 39.5) < 2, `${min} to ${max}`);
  }
  await page.keyboard.down("Shift");
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 4, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await settle(page);
  for (const [min, max] of await ranges()) assert.ok(Math.abs(min - 24.7) < 2 && Math.abs(max - 44.4) < 2, `${min} to ${max}`);
  await page.mouse.click(x + width / 2, y + height / 2, { count: 2 });
  await settle(page);
  for (const range of await ranges()) assert.deepEqual(range, [0, 79]);
  await page.done();
});

test("keyboard: the cursor, zoom, moving and the axis", async () => {
  const page = await open("keyboard", ["a"]);
  await page.focus("#chart-1");
  await page.keyboard.press("ArrowRight");
  const at = async () => Number((await readout(page, "Sharpness")).match(/^step (\d+)/)[1]);
  const from = await at();
  await page.keyboard.press("ArrowRight");
  assert.equal(await at(), from + 1);
  await page.keyboard.press("+");
  await settle(page);
  const width = () => page.evaluate(() => charts[1].uplot.scales.x.max - charts[1].uplot.scales.x.min);
  assert.ok(Math.abs(await width() - 39.5) < 1e-6, `${await width()}`);
  const left = () => page.evaluate(() => charts[1].uplot.scales.x.min);
  const before = await left();
  await page.keyboard.down("Shift");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.up("Shift");
  await settle(page);
  assert.ok(await left() < before);
  await page.keyboard.press("0");
  await settle(page);
  assert.equal(await width(), 79);
  await page.keyboard.press("l");
  assert.equal(await page.evaluate(() => charts[1].uplot.scales.y.distr), 3);
  await page.done();
});

test("smoothing is said, and what was measured stays", async () => {
  const page = await open("smooth", ["a"]);
  await page.select("#smoothing", "5");
  const { raw, smoothed } = await page.evaluate(() => ({ raw: charts[0].uplot.data[1], smoothed: charts[0].uplot.data[1 + charts[0].drawn.length] }));
  const loss = table(join(folder, "a")).train_loss;
  close(raw, loss, "raw");
  const mean = loss.slice(8, 13).reduce((sum, x) => sum + x, 0) / 5;
  assert.ok(Math.abs(smoothed[10] - mean) < 1e-6 * mean);
  assert.match(await page.$eval("#smoothed", (note) => note.textContent), /means of 5 measured rows/);
  await page.done();
});

test("spectra are scrubbed through, with their layers", async () => {
  const page = await open("spectra", ["a"]);
  const step = () => page.$eval("#spectrum-step", (output) => Number(output.textContent));
  assert.equal(await step(), 0);
  await page.focus("#spectrum-index");
  await page.keyboard.press("ArrowRight");
  assert.equal(await step(), 40);
  const shown = await page.evaluate(() => spectrumPlot.data[0].length);
  const lines = readFileSync(join(folder, "a/spectra/step-40.csv"), "utf8").trim().split("\n").slice(1);
  assert.equal(shown, lines.filter((line) => line.split(",")[1] !== "").length);
  await page.keyboard.press("End");
  assert.ok(await page.$$eval("#spectrum-layers tbody tr", (rows) => rows.length) > 0);
  await page.done();
});

test("accessible in light and dark, wide and on a phone", async () => {
  for (const [name, options] of [["light", {}], ["dark", { dark: true }], ["phone", { width: 390, height: 800 }]]) {
    const page = await open(name, ["a", "b"], options);
    await drawEverything(page);
    await page.evaluate((source) => { const script = document.createElement("script"); script.textContent = source; document.head.append(script); }, AXE);
    const { violations } = await page.evaluate(() => axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), [], name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= (options.width ?? 1200), `${name} is ${wide} wide`);
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
    await page.done();
  }
  const page = await open("print", ["a", "b"]);
  await page.pdf({ path: join(pictures, "print.pdf"), format: "A4" });
  assert.ok(statSync(join(pictures, "print.pdf")).size > 20_000);
  await page.done();
});

test("fifty runs of 2000 steps open within 3 seconds", async () => {
  const runs = many(folder, 50, 2000);
  const page = await open("many", runs);
  const size = statSync(page.file).size;
  assert.ok(size < 30e6, `${size} bytes`);
  // Until the page is there, and then until the first charts are drawn.
  const { loaded, drawn } = await page.evaluate(async () => {
    const began = performance.now();
    byId("charts").scrollIntoView();
    while (!charts[0].drawn) await new Promise(requestAnimationFrame);
    return { loaded: performance.getEntriesByType("navigation")[0].loadEventEnd, drawn: performance.now() - began };
  });
  console.log(`50 runs of 2000 steps: ${(size / 1e6).toFixed(1)} MB, open in ${loaded.toFixed(0)} ms, charts in ${drawn.toFixed(0)} ms more`);
  assert.ok(loaded + drawn < 3000, `${loaded} and ${drawn} ms`);
  assert.ok(await page.evaluate(() => charts[0].drawn.length >= 50));
  await page.done();
});

test("short, torn, diverged and oddly named runs", async () => {
  const names = ["</script><script>alert(1)</script>", `"quoted" & 'so'`, "κόσμε 🚀", "<!--"];
  const runs = names.map((name, at) => stored(folder, "gd", `odd-${at}`, { name }));
  runs.push(stored(folder, "diverged", "diverged"));
  runs.push(stored(folder, "adam", "torn", { name: "torn", lines: (text) => text.slice(0, -20) }));
  runs.push(stored(folder, "sam", "single", { name: "single", lines: (text) => text.split("\n").slice(0, 2).join("\n") + "\n" }));
  const page = await open("odd", runs);
  await drawEverything(page);
  const labels = await page.$$eval("label.run", (labels) => labels.map((label) => label.textContent.trim()));
  names.forEach((name, at) => assert.equal(labels[at], name));
  assert.ok((await drawn(page, "Loss")).length >= runs.length);
  await page.done();
  const alone = await open("alone", [runs.at(-1)]);
  assert.equal((await drawn(alone, "Loss"))[0].values.length, 1);
  await alone.done();
});
