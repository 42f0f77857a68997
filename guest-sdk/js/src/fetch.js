// The server side of `fetch(request, env, context)`.

import { aOr, chunkOf, SOURCE } from "./body.js";
import { NOTHING, ONE_PIECE } from "./exchange.js";
import { log, traceOf } from "./faults.js";
import { getEnvironment } from "./gateway.js";
import { Headers } from "./headers.js";
import { Request } from "./request.js";
import { Response } from "./response.js";
import { statusLine } from "./status.js";

// Read once in each instance: what the operator grants does not change.
let granted;

// Answers one request by `handler`.
export async function serveFetch(handler, exchange) {
  const request = requestOf(exchange);
  const waiting = [];
  const context = {
    waitUntil(promise) {
      waiting.push(Promise.resolve(promise).catch((error) => log(traceOf(error))));
    },
    passThroughOnException() {},
  };
  granted ??= Object.freeze(Object.fromEntries(getEnvironment()));
  const response = await handler(request, granted, context);
  if (!(response instanceof Response)) throw new TypeError(`fetch() returned ${aOr(response)}: return a Response`);
  const source = response.take();
  const headers = [...response.headers];
  const isShort = source.bytes !== undefined && source.bytes.length <= ONE_PIECE && waiting.length === 0;
  if (source.bytes?.length > 0 && !isShort && !response.headers.has("content-length")) {
    headers.push(["content-length", String(source.bytes.length)]);
  }
  exchange.start(statusLine(response.status, response.statusText), headers);
  if (isShort) return { tag: "bytes", val: source.bytes };
  if (source.bytes) exchange.write(source.bytes);
  else await pump(source.stream, exchange, request.method === "HEAD");
  for (let at = 0; at < waiting.length; at += 1) await waiting[at];
  return NOTHING;
}

// Sends what a stream yields, each piece when it comes. Of the answer to HEAD, one tells that there is a body.
async function pump(stream, exchange, isHead) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      exchange.write(chunkOf(next.value));
      if (isHead && exchange.sent > 0) {
        await reader.cancel("the answer to a HEAD request has no body");
        return;
      }
    }
  } catch (error) {
    // For what the application holds open; it may fail as well.
    await reader.cancel(error).catch((second) => second === error || log(traceOf(second)));
    throw error;
  }
}

function requestOf(exchange) {
  const environ = Object.fromEntries(exchange.variables());
  const headers = new Headers();
  for (const [name, value] of Object.entries(environ)) {
    if (name.startsWith("HTTP_")) headers.set(name.slice(5).replaceAll("_", "-"), value);
  }
  if (environ.CONTENT_TYPE !== undefined) headers.set("content-type", environ.CONTENT_TYPE);
  if (environ.CONTENT_LENGTH !== undefined) headers.set("content-length", environ.CONTENT_LENGTH);
  return Request.incoming(urlOf(environ), {
    method: environ.REQUEST_METHOD,
    headers,
    read: () => exchange.read(),
    signal: () => {
      const controller = new AbortController();
      exchange.onGone((error) => controller.abort(error));
      return controller.signal;
    },
  });
}

// The URL as the client wrote it, at the host that it named.
function urlOf(environ) {
  const host = environ.HTTP_HOST || `${environ.SERVER_NAME}:${environ.SERVER_PORT}`;
  const target = environ.REQUEST_URI?.startsWith("/") ? environ.REQUEST_URI : "/";
  const ascii = target.replace(/[\x80-\xff]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${environ["wsgi.url_scheme"]}://${host}${ascii}`;
}
