import { events } from "./events.js";
import { measure } from "./upload.js";

// A path's pattern, its method, and what answers: found in this order.
const routes = [
  [/^\/$/, "GET", () => new Response("Hello, world!\n")],
  [/^\/greet\/([^/]+)$/, "GET", (_, env, name) => Response.json({ greeting: `${env.GREETING ?? "Hello"}, ${name}!` })],
  [/^\/events$/, "GET", (request) => events(new URL(request.url).searchParams)],
  [/^\/upload$/, "PUT", async (request) => Response.json(await measure(request.body))],
];

export default {
  async fetch(request, env) {
    // Behind its mount point: routes do not depend on where the operator puts the application.
    const path = new URL(request.url).pathname.replace(/^\/js-hello(?=\/)/, "");
    const found = routes.filter(([pattern]) => pattern.test(path));
    const route = found.find(([, method]) => method === request.method || (method === "GET" && request.method === "HEAD"));
    if (route) {
      const [pattern, , answer] = route;
      return answer(request, env, ...pattern.exec(path).slice(1).map(decodeURIComponent));
    }
    if (found.length === 0) return new Response("no such path\n", { status: 404 });
    const allow = found.map(([, method]) => method).join(", ");
    return new Response("not that method\n", { status: 405, headers: { allow } });
  },
};
