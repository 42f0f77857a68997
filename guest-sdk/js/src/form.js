// `FormData` as bytes and back: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded.

const encoder = new TextEncoder();

// The source and the type of a form. Files are read when the body is.
export function encodeForm(form) {
  const boundary = `----wasgi${crypto.randomUUID().replaceAll("-", "")}`;
  async function* parts() {
    for (const [name, value] of form) {
      const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
      if (typeof value === "string") {
        yield encoder.encode(`${head}\r\n\r\n${value.replace(/\r\n|\r|\n/g, "\r\n")}\r\n`);
      } else {
        const type = value.type || "application/octet-stream";
        yield encoder.encode(`${head}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`);
        yield new Uint8Array(await value.arrayBuffer());
        yield encoder.encode("\r\n");
      }
    }
    yield encoder.encode(`--${boundary}--\r\n`);
  }
  const iterator = parts();
  const stream = new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
  return { source: { stream }, type: `multipart/form-data; boundary=${boundary}` };
}

function escaped(name) {
  return name.replace(/\r\n|\r|\n/g, "%0D%0A").replaceAll('"', "%22");
}

export function decodeForm(type, bytes) {
  const [kind] = type.split(";", 1);
  if (kind.trim().toLowerCase() === "application/x-www-form-urlencoded") {
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) form.append(name, value);
    return form;
  }
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
  if (kind.trim().toLowerCase() !== "multipart/form-data" || !boundary) {
    throw new TypeError(`the body is no form: its Content-Type is ${JSON.stringify(type)}`);
  }
  return parts(bytes, boundary[1] ?? boundary[2]);
}

function parts(bytes, boundary) {
  const form = new FormData();
  const mark = encoder.encode(`\r\n--${boundary}`);
  const first = encoder.encode(`--${boundary}`);
  let at = startsWith(bytes, first, 0) ? first.length : after(bytes, mark, 0);
  while (at >= 0 && !startsWith(bytes, encoder.encode("--"), at)) {
    const lineEnd = find(bytes, encoder.encode("\r\n"), at);
    const headEnd = find(bytes, encoder.encode("\r\n\r\n"), lineEnd);
    const end = find(bytes, mark, headEnd + 2);
    if (lineEnd < 0 || headEnd < 0 || end < 0) throw new TypeError("the form is cut off, or its boundary is another");
    add(form, new TextDecoder().decode(bytes.subarray(lineEnd + 2, headEnd)), bytes.subarray(headEnd + 4, end));
    at = end + mark.length;
  }
  if (at < 0) throw new TypeError("the form has no part with its boundary");
  return form;
}

function add(form, head, content) {
  const field = (name) => new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(head)?.[1].trim();
  const disposition = field("content-disposition") ?? "";
  const parameter = (name) => {
    const found = new RegExp(`;\\s*${name}="([^"]*)"`, "i").exec(disposition)?.[1];
    return found?.replace(/%0D%0A/gi, "\r\n").replace(/%22/g, '"');
  };
  const name = parameter("name");
  if (name === undefined) throw new TypeError("a part of the form has no name");
  const filename = parameter("filename");
  if (filename === undefined) form.append(name, new TextDecoder().decode(content));
  else form.append(name, new File([content.slice()], filename, { type: field("content-type") ?? "text/plain" }));
}

function after(bytes, mark, from) {
  const at = find(bytes, mark, from);
  return at < 0 ? at : at + mark.length;
}

function find(bytes, mark, from) {
  if (from < 0) return -1;
  for (let at = bytes.indexOf(mark[0], from); at >= 0; at = bytes.indexOf(mark[0], at + 1)) {
    if (startsWith(bytes, mark, at)) return at;
  }
  return -1;
}

function startsWith(bytes, mark, at) {
  return at + mark.length <= bytes.length && mark.every((byte, index) => bytes[at + index] === byte);
}
