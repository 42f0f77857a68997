// What the host calls: picks the form that the application has, and lets no error of it out.

import { aOr } from "./body.js";
import { Exchange } from "./exchange.js";
import { setMap } from "./faults.js";
import { serveFetch } from "./fetch.js";
import { wake } from "./prelude.js";
import { serveApplication } from "./wsgi.js";

// The export `application` for the module `app`; `map` is the source map of its bundle.
export function serve(app, map) {
  setMap(map);
  const answer = form(app);
  return async (environ, start) => {
    wake();
    const exchange = new Exchange(environ, start);
    try {
      return await answer(exchange);
    } catch (error) {
      return exchange.fail(error);
    } finally {
      exchange.close();
    }
  };
}

function form(app) {
  if (typeof app.application === "function") return (exchange) => serveApplication(app.application, exchange);
  const handler = app.default;
  if (typeof handler?.fetch === "function") {
    return (exchange) => serveFetch((...given) => handler.fetch(...given), exchange);
  }
  if (typeof handler === "function") return (exchange) => serveFetch(handler, exchange);
  throw new TypeError(
    `the module exports no application: its default is ${aOr(handler)}; export default { fetch(request) { ... } }, or export function application(environ, startResponse)`,
  );
}
