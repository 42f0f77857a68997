// Types for applications. `Request`, `Response`, `Headers` and streams are TypeScript's own: `"lib": ["ES2022", "WebWorker"]`.

/** The variables that the operator granted. */
export type Env = Readonly<Record<string, string>>;

/** What a handler may ask of the server. */
export interface Context {
  /** The instance goes on until `promise` is settled; the client does not wait for it. */
  waitUntil(promise: Promise<unknown>): void;
  /** There for applications from elsewhere; does nothing. */
  passThroughOnException(): void;
}

/** Answers one request. */
export type Handler = (request: Request, env: Env, context: Context) => Response | Promise<Response>;

/** What an application's module exports as its default; a bare `Handler` will do. */
export interface App {
  fetch: Handler;
}

/** A piece of a body. */
export type Chunk = Uint8Array | ArrayBuffer | ArrayBufferView | string;

/** What `application` may return: the rest of the body, after all writes. */
export type Body = Chunk | Iterable<Chunk> | AsyncIterable<Chunk> | ReadableStream<Chunk> | null | undefined | void;

/** `wsgi.input`: the request body. */
export interface Input extends Iterable<Uint8Array> {
  /** `size` bytes, fewer only at the end; all that is left if `size` is absent. */
  read(size?: number): Uint8Array;
  /** At most `size` bytes, what the host has at hand. */
  read1(size?: number): Uint8Array;
  /** Up to and with the next newline; nothing at the end. */
  readline(): Uint8Array;
  readlines(): Uint8Array[];
}

/** The environ of PEP 3333; values are strings of which each char is a byte. */
export interface Environ {
  "wsgi.version": [1, 0];
  "wsgi.url_scheme": string;
  "wsgi.input": Input;
  "wsgi.errors": { write(text: string): void; flush(): void };
  "wsgi.multithread": boolean;
  "wsgi.multiprocess": boolean;
  "wsgi.run_once": boolean;
  "wsgi.input_terminated": boolean;
  REQUEST_METHOD: string;
  SCRIPT_NAME: string;
  PATH_INFO: string;
  QUERY_STRING: string;
  SERVER_NAME: string;
  SERVER_PORT: string;
  SERVER_PROTOCOL: string;
  [name: string]: unknown;
}

/** Sets status and headers, and returns `write`; with `error`, in place of an earlier head. */
export type StartResponse = (status: string, headers: [string, string][], error?: unknown) => (chunk: Chunk) => void;

/** The raw form: `export function application(environ, startResponse)`. */
export type Application = (environ: Environ, startResponse: StartResponse) => Body | Promise<Body>;

/** The client has gone: clean up and return. */
export class ClientGone extends Error {
  readonly kind: "closed";
}

/** The request body cannot be had. */
export class InputError extends Error {
  readonly kind: "taken" | "too-large" | "timed-out";
}

/** The head was refused; the text says why. */
export class StartResponseError extends Error {
  readonly kind: "already-called" | "not-called" | "bad-status" | "bad-header" | "too-large";
}

/** A chunk cannot be sent; the text says why. */
export class WriteError extends Error {
  readonly kind: "past-content-length" | "no-body-allowed";
}
