// An app of wasi:http as ComponentizeJS alone makes it: no SDK of wasgi has a part in it.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

let calls = 0;

async function answer(request) {
  const url = new URL(request.url);
  calls += 1;
  switch (url.pathname) {
    case "/echo":
      return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    case "/calls":
      return new Response(String(calls));
    case "/throws":
      throw new Error("on purpose");
    default:
      return Response.json({ method: request.method, target: url.pathname + url.search, agent: request.headers.get("user-agent") });
  }
}
