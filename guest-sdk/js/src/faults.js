// Errors as text for the log, with the author's own files and lines.

import { writeErrors } from "./gateway.js";

// The source map of the bundle, which the build gives.
let map = { sources: [], mappings: "" };
let lines;

export function setMap(given) {
  map = given;
}

// One or more lines in the application's log.
export function log(text) {
  writeErrors(`${text}\n`);
}

// An error with its stack, from where it was thrown to where the application was entered.
export function traceOf(error) {
  try {
    const frames = String(error?.stack ?? "").split("\n").map(frame).filter((line) => line !== null);
    const cause = error?.cause === undefined ? "" : `\ncaused by: ${traceOf(error.cause)}`;
    return [told(error), ...frames].join("\n") + cause;
  } catch (second) {
    // A getter of its own that fails, or no memory left.
    return `an error whose text cannot be had: ${typeof second}`;
  }
}

function told(error) {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return `thrown: ${typeof error === "object" ? JSON.stringify(error) : String(error)}`;
}

// A line of the engine, `name@file:line:column`, as it is known to the author; none for frames of this package.
function frame(line) {
  const found = /^(.*)@(.*):(\d+):(\d+)$/.exec(line);
  if (!found) return null;
  const [, name, file, number, column] = found;
  if (file.startsWith("wasgi/") || file === "entry.js" || file.endsWith("/initializer.js")) return null;
  const place = file === "app.js" ? original(Number(number), column) : `${file}:${number}:${column}`;
  return `    at ${name.replace(/^async\*/, "async ") || "(anonymous)"} (${place})`;
}

function original(number, column) {
  lines ??= decoded(map.mappings);
  const [source, line] = lines[number - 1] ?? [];
  return map.sources[source] === undefined ? `app.js:${number}:${column}` : `${map.sources[source]}:${line + 1}`;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The source and line of each line, from the base-64 VLQ of a source map (ECMA-426): the bundler keeps lines together.
function decoded(mappings) {
  let [source, line] = [0, 0];
  return mappings.split(";").map((row) => {
    let first;
    for (const segment of row.split(",")) {
      const [, bySource, byLine] = numbers(segment);
      if (bySource === undefined) continue;
      source += bySource;
      line += byLine;
      first ??= [source, line];
    }
    return first;
  });
}

function numbers(segment) {
  const found = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return found;
}
