export async function* ticks(count) {
  for (let number = 1; number <= count; number += 1) {
    yield `tick ${number}\n`;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export async function* endless(closed) {
  try {
    for (;;) {
      yield "more and more and more\n";
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  } finally {
    closed();
  }
}
