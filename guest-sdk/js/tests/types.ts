// Checked by tsc, never run: what authors write has these types.

import { ClientGone, type App, type Application, type Handler } from "wasgi";

const handler: Handler = async (request, env, context) => {
  context.waitUntil(Promise.resolve());
  const form = await request.formData();
  return Response.json({ greeting: env.GREETING ?? "Hello", names: [...form.keys()] });
};

export const application: Application = function* (environ, startResponse) {
  const write = startResponse("200 OK", [["Content-Type", "text/plain"]]);
  try {
    write(environ["wsgi.input"].read());
  } catch (error) {
    if (error instanceof ClientGone) return;
    environ["wsgi.errors"].write(String(error));
  }
  yield environ.PATH_INFO;
};

// @ts-expect-error: a handler returns a response
const wrong: Handler = () => "text";

export default { fetch: handler } satisfies App;
export { wrong };
