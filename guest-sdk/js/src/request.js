// `Request` of the Fetch Standard (https://fetch.spec.whatwg.org/#request-class), without what only browsers have.

import { Body, SOURCE, sourceOf } from "./body.js";
import { Headers } from "./headers.js";

const NORMALIZED = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

export class Request extends Body {
  #url;
  #method;
  #headers;
  #signal;

  constructor(input, init = {}) {
    super();
    const from = input instanceof Request ? input : null;
    this.#url = from ? from.url : new URL(String(input)).href;
    this.#method = methodOf(init.method ?? from?.method ?? "GET");
    this.#headers = new Headers(init.headers ?? from?.headers);
    this.#signal = init.signal ?? from?.signal ?? null;
    const bodiless = this.#method === "GET" || this.#method === "HEAD";
    if (bodiless && init.body !== undefined && init.body !== null) {
      throw new TypeError(`a request with the method ${this.#method} has no body`);
    }
    if (init.body !== undefined && init.body !== null) {
      const { source, type } = sourceOf(init.body);
      this[SOURCE] = source;
      if (type && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
    } else if (from && from[SOURCE] && !bodiless) {
      this[SOURCE] = from.take();
    }
  }

  // The request that the host serves: its body is read from the host when somebody wants it.
  static incoming(url, { method, headers, read, signal }) {
    const request = new Request(url, { headers });
    request.#method = method;
    request.#signal = signal;
    if (method !== "GET" && method !== "HEAD") request[SOURCE] = { read };
    return request;
  }

  get url() {
    return this.#url;
  }

  get method() {
    return this.#method;
  }

  get headers() {
    return this.#headers;
  }

  // Aborted when the client has gone, as far as the host has said so.
  get signal() {
    // The host's is made when it is asked for: few applications do.
    if (typeof this.#signal === "function") this.#signal = this.#signal();
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }

  clone() {
    const source = this.split();
    const copy = new Request(this.#url, { headers: this.#headers, signal: this.signal });
    copy.#method = this.#method;
    copy[SOURCE] = source;
    return copy;
  }

  get [Symbol.toStringTag]() {
    return "Request";
  }
}

function methodOf(method) {
  const text = String(method);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)) throw new TypeError(`${JSON.stringify(text)} is no method`);
  const upper = text.toUpperCase();
  return NORMALIZED.includes(upper) ? upper : text;
}
