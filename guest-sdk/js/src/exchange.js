// One request and its response, over the host's handles: its refusals become errors with a name and a text.

import { ClientGone, InputError, StartResponseError, WriteError } from "./errors.js";
import { log, traceOf } from "./faults.js";

// A body up to this size is returned in one piece, in bytes; a larger one is written first.
export const ONE_PIECE = 256 * 1024;

// What is asked of the host at a time, in bytes: the host copies as much as it has, at most this.
const CHUNK = 64 * 1024;

export const NOTHING = { tag: "bytes", val: new Uint8Array() };

// Bytes of one write; lowered as the host asks, for all requests of this instance.
let chunkMax = 256 * 1024;

export class Exchange {
  #environ;
  #start;
  #input = null;
  #writers = [];
  #called = false;
  #length = null;
  #onGone = [];
  sent = 0;
  // A body with 204 or 304 is dropped, as other servers do: frameworks make one where authors forget.
  bodiless = false;

  constructor(environ, start) {
    this.#environ = environ;
    this.#start = start;
  }

  variables() {
    return this.#environ.entries();
  }

  // The next bytes of the request body, none at its end.
  read(max = CHUNK) {
    return this.#told(() => {
      this.#input ??= this.#environ.input();
      return this.#input.read(BigInt(max));
    }, (kind) => new InputError(kind));
  }

  get called() {
    return this.#called;
  }

  // Sets status and headers; `error` is why an earlier head is replaced.
  start(status, headers, error) {
    if (this.#called && error === undefined) {
      throw new StartResponseError("already-called", "startResponse was called before: to replace the head, give the error");
    }
    this.#called = true;
    const text = error === undefined ? undefined : traceOf(error);
    let writer;
    try {
      writer = this.#start.call(status, headers, text);
    } catch (refusal) {
      const { tag, val } = payload(refusal);
      // The head is with the client: the error goes on its way.
      if (tag === "head-sent") throw error;
      if (tag === "closed") throw this.#gone();
      throw new StartResponseError(tag, val ?? tag);
    }
    this.#writers.push(writer);
    this.bodiless = status.startsWith("204") || status.startsWith("304");
    const length = headers.find(([name]) => name.toLowerCase() === "content-length");
    this.#length = length ? Number(length[1]) : null;
  }

  get contentLength() {
    return this.#length;
  }

  // Sends bytes on their way before it returns.
  write(bytes) {
    if (bytes.length === 0 || this.bodiless) return;
    const writer = this.#writers.at(-1);
    if (!writer) throw new StartResponseError("not-called", "a body came before startResponse was called: call it first");
    // The host sends nothing of a chunk that passes the Content-Length, and pieces must not differ.
    if (bytes.length > chunkMax && this.#length !== null && this.sent + bytes.length > this.#length) {
      throw this.#writeError("past-content-length", bytes.length);
    }
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + chunkMax);
      try {
        writer.write(piece);
      } catch (refusal) {
        const { tag, val } = payload(refusal);
        if (tag !== "too-large" || Number(val) >= chunkMax) throw this.#writeError(tag, bytes.length);
        // Nothing was sent of this piece.
        chunkMax = Number(val);
        continue;
      }
      at += piece.length;
      this.sent += piece.length;
    }
  }

  // Logs `error` and answers 500 in place of whatever was started. Throws once the head is with the client: a trap is
  // what tells it that its body is cut off.
  fail(error) {
    if (error instanceof ClientGone) {
      log(error.message);
      return NOTHING;
    }
    log(traceOf(error));
    const cut = () => new Error("the application failed after its head was sent; its error is in the log");
    if (this.sent > 0) throw cut();
    try {
      const headers = [["Content-Type", "text/plain; charset=utf-8"]];
      this.#writers.push(this.#start.call("500 Internal Server Error", headers, `${error?.name ?? "an error"}, see above`));
    } catch (refusal) {
      if (payload(refusal).tag === "head-sent") throw cut();
      return NOTHING;
    }
    return { tag: "bytes", val: new TextEncoder().encode("Internal Server Error\n") };
  }

  onGone(callback) {
    this.#onGone.push(callback);
  }

  // Gives the handles back: an instance that serves on may hold only so many.
  close() {
    for (const handle of [this.#input, ...this.#writers, this.#environ, this.#start]) handle?.[Symbol.dispose ?? Symbol.for("dispose")]?.();
  }

  #told(call, error) {
    try {
      return call();
    } catch (refusal) {
      const { tag } = payload(refusal);
      throw tag === "closed" ? this.#gone() : error(tag);
    }
  }

  #gone() {
    const error = new ClientGone();
    for (const callback of this.#onGone.splice(0)) callback(error);
    return error;
  }

  #writeError(kind, size) {
    if (kind === "closed") return this.#gone();
    if (kind === "past-content-length") {
      return new WriteError(kind, `a chunk of ${size} bytes would pass the Content-Length of ${this.#length}: set it to the length of the body, or leave it out`);
    }
    return new WriteError(kind, "this response has no body: give none");
  }
}

// What the host has refused a call with; any other error goes on its way.
function payload(refusal) {
  if (refusal?.payload?.tag === undefined) throw refusal;
  return refusal.payload;
}
