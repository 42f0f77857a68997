// `application(environ, startResponse)`: each path shows one rule; tests/e2e/javascript_raw.rs says what must come of it.

const PLAIN = [["Content-Type", "text/plain"]];

// A call that is refused: its kind and its text, told under another head.
function refused(startResponse, call) {
  try {
    call();
  } catch (error) {
    startResponse("200 OK", [["Content-Type", "application/json"]], error);
    return JSON.stringify({ kind: error.kind, text: error.message });
  }
  return "not refused";
}

const answers = {
  "/": (_, start) => {
    start("200 OK", PLAIN);
    return "Hello, world!\n";
  },
  "/environ": (environ, start) => {
    start("200 OK", [["Content-Type", "application/json"]]);
    const kinds = Object.fromEntries(Object.entries(environ).map(([name, value]) => [name, typeof value]));
    return [JSON.stringify({ path: environ.PATH_INFO, script: environ.SCRIPT_NAME, version: environ["wsgi.version"], kinds })];
  },
  "/written": (_, start) => {
    const write = start("200 OK", PLAIN);
    write("written,");
    write(new TextEncoder().encode("as bytes,"));
    return ["returned"];
  },
  "/generator": function* (_, start) {
    start("200 OK", PLAIN);
    yield "a";
    yield "b";
  },
  "/async": async function* (environ, start) {
    try {
      start("200 OK", PLAIN);
      for (let number = 0; ; number += 1) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield `${number}\n`;
      }
    } finally {
      environ["wsgi.errors"].write("closed\n");
    }
  },
  "/stream": (_, start) => {
    start("200 OK", PLAIN);
    return new Response("from a stream").body;
  },
  "/input": (environ, start) => {
    const input = environ["wsgi.input"];
    start("200 OK", [["Content-Type", "application/json"]]);
    const text = (bytes) => new TextDecoder().decode(bytes);
    return JSON.stringify([text(input.read(3)), text(input.readline()), input.readlines().map(text), input.read().length]);
  },
  "/echo": function* (environ, start) {
    start("200 OK", PLAIN);
    const input = environ["wsgi.input"];
    for (let piece = input.read1(); piece.length > 0; piece = input.read1()) yield piece;
  },
  "/replaced": (_, start) => {
    start("200 OK", [...PLAIN, ["X-Head", "first"]]);
    start("503 Replaced", [...PLAIN, ["X-Head", "second"]], new Error("the first was wrong"));
    return "replaced";
  },
  "/late-replaced": (_, start) => {
    start("200 OK", PLAIN)("begun\n");
    const error = new Error("too late");
    try {
      start("500 Late", PLAIN, error);
    } catch (raised) {
      return `raised again: ${raised === error}\n`;
    }
    return "not raised\n";
  },
  "/twice": (_, start) => {
    start("200 OK", PLAIN);
    return refused(start, () => start("200 OK", PLAIN));
  },
  "/bad-status": (_, start) => refused(start, () => start("oops", PLAIN)),
  "/bad-header": (_, start) => refused(start, () => start("200 OK", [["X-Bad", "a\nb"]])),
  "/bad-types": (_, start) => refused(start, () => start("200 OK", { "Content-Type": "text/plain" })),
  "/past-length": (_, start) => {
    start("200 OK", [...PLAIN, ["Content-Length", "5"]]);
    return (function* () {
      yield "abc";
      yield "defgh";
    })();
  },
  "/no-body": (_, start) => {
    start("204 No Content", []);
    return "dropped";
  },
  "/no-start": () => "lost",
  "/no-answer": (_, start) => {
    start("200 OK", PLAIN);
    return 7;
  },
  "/throw": (_, start) => {
    start("200 OK", [...PLAIN, ["X-Head", "first"]]);
    throw new RangeError("thrown");
  },
  "/late-throw": (_, start) => {
    start("200 OK", PLAIN)("begun\n");
    throw new RangeError("thrown late");
  },
};

export function application(environ, startResponse) {
  const answer = answers[environ.PATH_INFO];
  if (answer) return answer(environ, startResponse);
  startResponse("404 Not Found", PLAIN);
  return `no such path: ${environ.PATH_INFO}`;
}
