// The response body, in the ways that all languages have.

import { BINARY, PLAIN, text } from "./call.js";

const ONE_PIECE = 1024 * 1024;
const CHUNK = 64 * 1024;
const EACH = Uint8Array.from({ length: 256 }, (_, at) => at);

const filled = (length, char) => new Uint8Array(length).fill(char.charCodeAt(0));

// One write; a refusal is logged.
function writeLogged(call, write, chunk) {
  const refused = call.refusal(() => write(chunk));
  if (refused) call.log(`write: ${refused}`);
}

// Writes `chunk` after `chunk`, until that is refused or `size` bytes are written.
function writeAll(call, write, chunk, size) {
  for (let done = 0; done < size; ) {
    const piece = chunk.subarray(0, Math.min(chunk.length, size - done));
    const refused = call.refusal(() => write(piece));
    if (refused) {
      call.log(`write: ${refused} after ${done} bytes`);
      return;
    }
    done += piece.length;
  }
  call.log(`wrote ${size} bytes`);
}

function written(call) {
  const write = call.start("200 OK", PLAIN);
  const chunk = filled(Math.max(call.query.number("chunk", CHUNK), 1), "w");
  writeAll(call, write, chunk, call.query.number("size", 5));
  return "";
}

function writtenThenReturned(call) {
  call.start("200 OK", PLAIN)("written,");
  return "returned";
}

function writers(call) {
  const first = call.start("200 OK", PLAIN);
  const second = call.start("200 OK", PLAIN, new Error("a second writer"));
  first("a");
  second("b");
  first("c");
  return "d";
}

function binary(call) {
  const bytes = new Uint8Array(call.query.number("size", 256));
  for (let at = 0; at < bytes.length; at += 256) bytes.set(EACH.subarray(0, bytes.length - at), at);
  const write = call.start("200 OK", BINARY);
  if (bytes.length <= ONE_PIECE) return bytes;
  for (let at = 0; at < bytes.length; at += CHUNK) write(bytes.subarray(at, at + CHUNK));
  return "";
}

function contentLength(call) {
  const write = call.start("200 OK", [...PLAIN, ["Content-Length", call.query.text("set", "5")]]);
  const bytes = filled(call.query.number("send", 5), "c");
  const via = call.query.text("via", "return");
  if (via === "return") return bytes;
  const half = via === "both" ? Math.floor(bytes.length / 2) : bytes.length;
  writeLogged(call, write, bytes.subarray(0, half));
  return bytes.subarray(half);
}

function contentLengthInChunks(call) {
  const write = call.start("200 OK", [...PLAIN, ["Content-Length", call.query.text("set", "5")]]);
  writeAll(call, write, filled(Math.max(call.query.number("chunk", 1), 1), "c"), Infinity);
  return "";
}

function noBody(call) {
  const status = call.query.number("status", 204) === 304 ? "304 Not Modified" : "204 No Content";
  const write = call.start(status, [["X-Path", "no-body"]]);
  const bytes = filled(call.query.number("send", 0), "n");
  if (call.query.text("via", "return") !== "write") return bytes;
  writeLogged(call, write, bytes);
  return "";
}

function gate(call) {
  const write = call.start("200 OK", PLAIN);
  write("first\n");
  call.input.read(1);
  write("second\n");
  call.input.read();
  return "last\n";
}

export const body = {
  "/return": (call) => text(call, filled(call.query.number("size", 5), "r")),
  "/write": written,
  "/write-then-return": writtenThenReturned,
  "/writers": writers,
  "/binary": binary,
  "/content-length": contentLength,
  "/content-length/chunks": contentLengthInChunks,
  "/no-body": noBody,
  "/gate/input": gate,
};
