// The errors that an application may meet; `kind` is the name of the case in wit/gateway.wit.

// The client has gone: clean up and return.
export class ClientGone extends Error {
  name = "ClientGone";
  kind = "closed";

  constructor() {
    super("the client has gone or broke off the request body");
  }
}

// The request body cannot be had.
export class InputError extends Error {
  name = "InputError";

  constructor(kind) {
    super(INPUT[kind] ?? kind);
    this.kind = kind;
  }
}

// The head was refused; the text says why.
export class StartResponseError extends Error {
  name = "StartResponseError";

  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

// A chunk cannot be sent; the text says why.
export class WriteError extends Error {
  name = "WriteError";

  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

const INPUT = {
  taken: "the request body was taken before",
  "too-large": "the request body is over the host's body-max",
  "timed-out": "the client sent no more of the request body in time",
};
