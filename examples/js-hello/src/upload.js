// Reads a body of any size in pieces; no more than one of them is in memory.
export async function measure(body) {
  const reader = body.getReader();
  let [bytes, lines] = [0, 0];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
    for (let at = next.value.indexOf(10); at >= 0; at = next.value.indexOf(10, at + 1)) lines += 1;
  }
  return { bytes, lines };
}
