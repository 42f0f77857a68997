// What the handlers share: the conventions of tests/conformance/guest/README.md.

export const PLAIN = [["Content-Type", "text/plain"]];
export const JSON_TYPE = [["Content-Type", "application/json"]];
export const BINARY = [["Content-Type", "application/octet-stream"]];

const decoder = new TextDecoder();

// The bytes that a part of a query stands for; `+` stays a plus.
function decoded(text) {
  const bytes = [];
  for (let at = 0; at < text.length; at += 1) {
    const escaped = /^%([0-9a-f]{2})/i.exec(text.slice(at, at + 3));
    bytes.push(escaped ? parseInt(escaped[1], 16) : text.charCodeAt(at));
    at += escaped ? 2 : 0;
  }
  return Uint8Array.from(bytes);
}

// A char for each byte, as native strings are.
const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

// The parameters of a query.
class Query {
  #values = new Map();

  constructor(query) {
    for (const pair of query.split("&").reverse()) {
      const [name, ...value] = pair.split("=");
      this.#values.set(latin(decoded(name)), decoded(value.join("=")));
    }
  }

  bytes(name) {
    return this.#values.get(name);
  }

  text(name, otherwise = "") {
    const value = this.bytes(name);
    return value === undefined ? otherwise : decoder.decode(value);
  }

  native(name) {
    return latin(this.bytes(name) ?? []);
  }

  number(name, otherwise) {
    const value = this.text(name);
    return /^[0-9]+$/.test(value) ? Number(value) : otherwise;
  }

  isOn(name) {
    return this.text(name) === "1";
  }
}

// One request, as the handlers get it.
export class Call {
  constructor(environ, startResponse) {
    this.environ = environ;
    this.start = startResponse;
    this.path = environ.PATH_INFO;
    this.query = new Query(environ.QUERY_STRING);
    this.input = environ["wsgi.input"];
  }

  log(line) {
    this.environ["wsgi.errors"].write(`${line}\n`);
  }

  // Calls `work`; the name of the error that it throws, if it does.
  refusal(work) {
    try {
      work();
      return null;
    } catch (error) {
      if (error.kind === undefined) throw error;
      return error.kind;
    }
  }
}

export function text(call, body) {
  call.start("200 OK", PLAIN);
  return body;
}

export function json(call, value) {
  call.start("200 OK", JSON_TYPE);
  return JSON.stringify(value);
}
