// `Headers` of the Fetch Standard (https://fetch.spec.whatwg.org/#headers-class).

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

// What no HTTP field carries: control characters but the tab, and what is past Latin-1.
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

export class Headers {
  // Lower-case name to its values, in the order in which they came.
  #values = new Map();

  constructor(init) {
    if (init === undefined || init === null) return;
    if (typeof init !== "object" && typeof init !== "function") {
      throw new TypeError("Headers: give an object, or an iterable of [name, value]");
    }
    if (init instanceof Headers) {
      for (const [name, values] of init.#values) this.#values.set(name, [...values]);
    } else if (typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const [name, value, ...more] = pair;
        if (value === undefined || more.length > 0) throw new TypeError("Headers: each element must be [name, value]");
        this.append(name, value);
      }
    } else {
      for (const name of Reflect.ownKeys(init)) this.append(name, init[name]);
    }
  }

  append(name, value) {
    const key = nameOf(name);
    const text = valueOf(name, value);
    const values = this.#values.get(key);
    if (values) values.push(text);
    else this.#values.set(key, [text]);
  }

  set(name, value) {
    this.#values.set(nameOf(name), [valueOf(name, value)]);
  }

  get(name) {
    const values = this.#values.get(nameOf(name));
    return values ? values.join(", ") : null;
  }

  getSetCookie() {
    return [...(this.#values.get("set-cookie") ?? [])];
  }

  has(name) {
    return this.#values.has(nameOf(name));
  }

  delete(name) {
    this.#values.delete(nameOf(name));
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  // By name; each Set-Cookie by itself, since its values cannot be joined.
  *entries() {
    for (const name of [...this.#values.keys()].sort()) {
      const values = this.#values.get(name) ?? [];
      if (name === "set-cookie") for (const value of values) yield [name, value];
      else yield [name, values.join(", ")];
    }
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return "Headers";
  }
}

function nameOf(name) {
  const text = String(name);
  if (!TOKEN.test(text)) throw new TypeError(`Headers: ${JSON.stringify(text)} is no name of a header`);
  return text.toLowerCase();
}

function valueOf(name, value) {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  const bad = NOT_IN_VALUE.exec(text);
  if (bad) {
    const code = bad[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    throw new TypeError(`Headers: the value of ${name} has the character U+${code}, which no header carries: encode it`);
  }
  return text;
}
