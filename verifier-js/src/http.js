/** How documents are read from the issuer: without redirects, with a limit in size and time. */
import { within } from "./clock.js";

/** How long a whole answer may take, in milliseconds. */
const TIMEOUT = 5_000;

/** How long a document without `Cache-Control: max-age` counts as fresh, in milliseconds. */
const DEFAULT_FRESHNESS = 300_000;

/** Asks the issuer, always with the same `fetch` and the name of our app. */
export class Http {
  #fetch;
  #clock;
  #headers;

  constructor(fetch, clock, app) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#headers = { "user-agent": "frontdesk-verifier-js", ...(app && { "frontdesk-app": app }) };
  }

  /** Sends a request and gives the answer before its body. A redirect is an answer like others. */
  open(url, { headers, ...options } = {}) {
    return this.#fetch(url, { redirect: "manual", ...options, headers: { ...this.#headers, ...headers } });
  }

  /** Sends a request and reads the whole answer, `limit` bytes at most: `{ status, headers, body }`. */
  read(url, { limit, timeout = TIMEOUT, ...options }) {
    return within(this.#clock, timeout, async (signal) => {
      const response = await this.open(url, { ...options, signal });
      return { status: response.status, headers: response.headers, body: await bytesOf(response, limit) };
    });
  }

  /** The body of a GET that was answered with 200, and for how long it stays fresh, in milliseconds. */
  async document(url, limit) {
    const { status, headers, body } = await this.read(url, { limit, headers: { accept: "application/json" } });
    if (status !== 200) throw new Error(`the answer has status ${status}`);
    return { body, freshness: freshness(headers) };
  }
}

async function bytesOf(response, limit) {
  if (!response.body) return new Uint8Array();
  return collect(response.body, limit);
}

/** All bytes of a stream. Stops reading as soon as there are too many. */
export async function collect(stream, limit) {
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      reader.cancel().catch(() => {});
      throw new TooLarge();
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

export class TooLarge extends Error {
  constructor() {
    super("the answer is too large");
  }
}

/** RFC 9111 section 4.2: `max-age` less `Age`, zero for `no-cache` and `no-store`. */
export function freshness(headers) {
  let fresh = DEFAULT_FRESHNESS;
  for (const part of (headers.get("cache-control") ?? "").split(",")) {
    const directive = part.trim().toLowerCase();
    if (directive === "no-store" || directive === "no-cache") return 0;
    // A value that cannot be read counts as stale (RFC 9111 section 4.2.1).
    if (directive.startsWith("max-age=")) fresh = seconds(directive.slice("max-age=".length).replace(/^"(.*)"$/, "$1"));
  }
  return Math.max(0, fresh - seconds(headers.get("age") ?? ""));
}

const seconds = (text) => (/^\d+$/.test(text.trim()) ? Number(text) * 1000 : 0);
