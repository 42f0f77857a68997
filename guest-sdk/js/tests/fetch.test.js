// The classes of the Fetch Standard that this package brings, where the standard is easily got wrong.

import assert from "node:assert";
import { test } from "node:test";

import { Headers } from "../src/headers.js";
import { Request } from "../src/request.js";
import { Response } from "../src/response.js";

const text = async (stream) => {
  const found = [];
  for await (const chunk of stream) found.push(Buffer.from(chunk));
  return Buffer.concat(found).toString();
};

test("headers are sorted and joined, but for Set-Cookie", () => {
  const headers = new Headers([["X-B", " 2 "], ["x-a", "1"], ["X-b", "3"]]);
  headers.append("Set-Cookie", "a=1");
  headers.append("Set-Cookie", "b=2");
  assert.deepEqual([...headers], [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "1"], ["x-b", "2, 3"]]);
  assert.deepEqual(headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(headers.get("x-B"), "2, 3");
  assert.equal(headers.get("missing"), null);
  headers.delete("X-B");
  assert.equal(headers.has("x-b"), false);
});

test("headers that would split a message are refused", () => {
  for (const [name, value] of [["a b", "x"], ["", "x"], ["a", "x\ny"], ["a", "x\0"], ["a", "\u20ac"]]) {
    assert.throws(() => new Headers([[name, value]]), TypeError, JSON.stringify([name, value]));
  }
  assert.throws(() => new Headers([["only"]]), TypeError);
  assert.throws(() => new Headers("a: b"), TypeError);
});

test("a copy of headers is its own", () => {
  const one = new Headers({ a: "1" });
  const other = new Headers(one);
  other.append("a", "2");
  assert.equal(one.get("a"), "1");
});

test("a body is read once, in each of the ways", async () => {
  assert.equal(await new Response("h\u00e9").text(), "h\u00e9");
  assert.deepEqual(await new Response('{"a":1}').json(), { a: 1 });
  assert.deepEqual([...new Uint8Array(await new Response(new Uint8Array([1, 2])).arrayBuffer())], [1, 2]);
  assert.equal((await new Response("abc").blob()).size, 3);
  assert.equal(await text(new Response("abc").body), "abc");
  const response = new Response("abc");
  await response.text();
  assert.equal(response.bodyUsed, true);
  await assert.rejects(response.text(), TypeError);
  assert.throws(() => response.clone(), TypeError);
  const seen = new Response("abc");
  seen.body.getReader();
  await assert.rejects(seen.text(), TypeError, "somebody reads it");
});

test("a body may be anything that yields bytes or text", async () => {
  async function* pieces() {
    yield "a";
    yield new Uint8Array([98]);
  }
  assert.equal(await new Response(pieces()).text(), "ab");
  assert.equal(await new Response(["a", "b"]).text(), "ab");
  assert.equal(await new Response(new Blob(["ab"])).text(), "ab");
  assert.equal(await new Response(new URLSearchParams({ a: "1 2" })).text(), "a=1+2");
  assert.equal(await new Response(5).text(), "5");
  await assert.rejects(new Response([5]).text(), TypeError);
});

test("what the application does to its bytes afterwards is not sent", async () => {
  const bytes = new Uint8Array([97]);
  const response = new Response(bytes);
  bytes[0] = 98;
  assert.equal(await response.text(), "a");
});

test("a clone is read beside its original", async () => {
  async function* pieces() {
    yield "abc";
  }
  for (const body of ["abc", pieces()]) {
    const response = new Response(body);
    const clone = response.clone();
    assert.equal(await response.text(), "abc");
    assert.equal(await clone.text(), "abc");
  }
});

test("a stream that is left tells who made it", async () => {
  let closed = false;
  async function* pieces() {
    try {
      yield "a";
      yield "b";
    } finally {
      closed = true;
    }
  }
  const reader = new Response(pieces()).body.getReader();
  await reader.read();
  await reader.cancel();
  assert.equal(closed, true);
});

test("types are told unless the application does", () => {
  assert.equal(new Response("x").headers.get("content-type"), "text/plain;charset=UTF-8");
  assert.equal(new Response("x", { headers: { "Content-Type": "text/css" } }).headers.get("content-type"), "text/css");
  assert.equal(new Response(new Uint8Array()).headers.get("content-type"), null);
  assert.equal(Response.json(1).headers.get("content-type"), "application/json");
});

test("statuses are those of the standard", () => {
  for (const status of [199, 600, 200.5, "x"]) assert.throws(() => new Response(null, { status }), RangeError);
  for (const status of [204, 304]) assert.throws(() => new Response("x", { status }), TypeError);
  assert.throws(() => new Response("x", { statusText: "a\nb" }), TypeError);
  assert.equal(Response.redirect("/x", 303).headers.get("location"), "/x");
  assert.throws(() => Response.redirect("/x", 200), RangeError);
});

test("requests have a method, a URL and a body where there may be one", async () => {
  assert.throws(() => new Request("/relative"), TypeError);
  assert.throws(() => new Request("http://a/", { body: "x" }), TypeError);
  assert.throws(() => new Request("http://a/", { method: "a b" }), TypeError);
  const request = new Request("http://a/?x", { method: "post", body: "abc" });
  assert.deepEqual([request.method, request.url], ["POST", "http://a/?x"]);
  const other = new Request(request, { headers: { a: "b" } });
  assert.equal(await other.text(), "abc");
  assert.equal(request.bodyUsed, true);
});

test("the host's bytes are read when they are wanted", async () => {
  const pieces = ["a", "b", ""].map((piece) => new TextEncoder().encode(piece));
  let reads = 0;
  const read = () => pieces[reads++];
  const given = { method: "POST", headers: {}, signal: null };
  const request = Request.incoming("http://a/", { ...given, read });
  assert.equal(reads, 0);
  const reader = request.body.getReader();
  await reader.read();
  assert.equal(reads, 1, "one piece at a time");
  reader.releaseLock();
  assert.equal(await request.text(), "b");
  assert.equal(Request.incoming("http://a/", { ...given, method: "GET", read }).body, null);
});

test("forms come and go", async () => {
  const form = new FormData();
  form.append('a"b', "1\n2");
  form.append("file", new File(["\r\n--x"], "f.bin", { type: "text/css" }));
  const sent = new Response(form);
  const back = await sent.formData();
  assert.equal(back.get('a"b'), "1\r\n2");
  const file = back.get("file");
  assert.deepEqual([file.name, file.type, await file.text()], ["f.bin", "text/css", "\r\n--x"]);
  const plain = await new Response(new URLSearchParams({ a: "1 2" })).formData();
  assert.equal(plain.get("a"), "1 2");
});

test("forms that are none are refused", async () => {
  const type = { headers: { "content-type": "multipart/form-data; boundary=x" } };
  for (const body of ["", "--x", "--x\r\n", "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", "nothing of it"]) {
    await assert.rejects(new Response(body, type).formData(), TypeError, JSON.stringify(body));
  }
  await assert.rejects(new Response("a").formData(), TypeError);
});
