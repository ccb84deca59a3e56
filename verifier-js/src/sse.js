/** Server-sent events (WHATWG HTML section 9.2), read from a stream of bytes. */

/** Longest data of an event and longest line, in characters. The server's are far shorter. */
const MAX_EVENT = 1024 * 1024;

/** This event would never end. */
export class TooLong extends Error {
  constructor() {
    super("an event is too long");
  }
}

/** Gives one event after the other: `{ type, data, id }`; `id` is the last that the server sent. `onChunk` hears of every sign of life. */
export async function* events(body, onChunk = () => {}) {
  let event = { type: "", data: [], id: undefined };
  let size = 0;
  for await (const line of lines(body, onChunk)) {
    if (line === "") {
      size = 0;
      const { type, data, id } = event;
      event = { type: "", data: [], id };
      // An id without data counts, too.
      yield { type: data.length > 0 ? type || "message" : undefined, data: data.join("\n"), id };
      continue;
    }
    const [, name, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (name === "event") event.type = value;
    if (name === "data") {
      event.data.push(value);
      size += line.length;
      if (size > MAX_EVENT) throw new TooLong();
    }
    if (name === "id" && !value.includes("\0")) event.id = value;
  }
}

/** Lines end with LF, CR or CRLF. A last one without an end is dropped. */
async function* lines(body, onChunk) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onChunk();
      rest += decoder.decode(value, { stream: true });
      // A CR at the very end may be the first half of CRLF.
      const complete = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
      const found = complete.split(/\r\n|\n|\r/);
      rest = found.pop() + rest.slice(complete.length);
      if (rest.length > MAX_EVENT) throw new TooLong();
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
