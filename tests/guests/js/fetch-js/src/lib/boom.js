export function boom(text) {
  throw new RangeError(text);
}
