// `Response` of the Fetch Standard (https://fetch.spec.whatwg.org/#response-class), without what only browsers have.

import { Body, SOURCE, sourceOf } from "./body.js";
import { Headers } from "./headers.js";

const WITHOUT_BODY = [101, 204, 205, 304];
const REDIRECTS = [301, 302, 303, 307, 308];

export class Response extends Body {
  #status;
  #statusText;
  #headers;

  constructor(body = null, init = {}) {
    super();
    const status = Number(init.status ?? 200);
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`${init.status} is no status of a response: give one from 200 to 599`);
    }
    this.#status = status;
    this.#statusText = String(init.statusText ?? "");
    if (/[^\t\x20-\x7e\x80-\xff]/.test(this.#statusText)) throw new TypeError("statusText has a character that no status line carries");
    this.#headers = new Headers(init.headers);
    if (body === null || body === undefined) return;
    if (WITHOUT_BODY.includes(status)) throw new TypeError(`a response with status ${status} has no body: give null`);
    const { source, type } = sourceOf(body);
    this[SOURCE] = source;
    if (type && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
  }

  static json(value, init = {}) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError("the value has no form in JSON");
    const headers = new Headers(init.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }

  static redirect(url, status = 302) {
    if (!REDIRECTS.includes(status)) throw new RangeError(`${status} is no status of a redirect`);
    return new Response(null, { status, headers: { location: String(url) } });
  }

  get status() {
    return this.#status;
  }

  get statusText() {
    return this.#statusText;
  }

  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }

  get headers() {
    return this.#headers;
  }

  get type() {
    return "default";
  }

  get url() {
    return "";
  }

  get redirected() {
    return false;
  }

  clone() {
    const source = this.split();
    const copy = new Response(null, { status: this.#status, statusText: this.#statusText, headers: this.#headers });
    copy[SOURCE] = source;
    return copy;
  }

  get [Symbol.toStringTag]() {
    return "Response";
  }
}
