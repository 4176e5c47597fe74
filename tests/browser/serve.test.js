// The page as it is served: it follows runs as they grow, and answers nobody else.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { program, root, sharpscope, table } from "./runs.js";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const golden = (name) => join(root, "tests/goldens", name);
const lines = (name) => readFileSync(join(golden(name), "steps.csv"), "utf8").split(/(?<=\n)/);

let folder, browser;
const servers = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sharpscope-serve-"));
  browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
});

after(async () => {
  await browser?.close();
  servers.forEach((server) => server.kill("SIGKILL"));
  if (folder) rmSync(folder, { recursive: true });
});

// A server of a page about these runs, and where it is.
async function serve(...runs) {
  const server = spawn(program, ["report", ...runs, "--serve"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  servers.push(server);
  const address = await new Promise((resolve, reject) => {
    let said = "";
    server.stdout.on("data", (text) => { said += text; const found = said.match(/http:\/\/(\S+)\//); if (found) resolve(found[1]); });
    server.on("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
  const end = (signal) => new Promise((resolve) => { server.removeAllListeners("exit"); server.on("exit", resolve); server.kill(signal); });
  return { address, port: Number(address.split(":")[1]), url: `http://${address}/`, end };
}

// A run under way, of the first `count` rows of a golden one.
function underWay(name, count, from = "gd") {
  const run = join(folder, name);
  mkdirSync(run, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(golden(from), "manifest.json"), "utf8"));
  writeFileSync(join(run, "manifest.json"), JSON.stringify({ ...manifest, exit_code: null, finished: null }));
  writeFileSync(join(run, "steps.csv"), lines(from).slice(0, count + 1).join(""));
  return run;
}

async function open(url) {
  const page = await browser.newPage();
  const complaints = [], host = new URL(url).host;
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => { if (new URL(request.url()).host !== host) complaints.push(request.url()); });
  await page.setViewport({ width: 1200, height: 900 });
  await page.goto(url);
  await page.waitForFunction(() => byId("following").textContent !== "");
  page.done = async () => { assert.deepEqual(complaints, []); await page.close(); };
  return page;
}

const steps = (page, run = 0) => page.evaluate((run) => DATA.runs[run].steps, run);
const until = (page, holds, ...values) => page.waitForFunction(holds, { timeout: 20_000 }, ...values);

// An answer: its code and its text.
const ask = ({ port }, path, { headers = {}, method = "GET" } = {}) => new Promise((resolve, reject) => {
  const request = http.request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
    let text = "";
    answer.on("data", (part) => { text += part; });
    answer.on("end", () => resolve({ code: answer.statusCode, text, headers: answer.headers }));
  });
  request.on("error", reject);
  request.end();
});

test("a run that grows: rows and events come, and the zoom stays", async () => {
  const run = underWay("grows", 8), all = lines("gd");
  const server = await serve(run);
  const page = await open(server.url);
  await page.evaluate(() => { window.unchanged = true; });
  assert.equal(await steps(page), 8);
  await page.evaluate(() => setRange({ min: 2, max: 5 }));
  appendFileSync(join(run, "steps.csv"), all.slice(9, 12).join("") + all[12].slice(0, 20));
  await until(page, () => DATA.runs[0].steps === 11);
  appendFileSync(join(run, "steps.csv"), all[12].slice(20));
  appendFileSync(join(run, "events.jsonl"), `${JSON.stringify({ step: 9, kind: "plateau", train_loss: 1, relative_change: 0, rows: 3 })}\n`);
  await until(page, () => DATA.runs[0].steps === 12 && DATA.runs[0].events.length === 1);
  const range = await page.evaluate(() => [charts[0].uplot.scales.x.min, charts[0].uplot.scales.x.max]);
  assert.deepEqual(range, [2, 5]);
  const drawn = await page.evaluate(() => charts[0].uplot.data[1]);
  const loss = table(run).train_loss;
  assert.equal(drawn.length, 12);
  loss.forEach((x, at) => assert.ok(Math.abs(drawn[at] - x) <= 1e-6 * x, `loss at ${at}`));
  assert.match(await page.$eval("#event-rows", (rows) => rows.textContent), /the loss stands still/);
  await page.evaluate(() => setRange(null));
  appendFileSync(join(run, "steps.csv"), all.slice(13, 15).join(""));
  await until(page, () => charts[0].uplot.scales.x.max === 13);
  // At its end the tables are those of a run that has ended, on the same page.
  cpSync(join(golden("gd"), "summary.json"), join(run, "summary.json"));
  cpSync(join(golden("gd"), "manifest.json"), join(run, "manifest.json"));
  await until(page, () => DATA.runs[0].ended && document.querySelector("#runs td").textContent === "completed");
  assert.equal(await page.evaluate(() => window.unchanged), true);
  await page.done();
  assert.equal(await server.end("SIGINT"), 0);
});

test("a column, a run of a comparison and a run begun anew", async () => {
  const comparison = join(folder, "c");
  mkdirSync(comparison);
  const manifest = JSON.parse(readFileSync(join(golden("comparison"), "comparison.json"), "utf8"));
  writeFileSync(join(comparison, "comparison.json"), JSON.stringify({ ...manifest, finished: null, exit_code: null }));
  const server = await serve("c");
  const page = await open(server.url);
  assert.equal(await page.evaluate(() => DATA.runs.length), 0);
  const [first, second] = manifest.members.map((member) => member.folder);
  underWay(join("c", first), 4);
  await until(page, () => DATA.runs.length === 1 && charts.length > 3);
  await page.evaluate(() => { setRange({ min: 1, max: 3 }); document.querySelector("[data-run='0']").click(); });
  underWay(join("c", second), 5, "adam");
  await until(page, () => DATA.runs.length === 2);
  assert.deepEqual(await page.evaluate(() => [state.shown, state.range, several]), [[false, true], { min: 1, max: 3 }, true]);
  assert.ok(await page.evaluate(() => charts.some((chart) => chart.columns.includes("preconditioned_sharpness"))));
  writeFileSync(join(comparison, first, "steps.csv"), lines("gd").slice(0, 3).join(""));
  await until(page, () => DATA.runs[0].steps === 2);
  await page.done();
  assert.equal(await server.end("SIGINT"), 0);
});

test("other hosts, other paths and other methods are refused", async () => {
  const server = await serve(underWay("refuses", 3));
  for (const host of ["127.0.0.1", `localhost:${server.port}`, "[::1]:80"]) {
    assert.equal((await ask(server, "/", { headers: { host } })).code, 200, host);
  }
  for (const host of ["evil.example", `evil.example:${server.port}`, "192.168.0.1", "127.0.0.1.evil.example"]) {
    const answer = await ask(server, "/", { headers: { host } });
    assert.equal(answer.code, 403, host);
    assert.ok(!answer.text.includes("train_loss"));
  }
  for (const path of ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/steps.csv", "//etc/passwd", "/..", "/refuses/manifest.json", "/growth/"]) {
    assert.equal((await ask(server, path)).code, 404, path);
  }
  assert.equal((await ask(server, "/growth")).code, 400);
  assert.equal((await ask(server, "/growth?held=x")).code, 400);
  assert.equal((await ask(server, "/", { method: "POST" })).code, 405);
  const head = await ask(server, "/", { method: "HEAD" });
  assert.deepEqual([head.code, head.text], [200, ""]);
  assert.equal(head.headers["x-content-type-options"], "nosniff");
  // The file on disk asks nobody.
  sharpscope(folder, "report", "refuses", "--out", "file.html");
  const file = readFileSync(join(folder, "file.html"), "utf8");
  assert.ok(!file.includes("connect-src") && !file.includes("EventSource"));
  assert.equal(await server.end("SIGTERM"), 0);
});

test("clients that never read do not keep others from the page", async () => {
  const run = underWay("held", 5);
  const server = await serve(run);
  const lazy = Array.from({ length: 40 }, (_, at) => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(`GET ${at % 2 ? "/" : "/growth?held=0:0:0:0"} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return socket;
  });
  const memory = () => Number(readFileSync(`/proc/${servers.at(-1).pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;
  const began = performance.now();
  for (let i = 0; i < 20; i += 1) assert.equal((await ask(server, "/")).code, 200);
  assert.ok(performance.now() - began < 10_000, `${performance.now() - began} ms`);
  const before = process.platform === "linux" ? memory() : 0;
  const all = lines("gd");
  for (let at = 6; at < 12; at += 1) {
    appendFileSync(join(run, "steps.csv"), all[at]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (process.platform === "linux") assert.ok(memory() - before < 50, `${memory() - before} MB more`);
  const page = await open(server.url);
  await until(page, () => DATA.runs[0].steps === 11);
  await page.done();
  lazy.forEach((socket) => socket.destroy());
  assert.equal(await server.end("SIGINT"), 0);
});
