// The conformance guest in JavaScript: the table of tests/conformance/guest/README.md, and the one of README.md here.

import { body } from "./body.js";
import { Call, json, PLAIN, text } from "./call.js";
import { head } from "./head.js";
import { input } from "./input.js";
import { objects } from "./objects.js";
import { outside } from "./outside.js";

let calls = 0;

const answers = {
  "/hello": (call) => text(call, "hello"),
  "/calls": (call) => json(call, { calls }),
  "/environ/get": variable,
  "/environ/copy": changed,
  "/url": (call) => text(call, url(call.environ)),
  ...input,
  ...head,
  ...body,
  ...objects,
  ...outside,
};

export function application(environ, startResponse) {
  calls += 1;
  const call = new Call(environ, startResponse);
  const answer = answers[call.path] ?? (/^\/environ(\/|$)/.test(call.path) ? told : missing);
  return answer(call);
}

// What the server tells: its own objects left out, flags and version as the text that they crossed the WIT as.
function told(call) {
  const shown = Object.entries(call.environ).flatMap(([name, value]) => {
    if (Array.isArray(value)) return [[name, value.join(".")]];
    return typeof value === "object" ? [] : [[name, String(value)]];
  });
  return json(call, Object.fromEntries(shown));
}

function variable(call) {
  const name = call.query.native("name");
  return json(call, { present: name in call.environ, value: call.environ[name] ?? null });
}

// The environ is the application's: it may empty it.
function changed(call) {
  for (const name of Object.keys(call.environ)) delete call.environ[name];
  return json(call, { same: Object.keys(call.environ).length === 0 });
}

// The algorithm of PEP 3333, "URL Reconstruction".
function url(environ) {
  const scheme = environ["wsgi.url_scheme"];
  const usual = scheme === "https" ? "443" : "80";
  const named = environ.SERVER_PORT === usual ? environ.SERVER_NAME : `${environ.SERVER_NAME}:${environ.SERVER_PORT}`;
  const query = environ.QUERY_STRING ? `?${environ.QUERY_STRING}` : "";
  return `${scheme}://${environ.HTTP_HOST ?? named}${quoted(environ.SCRIPT_NAME + environ.PATH_INFO)}${query}`;
}

function quoted(path) {
  return path.replace(/[^\w.~/;=,-]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

function missing(call) {
  call.start("404 Not Found", PLAIN);
  return `no such path: ${call.path}`;
}
