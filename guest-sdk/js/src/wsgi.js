// The server side of `application(environ, startResponse)`: PEP 3333 in JavaScript.

import { aOr, chunkOf, joined } from "./body.js";
import { NOTHING, ONE_PIECE } from "./exchange.js";
import { StartResponseError, WriteError } from "./errors.js";
import { log } from "./faults.js";
import { writeErrors } from "./gateway.js";

// Answers one request by `application`.
export async function serveApplication(application, exchange) {
  const startResponse = (status, headers, error) => {
    if (typeof status !== "string") throw new StartResponseError("bad-status", `the status is ${aOr(status)}: give a string such as "200 OK"`);
    if (!Array.isArray(headers)) throw new StartResponseError("bad-header", `the headers are ${aOr(headers)}: give an array of [name, value]`);
    for (const header of headers) {
      if (!Array.isArray(header) || header.length !== 2 || header.some((text) => typeof text !== "string")) {
        throw new StartResponseError("bad-header", `the header ${JSON.stringify(header)} is not [name, value] of two strings`);
      }
    }
    if (error !== undefined && exchange.sent > 0) throw error;
    exchange.start(status, headers, error ?? undefined);
    return (chunk) => exchange.write(chunkOf(chunk));
  };
  return bodyOf(await application(environOf(exchange), startResponse), exchange);
}

// The variables, and the objects that the server adds: the application's to change.
function environOf(exchange) {
  const environ = Object.fromEntries(exchange.variables());
  for (const name of ["multithread", "multiprocess", "run_once", "input_terminated"]) {
    environ[`wsgi.${name}`] = environ[`wsgi.${name}`] === "true";
  }
  environ["wsgi.version"] = [1, 0];
  environ["wsgi.input"] = new Input(exchange);
  environ["wsgi.errors"] = { write: (text) => writeErrors(String(text)), flush: () => {} };
  return environ;
}

// `wsgi.input`: the request body.
class Input {
  #exchange;
  #rest = new Uint8Array();
  #ended = false;

  constructor(exchange) {
    this.#exchange = exchange;
  }

  // `size` bytes, fewer only at the end; all that is left if `size` is absent.
  read(size = Infinity) {
    const pieces = [];
    for (let left = size; left > 0; ) {
      const piece = this.read1(left);
      if (piece.length === 0) break;
      pieces.push(piece);
      left -= piece.length;
    }
    return joined(pieces);
  }

  // At most `size` bytes, what the host has at hand; waits only if that is nothing.
  read1(size = 64 * 1024) {
    if (size <= 0) return new Uint8Array();
    if (this.#rest.length === 0) this.#fill(size);
    const piece = this.#rest.slice(0, Math.min(size, this.#rest.length));
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  // Up to and with the next newline; nothing at the end.
  readline() {
    const pieces = [];
    while (this.#rest.length > 0 || this.#fill()) {
      const at = this.#rest.indexOf(10);
      const piece = this.#rest.slice(0, at < 0 ? this.#rest.length : at + 1);
      this.#rest = this.#rest.subarray(piece.length);
      pieces.push(piece);
      if (at >= 0) break;
    }
    return joined(pieces);
  }

  readlines() {
    return [...this];
  }

  *[Symbol.iterator]() {
    for (let line = this.readline(); line.length > 0; line = this.readline()) yield line;
  }

  #fill(size = 64 * 1024) {
    if (!this.#ended) {
      this.#rest = this.#exchange.read(Math.min(size, 64 * 1024));
      this.#ended = this.#rest.length === 0;
    }
    return !this.#ended;
  }
}

async function bodyOf(result, exchange) {
  if (exchange.bodiless) {
    await result?.return?.();
    return NOTHING;
  }
  if (result === null || result === undefined) return NOTHING;
  if (typeof result === "string" || ArrayBuffer.isView(result) || result instanceof ArrayBuffer) return returned([result], exchange);
  if (Array.isArray(result)) return returned(result, exchange);
  const iterator = iteratorOf(result);
  let next;
  try {
    for (next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (!sendItem(chunkOf(next.value), exchange)) break;
    }
  } finally {
    // As a `for await` would: what it holds open is closed on every way out.
    if (!next?.done) await iterator.return?.();
  }
  return NOTHING;
}

function returned(items, exchange) {
  const chunks = items.map(chunkOf);
  if (chunks.reduce((length, chunk) => length + chunk.length, 0) <= ONE_PIECE) return { tag: "bytes", val: joined(chunks) };
  for (const chunk of chunks) if (!sendItem(chunk, exchange)) break;
  return NOTHING;
}

// Sends a piece of the body; false if no more of it is wanted: what passes the Content-Length is cut there.
function sendItem(chunk, exchange) {
  if (!exchange.called) {
    log("the application gave a body without calling startResponse: call it first");
    return false;
  }
  try {
    exchange.write(chunk);
    return true;
  } catch (error) {
    if (!(error instanceof WriteError)) throw error;
    const left = (exchange.contentLength ?? 0) - exchange.sent;
    if (left > 0) exchange.write(chunk.subarray(0, left));
    log(`the rest of the body is dropped: ${error.message}`);
    return false;
  }
}

function iteratorOf(result) {
  if (result instanceof ReadableStream) {
    const reader = result.getReader();
    return { next: () => reader.read(), return: (reason) => reader.cancel(reason) };
  }
  const make = result[Symbol.asyncIterator] ?? result[Symbol.iterator];
  if (typeof make !== "function") {
    throw new TypeError(`the application returned ${aOr(result)}: return bytes, a string, or an iterable of these`);
  }
  return make.call(result);
}
