const encoder = new TextEncoder();

// Server-sent events: `count` of them, `interval` milliseconds apart, each with the client before the next is due.
export function events(query) {
  const count = Math.min(Number(query.get("count") ?? 5), 100);
  const interval = Number(query.get("interval") ?? 1000);
  let sent = 0;
  const stream = new ReadableStream({
    async pull(controller) {
      if (sent === count) {
        controller.close();
        return;
      }
      if (sent > 0) await new Promise((resolve) => setTimeout(resolve, interval));
      sent += 1;
      controller.enqueue(encoder.encode(`id: ${sent}\ndata: ${JSON.stringify({ tick: sent, of: count })}\n\n`));
    },
    cancel(reason) {
      console.log(`the client left after ${sent} events: ${reason.message}`);
    },
  }, { highWaterMark: 0 });
  return new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}
