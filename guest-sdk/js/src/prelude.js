// What must be so before the application's modules run, which is at the build: the engine's memory is kept as it is then,
// and each instance starts from there.

import { Headers } from "./headers.js";
import { Request } from "./request.js";
import { Response } from "./response.js";

let awake = false;

// The engine's own need `wasi:http`, and end the instance without it.
Object.assign(globalThis, { Headers, Request, Response, fetch });

async function fetch() {
  throw new TypeError("fetch() reaches nobody: an app has no network; the app's answer may not depend on other servers");
}

// Random numbers of the build would be the same in every instance. Libraries call Math.random as they load, and mean
// little by it; who wants bytes or an id there would make a secret that everybody shares.
const chance = Math.random;
let state = 0x9e3779b9;
Math.random = function random() {
  if (awake) return chance();
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 0x1_0000_0000;
};
for (const name of ["getRandomValues", "randomUUID"]) {
  const original = crypto[name];
  Object.defineProperty(crypto, name, {
    configurable: true,
    writable: true,
    value(...given) {
      if (awake) return original.apply(crypto, given);
      throw new Error(`crypto.${name}() is called as the app is built: it would give the same in every instance; call it in a request`);
    },
  });
}

// An instance has its first request.
export function wake() {
  awake = true;
}
