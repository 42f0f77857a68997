// What is special about JavaScript: the types of things, and what may be a body.

import { json, PLAIN, text } from "./call.js";

function types(call) {
  const kind = (value) => (Array.isArray(value) ? "array" : typeof value);
  return json(call, Object.fromEntries(Object.entries(call.environ).map(([name, value]) => [name, kind(value)])));
}

function* letters() {
  yield "a";
  yield new TextEncoder().encode("b");
  yield "c";
}

// Tells when it is closed.
function* closing(call) {
  try {
    yield* letters();
  } finally {
    call.log("closed");
  }
}

async function* later() {
  for (const letter of letters()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield letter;
  }
}

const bodies = {
  array: () => [...letters()],
  string: () => "abc",
  bytes: () => new TextEncoder().encode("abc"),
  buffer: () => new TextEncoder().encode("abc").buffer,
  generator: letters,
  later,
  set: () => new Set(letters()),
  stream: () => new Response("abc").body,
  promised: () => Promise.resolve("abc"),
  closing,
  empty: () => [],
  nothing: () => undefined,
  large: () => Array.from({ length: 30 }, () => new Uint8Array(100_000)),
};

// Calls startResponse with the first block.
function* lateStart(call) {
  call.start("200 OK", PLAIN);
  yield "started late";
}

// Between blocks it waits for the input.
function* gate(call) {
  yield "first\n";
  call.input.read(1);
  yield "second\n";
  call.input.read();
  yield "last\n";
}

function* failing(call) {
  try {
    yield "begun\n";
    if (call.query.text("end") === "error") throw new Error("failed between blocks");
    for (;;) yield "xxxx";
  } finally {
    call.log("closed");
  }
}

function closed(call) {
  const length = call.query.text("length");
  call.start("200 OK", length ? [...PLAIN, ["Content-Length", length]] : PLAIN);
  return failing(call);
}

function* oneItem(item) {
  yield item;
}

const wrongs = { number: () => 7, object: () => ({ a: 1 }), item: () => [1], yielded: () => oneItem(null) };

// Middleware: an application around another, to which it is the server.
function shouting(application) {
  return function* (environ, startResponse) {
    const start = (status, headers, error) => {
      const write = startResponse(status, [...headers, ["X-Middleware", "shouting"]], error);
      return (chunk) => write(chunk.toUpperCase());
    };
    for (const block of application({ ...environ, "app.name": "inner" }, start)) yield block.toUpperCase();
  };
}

function* inner(environ, startResponse) {
  const write = startResponse("200 OK", PLAIN);
  write("written, ");
  yield `by ${environ["app.name"]} at ${environ.PATH_INFO}`;
}

export const objects = {
  "/types": types,
  "/iterable": (call) => text(call, bodies[call.query.text("kind")](call)),
  "/late-start": lateStart,
  "/gate/yield": (call) => text(call, gate(call)),
  "/closing": closed,
  "/wrong-body": (call) => text(call, wrongs[call.query.text("what")]()),
  "/middleware": (call) => shouting(inner)(call.environ, call.start),
};
