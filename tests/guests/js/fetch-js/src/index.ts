// Each path shows one behaviour of the fetch form; tests/e2e/javascript.rs says what must come of it.

import { ClientGone } from "wasgi";

import { boom } from "./lib/boom.js";
import { endless, ticks } from "./lib/streams.js";

type Env = Record<string, string>;
type Context = { waitUntil(promise: Promise<unknown>): void };
type Answer = (request: Request, env: Env, context: Context) => Response | Promise<Response>;

const madeAtBuild = Math.random();
let calls = 0;

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(() => resolve(value), 1));

const answers: Record<string, Answer> = {
  "/request": (request) =>
    Response.json({ url: request.url, method: request.method, headers: Object.fromEntries(request.headers) }),
  "/env": (_, env) => Response.json(env),
  "/chance": () =>
    Response.json({
      random: Math.random(),
      uuid: crypto.randomUUID(),
      values: [...crypto.getRandomValues(new Uint8Array(16))],
      madeAtBuild,
    }),
  "/now": () => Response.json({ now: Date.now() }),
  "/calls": () => Response.json({ calls: (calls += 1) }),
  "/later": async () => new Response(await later("after a while")),
  "/echo": (request) => new Response(request.body),
  "/text": async (request) => new Response((await request.text()).toUpperCase()),
  "/json": async (request) => Response.json(await request.json()),
  "/form": async (request) => {
    const form = [...(await request.formData())];
    const parts = form.map(async ([name, value]) => [name, typeof value === "string" ? value : [value.name, value.type, await value.text()]]);
    return Response.json(await Promise.all(parts));
  },
  "/gate": async (request) => {
    // Answers each piece before it asks for the next.
    const reader = request.body!.getReader();
    return new Response(
      new ReadableStream({
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      }, { highWaterMark: 0 }),
    );
  },
  "/ticks": () => new Response(ticks(3)),
  "/endless": (request) => {
    request.signal.addEventListener("abort", () => console.log("the signal is aborted"));
    return new Response(endless(() => console.log("the stream is cancelled")));
  },
  "/large": () => new Response("x".repeat(3_000_000)),
  "/length": () => new Response(ticks(3), { headers: { "content-length": "21" } }),
  "/too-long": () => new Response(ticks(3), { headers: { "content-length": "7" } }),
  "/empty": () => new Response(null, { status: 204, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }),
  "/latin": () => new Response("x", { status: 299, statusText: "Sehr sch\u00f6n", headers: { "x-latin": "\u00e9" } }),
  "/throw": () => boom("thrown"),
  "/reject": async () => boom(await later("rejected")),
  "/throw-text": () => { throw "only text"; },
  "/late": () => new Response((async function* () { yield "begun\n"; boom("too late"); })()),
  "/no-response": () => "text" as unknown as Response,
  "/bad-header": () => new Response("x", { headers: { connection: "close" } }),
  "/never": () => new Promise(() => {}),
  "/outside": () => fetch("http://example.org/"),
  "/log": () => { console.log("to stdout", { a: [1] }); console.error("to stderr"); return new Response("logged"); },
  "/wait": (_, __, context) => {
    context.waitUntil(later("done").then((text) => console.log(`waited: ${text}`)));
    return new Response("answered");
  },
  "/gone": () => new Response(String(new ClientGone() instanceof Error)),
};

export default {
  fetch(request: Request, env: Env, context: Context): Response | Promise<Response> {
    const answer = answers[new URL(request.url).pathname];
    return answer ? answer(request, env, context) : new Response("no such path\n", { status: 404 });
  },
};
