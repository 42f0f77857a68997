// What `Request` and `Response` share: a body that is read once (https://fetch.spec.whatwg.org/#body-mixin).

import { decodeForm, encodeForm } from "./form.js";

const encoder = new TextEncoder();

// Shared by the classes here and the server, and by nobody else.
export const SOURCE = Symbol("source");

// The bytes and the type that a value stands for; `undefined` for one that is a stream.
function whole(value) {
  if (typeof value === "string") return { bytes: encoder.encode(value), type: "text/plain;charset=UTF-8" };
  if (value instanceof URLSearchParams) {
    return { bytes: encoder.encode(String(value)), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  if (value instanceof ArrayBuffer) return { bytes: new Uint8Array(value.slice(0)), type: null };
  // A copy: what the application does to its own afterwards is not sent.
  if (ArrayBuffer.isView(value)) return { bytes: bytesOf(value).slice(), type: null };
  return undefined;
}

// What a body is made of: `{ bytes }`, `{ stream }`, or `{ read }`, which gives the next bytes at once; and its type.
export function sourceOf(value) {
  if (value === undefined || value === null) return { source: null, type: null };
  const found = whole(value);
  if (found) return { source: { bytes: found.bytes }, type: found.type };
  if (value instanceof ReadableStream) {
    if (value.locked) throw new TypeError("the body is a stream that somebody reads already");
    return { source: { stream: value }, type: null };
  }
  if (value instanceof FormData) return encodeForm(value);
  if (value instanceof Blob) return { source: { stream: value.stream() }, type: value.type || null };
  if (typeof value[Symbol.asyncIterator] === "function" || typeof value[Symbol.iterator] === "function") {
    return { source: { stream: streamOf(value) }, type: null };
  }
  return { source: { bytes: encoder.encode(String(value)) }, type: "text/plain;charset=UTF-8" };
}

// A stream of what an iterable yields; it is asked for the next piece when somebody wants it.
function streamOf(iterable) {
  const iterator = (iterable[Symbol.asyncIterator] ?? iterable[Symbol.iterator]).call(iterable);
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(chunkOf(value));
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

// A piece of a body as bytes.
export function chunkOf(value) {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return bytesOf(value);
  throw new TypeError(`a piece of a body is ${aOr(value)}: give a Uint8Array or a string`);
}

function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

// A value by its kind, for a message.
export function aOr(value) {
  if (value === null || value === undefined) return String(value);
  const name = typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
  return `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}

export class Body {
  [SOURCE] = null;
  #used = false;
  #stream = null;

  get body() {
    const source = this[SOURCE];
    if (source === null) return null;
    this.#stream ??= source.stream ?? streamOf(source.bytes ? [source.bytes].filter((bytes) => bytes.length) : pieces(source));
    return this.#stream;
  }

  get bodyUsed() {
    return this.#used || Boolean(this.#stream?.locked);
  }

  // Takes the source for good: as it is, or as a stream once somebody has seen it as one.
  take() {
    if (this.bodyUsed) throw new TypeError("the body has been read before: clone() what is to be read twice");
    this.#used = this[SOURCE] !== null;
    return this.#stream ? { stream: this.#stream } : (this[SOURCE] ?? { bytes: new Uint8Array() });
  }

  // Two sources where there was one.
  split() {
    if (this.bodyUsed) throw new TypeError("the body has been read, so it cannot be cloned: clone() first");
    if (this[SOURCE] === null) return null;
    if (this[SOURCE].bytes && !this.#stream) return { bytes: this[SOURCE].bytes };
    const [one, other] = this.body.tee();
    this[SOURCE] = { stream: one };
    this.#stream = one;
    return { stream: other };
  }

  async bytes() {
    const source = this.take();
    if (source.bytes) return source.bytes.slice();
    const found = [];
    if (source.stream) {
      const reader = source.stream.getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) found.push(chunkOf(next.value));
    } else {
      for (const piece of pieces(source)) found.push(piece);
    }
    return joined(found);
  }

  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }

  async blob() {
    return new Blob([await this.bytes()], { type: this.headers.get("content-type") ?? "" });
  }

  async text() {
    return new TextDecoder().decode(await this.bytes());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async formData() {
    return decodeForm(this.headers.get("content-type") ?? "", await this.bytes());
  }
}

function* pieces({ read }) {
  for (let piece = read(); piece.length > 0; piece = read()) yield piece;
}

export function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
