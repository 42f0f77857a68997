// What an application may import from "wasgi". The classes of the Fetch Standard are global.

export { ClientGone, InputError, StartResponseError, WriteError } from "./errors.js";
