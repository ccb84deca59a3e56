/**
 * The issuer's stream of revocations: what the polled lists will say a moment later. It only makes things faster; what it does not
 * say, the lists do.
 */
import { ClientCredentials } from "./client-credentials.js";
import { member, parseObject } from "./json.js";
import { TooLong, events } from "./sse.js";
import { isKid } from "./token.js";

const SCOPE = "frontdesk:revocations";

/** The server says something every 15 seconds; after so many milliseconds without a word the connection counts as dead. */
const SILENCE = 45_000;

/** Between two attempts, in milliseconds: doubled from the one to the other. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1_000, 30_000];

/** Most characters of an event's id. */
const MAX_ID = 64;

export class RevocationStream {
  #parts;
  #credentials;
  #token;
  #lastEventId;
  #state = "closed";
  #counts = { connected: 0, failures: 0, events: 0 };
  #stop = new AbortController();

  /** `parts` are `clock`, `http`, `discovery`, `issuer`, `log`, `lists` (or nothing, where no status is checked) and `keys`. */
  constructor(parts, client) {
    this.#parts = parts;
    this.#credentials = new ClientCredentials(parts, client, SCOPE);
  }

  /** Listens until `close`. */
  async run() {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      let openedAt = Infinity;
      try {
        this.#state = "connecting";
        await this.#listen(() => (openedAt = this.#parts.clock.elapsed()));
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        this.#counts.failures += 1;
        if (error instanceof TooLong) this.#beginAnew();
        this.#parts.log("the stream of revocations broke", error);
      }
      // A stream that has lived ended in good order, for example with its token: what happens meanwhile should not wait.
      const lived = this.#parts.clock.elapsed() - openedAt >= FIRST_PAUSE;
      failures = lived ? 0 : failures + 1;
      if (failures > 0) await this.#pause(failures);
    }
    this.#state = "closed";
  }

  close() {
    this.#stop.abort();
  }

  metrics() {
    return { state: this.#state, ...this.#counts };
  }

  async #listen(onOpen) {
    const { http, discovery, clock } = this.#parts;
    this.#token ??= await this.#credentials.token();
    const address = await discovery.endpoint("frontdesk_revocation_stream_endpoint");
    this.#stop.signal.throwIfAborted();
    const connection = new AbortController();
    const stop = () => connection.abort();
    this.#stop.signal.addEventListener("abort", stop);
    let cancel = clock.after(SILENCE, stop);
    const alive = () => {
      cancel();
      cancel = clock.after(SILENCE, stop);
    };
    try {
      const headers = {
        accept: "text/event-stream",
        authorization: `Bearer ${this.#token}`,
        ...(this.#lastEventId && { "last-event-id": this.#lastEventId }),
      };
      const response = await http.open(address, { headers, signal: connection.signal });
      if (response.status !== 200 || !response.body) {
        if (response.status === 401 || response.status === 403) this.#token = undefined;
        await response.body?.cancel();
        throw new Error(`the answer has status ${response.status}`);
      }
      if (!isEventStream(response.headers)) {
        await response.body.cancel();
        throw new Error("the answer is no event stream");
      }
      onOpen();
      this.#state = "open";
      this.#counts.connected += 1;
      for await (const event of events(response.body, alive)) this.#take(event);
      this.#token = undefined; // streams end with their token
    } finally {
      cancel();
      this.#stop.signal.removeEventListener("abort", stop);
      connection.abort();
    }
  }

  /** What comes next cannot be read, so the lists have to say it. */
  #beginAnew() {
    this.#lastEventId = undefined;
    this.#parts.lists?.refreshAll();
  }

  #take({ type, data, id }) {
    if (type !== undefined) {
      this.#counts.events += 1;
      this.#heard(type, parseObject(data));
    }
    // An id that does not fit a header is as if there were none.
    if (id !== undefined && /^[\x20-\x7e]*$/.test(id) && id.length < MAX_ID) this.#lastEventId = id;
  }

  #heard(type, data = {}) {
    const { lists, keys, issuer, log } = this.#parts;
    if (type === "revoked") {
      const [list, set] = [member(data, "list"), member(data, "set")];
      if (issuer.ownsStatusList(list) && isPlaces(set)) {
        lists?.heard(list, set);
      } else {
        log("an event of the stream of revocations cannot be read");
        lists?.refreshAll();
      }
    } else if (type === "reset") {
      lists?.refreshAll();
    } else if (type === "kid-denied") {
      // A hint only: what the signed lists say counts.
      log(`the issuer says that a key was revoked${isKid(member(data, "kid")) ? `: ${data.kid}` : ""}`);
      keys.refreshNow();
      lists?.refreshOne();
    }
  }

  async #pause(failures) {
    this.#state = "waiting";
    const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => {
      const cancel = this.#parts.clock.after(pause, done);
      this.#stop.signal.addEventListener("abort", done, { once: true });
      const { signal } = this.#stop;
      function done() {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}

const isEventStream = (headers) => /^\s*text\/event-stream\s*(;|$)/i.test(headers.get("content-type") ?? "");

const isPlaces = (set) => Array.isArray(set) && set.every((index) => Number.isSafeInteger(index) && index >= 0);
