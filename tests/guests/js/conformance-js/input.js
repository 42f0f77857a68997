// `wsgi.input`.

import { BINARY, json, text } from "./call.js";

const PIECE = 64 * 1024;

// Reads to the end, piece by piece, as the host has them at hand.
function* pieces(call) {
  for (let piece = call.input.read1(PIECE); piece.length > 0; piece = call.input.read1(PIECE)) yield piece;
}

const lengthOf = (found) => [...found].reduce((total, piece) => total + piece.length, 0);

function all(call) {
  const found = [...pieces(call)];
  call.start("200 OK", BINARY);
  return found;
}

function read(call) {
  const max = call.query.number("max", 1024);
  const told = { total: 0, reads: 0, largest: 0 };
  let sum = 0xffffffff;
  for (let piece = call.input.read(max); piece.length > 0; piece = call.input.read(max)) {
    told.total += piece.length;
    told.reads += 1;
    told.largest = Math.max(told.largest, piece.length);
    sum = piece.reduce(checked, sum);
  }
  return json(call, { ...told, crc32: (~sum >>> 0).toString(16).padStart(8, "0") });
}

// CRC-32, bit by bit.
function checked(sum, byte) {
  let next = sum ^ byte;
  for (let bit = 0; bit < 8; bit += 1) next = (next >>> 1) ^ (next & 1 ? 0xedb88320 : 0);
  return next;
}

function zero(call) {
  const nothing = call.input.read(0);
  return json(call, { zero: nothing.length, total: call.input.read().length });
}

function afterEnd(call) {
  const total = lengthOf(pieces(call));
  return json(call, { total, after: [1, 2, 3].map(() => call.input.read(PIECE).length) });
}

function lines(call) {
  const found = [];
  for (let line = call.input.readline(); line.length > 0 && found.length < 1000; line = call.input.readline()) {
    found.push(line.length);
  }
  return json(call, { lines: found });
}

// The same lines, in each of the ways that there are.
const ways = {
  iteration: (input) => [...input],
  readlines: (input) => input.readlines(),
  mixed: (input) => [input.read(3), input.readline(), ...input],
};

function inWays(call) {
  const found = ways[call.query.text("by")](call.input);
  const told = found.map((line) => new TextDecoder().decode(line));
  return json(call, { lines: told, rest: call.input.read(5).length });
}

function error(call) {
  let total = 0;
  const name = call.refusal(() => {
    for (const piece of pieces(call)) total += piece.length;
  });
  call.log(`input: ${name ?? "end"} after ${total} bytes`);
  return json(call, { total, error: name });
}

function echo(call) {
  call.start("200 OK", BINARY);
  return pieces(call);
}

export const input = {
  "/input/all": all,
  "/input/read": read,
  "/input/partial": (call) => text(call, call.input.read(call.query.number("bytes", 1))),
  "/input/ignored": (call) => text(call, "ignored"),
  "/input/zero": zero,
  "/input/after-end": afterEnd,
  "/input/lines": lines,
  "/input/ways": inWays,
  "/input/error": error,
  "/input/echo": echo,
};
