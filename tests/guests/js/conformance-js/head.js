// startResponse.

import { JSON_TYPE, PLAIN } from "./call.js";

// `ok`, or the name of the error, and the error.
function attempt(call, ...given) {
  try {
    call.start(...given);
    return ["ok", null];
  } catch (error) {
    return [error.kind ?? error.name, error];
  }
}

// An answer by a further call with the error.
function report(call, error, value) {
  call.start("200 OK", JSON_TYPE, error);
  return JSON.stringify(value);
}

// The body if the call was good; else reports the refusal, unless told to be quiet.
function started(call, status, headers, body) {
  const [name, error] = attempt(call, status, headers);
  if (error === null) return body;
  if (call.query.isOn("quiet")) return "";
  const hasText = ["bad-status", "bad-header", "too-large"].includes(name);
  return report(call, error, { error: name, detail: hasText ? error.message : null });
}

function status(call) {
  const line = call.query.native("line");
  const bodiless = /^(204|304)/.test(line);
  return started(call, line, bodiless ? [] : PLAIN, bodiless ? "" : "started");
}

function header(call) {
  const { query } = call;
  const value = query.bytes("value-utf8") ? query.text("value-utf8") : query.native("value");
  const headers = [...(query.isOn("only") ? [] : PLAIN), [query.native("name"), value]];
  return started(call, "200 OK", headers, query.text("body", "started"));
}

function headers(call) {
  const value = "v".repeat(call.query.number("size", 8));
  const made = Array.from({ length: call.query.number("count", 1) }, (_, number) => [`X-${number}`, value]);
  return started(call, "200 OK", made, "started");
}

function repeated(call) {
  call.start("200 OK", [...PLAIN, ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Case", "Kept"]]);
  return "started";
}

function twice(call) {
  call.start("200 OK", [...JSON_TYPE, ["X-Call", "first"]]);
  const [second] = attempt(call, "201 Created", [...PLAIN, ["X-Call", "second"]]);
  return JSON.stringify({ second });
}

function firstRefused(call) {
  const [first, error] = attempt(call, "oops", PLAIN);
  const [second] = attempt(call, "200 OK", PLAIN);
  return report(call, error, { first, second });
}

function replaced(call) {
  const first = call.start("200 OK", [...PLAIN, ["X-Call", "first"]]);
  const second = call.start("500 Replaced", [...PLAIN, ["X-Call", "second"]], new Error("the first head was wrong"));
  const via = call.query.text("via", "return");
  if (via === "return") return "replaced";
  (via === "first" ? first : second)("replaced");
  return "";
}

function errorFirst(call) {
  call.start("200 OK", PLAIN, new Error("the only call has exc_info"));
  return "started";
}

function late(call) {
  call.start("200 OK", PLAIN)("begun\n");
  const error = new Error("too late");
  const [, raised] = attempt(call, "500 Late", PLAIN, error);
  // The server throws the error again, and no other.
  return `late: ${raised === error ? "head-sent" : raised}\n`;
}

function afterEmpty(call) {
  call.start("200 OK", PLAIN)("");
  call.start("503 Replaced", PLAIN, new Error("nothing was sent yet"));
  return "replaced";
}

function replacementRefused(call) {
  call.start("200 OK", [...JSON_TYPE, ["X-Call", "first"]]);
  const [second] = attempt(call, "500 Replaced", [...PLAIN, ["X-Bad", "a\nb"]], new Error("the replacement is refused"));
  return JSON.stringify({ second });
}

// Heads that are none by their types.
const wrongs = {
  status: [200, PLAIN],
  object: ["200 OK", { "Content-Type": "text/plain" }],
  triple: ["200 OK", [["X-A", "1", "X-B"]]],
  value: ["200 OK", [["X-Number", 1]]],
  surrogate: ["200 OK", [["X-Test", "\ud800"]]],
};

function wrong(call) {
  const [error, thrown] = attempt(call, ...wrongs[call.query.text("what")]);
  return report(call, thrown, { error, detail: thrown.message });
}

export const head = {
  "/status": status,
  "/header": header,
  "/headers": headers,
  "/headers/repeat": repeated,
  "/start-twice": twice,
  "/start-twice/first-refused": firstRefused,
  "/start-exc-info": replaced,
  "/start-exc-info/first": errorFirst,
  "/start-exc-info/late": late,
  "/start-exc-info/after-empty": afterEmpty,
  "/start-exc-info/refused": replacementRefused,
  "/start-wrong": wrong,
  "/no-start": () => "lost",
};
