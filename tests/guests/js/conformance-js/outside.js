// `wsgi.errors`, the standard streams, and errors that escape.

import { PLAIN, text } from "./call.js";

function errors(...texts) {
  return (call) => {
    for (const written of texts) call.environ["wsgi.errors"].write(written);
    call.environ["wsgi.errors"].flush();
    return text(call, "ok");
  };
}

function printed(print) {
  return (call) => {
    print(call.query.text("text"));
    return text(call, "ok");
  };
}

function begin(call) {
  const at = call.query.text("at", "call");
  if (at === "call") return;
  const write = call.start("200 OK", [...PLAIN, ["X-Call", "first"]]);
  if (at === "write") write("begun\n");
}

function trap(call) {
  begin(call);
  throw new Error("asked to trap");
}

const thrown = {
  error: () => new Error("asked to fail"),
  range: () => new RangeError("asked to fail"),
  aggregate: () => new AggregateError([new Error("inner")], "asked to fail"),
  text: () => "asked to fail",
  object: () => ({ why: "asked to fail" }),
};

// Throws, or rejects a promise, as a handler that is asynchronous does.
function raise(call) {
  begin(call);
  const what = thrown[call.query.text("what")]();
  if (call.query.isOn("rejected")) return Promise.reject(what);
  throw what;
}

function recurse(call) {
  return 1 + recurse(call);
}

export const outside = {
  "/errors": (call) => errors(call.query.text("text"))(call),
  "/errors/lines": errors("one\ntwo", " and a half\n", "three"),
  "/errors/unicode": errors("snowman \u2603, crab \u{1f980}"),
  "/stdout": printed(console.log),
  "/stderr": printed(console.error),
  "/trap": trap,
  "/raise": raise,
  "/recursion": recurse,
};
