// What the host gives besides the handles of a request.

export { writeErrors } from "wasgi:gateway/gateway@0.1.0";
export { getEnvironment } from "wasi:cli/environment@0.2.6";
