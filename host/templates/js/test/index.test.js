import assert from "node:assert";
import { test } from "node:test";

import app from "../src/index.js";

test("it greets", async () => {
  const response = await app.fetch(new Request("http://localhost/"));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello from {{name}}!\n");
});

test("there is nothing elsewhere", async () => {
  const response = await app.fetch(new Request("http://localhost/elsewhere"));
  assert.equal(response.status, 404);
});
