// Runs for the page: made by the program, or written out here where a run of that kind takes long.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "../..");
export const program = join(root, "target/release/sharpscope");
const golden = join(root, "tests/goldens");

export const sharpscope = (folder, ...args) => execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: "pipe" });

// The table of a run, by column.
export function table(run) {
  const [head, ...lines] = readFileSync(join(run, "steps.csv"), "utf8").trim().split("\n").map((line) => line.split(","));
  const cell = (text) => text === "" ? null : Number(text);
  return Object.fromEntries(head.map((name, at) => [name, lines.map((line) => cell(line[at]))]));
}

// A stored run under another name; its manifest and table may be edited.
export function stored(folder, from, as, { name, lines } = {}) {
  const to = join(folder, as);
  cpSync(join(golden, from), to, { recursive: true });
  if (name !== undefined) {
    const path = join(to, "manifest.json");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    manifest.config.name = name;
    writeFileSync(path, JSON.stringify(manifest));
  }
  if (lines !== undefined) {
    const path = join(to, "steps.csv");
    writeFileSync(path, lines(readFileSync(path, "utf8")));
  }
  return to;
}

// `count` runs of `steps` rows, each like the golden one with its numbers drifting.
export function many(folder, count, steps) {
  const [head, first] = readFileSync(join(golden, "gd/steps.csv"), "utf8").split("\n");
  const names = head.split(","), cells = first.split(",");
  const row = (run, step) => cells.map((cell, at) => {
    if (names[at] === "step") return step;
    const x = Number(cell);
    return cell === "" || Number.isNaN(x) || ["lr", "hvps"].includes(names[at]) ? cell : x * (1 + 0.1 * Math.sin(step / 50 + run)) + 1e-3 * run;
  }).join(",");
  return Array.from({ length: count }, (_, run) => {
    const to = join(folder, `many-${run}`);
    mkdirSync(to);
    cpSync(join(golden, "gd/manifest.json"), join(to, "manifest.json"));
    writeFileSync(join(to, "steps.csv"), [head, ...Array.from({ length: steps }, (_, step) => row(run, step))].join("\n") + "\n");
    writeFileSync(join(to, "events.jsonl"), "");
    return to;
  });
}
