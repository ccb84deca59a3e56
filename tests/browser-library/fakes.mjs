// A browser in miniature: one virtual clock, one lock manager and one message bus shared by any number of tabs, and an
// issuer that counts what it is asked. Nothing here waits on a real clock.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { webcrypto } from "node:crypto";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The library, loaded from a copy that ends in `.mjs`: older versions of Node take a lone `.js` for CommonJS. */
export const library = await (async () => {
  const folder = await mkdtemp(join(tmpdir(), "frontdesk-js-"));
  try {
    const copy = join(folder, "frontdesk.mjs");
    await copyFile(fileURLToPath(new URL("../../static/frontdesk.js", import.meta.url)), copy);
    return await import(pathToFileURL(copy).href);
  } finally {
    await rm(folder, { recursive: true });
  }
})();

export const ISSUER = "https://id.example.com";
export const APP = "https://app.example.com";
export const API = "https://api.example.com";
export const CLIENT = "notes";

/** Digests that a thread of Node still works at: the only thing in these tests that takes real time. */
let digesting = 0;

const crypto = {
  getRandomValues: (bytes) => webcrypto.getRandomValues(bytes),
  subtle: {
    async digest(...asked) {
      digesting += 1;
      try {
        return await webcrypto.subtle.digest(...asked);
      } finally {
        digesting -= 1;
      }
    },
  },
};

/** Virtual time in milliseconds; timers fire in order, first come first served among equals. */
export class Clock {
  now = 1_800_000_000_000;
  #timers = [];
  #next = 1;

  setTimeout = (run, delay = 0) => {
    const id = this.#next++;
    this.#timers.push({ id, at: this.now + delay, run });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  };

  /** When the pending timers fall due, in milliseconds from now. */
  get pending() {
    return this.#timers.map((timer) => timer.at - this.now).sort((a, b) => a - b);
  }

  /** Lets everything that needs no virtual time happen: thirty turns after the last digest is there. */
  async settle() {
    for (let turn = 0; turn < 30; turn = digesting > 0 ? 0 : turn + 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async advance(milliseconds) {
    const end = this.now + milliseconds;
    await this.settle();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      this.clearTimeout(due.id);
      this.now = Math.max(this.now, due.at);
      due.run();
      await this.settle();
    }
    this.now = end;
  }
}

/** `navigator.locks`, exclusive mode: `ifAvailable`, abort while waiting, no stealing. */
export class Locks {
  #queues = new Map();
  names = new Set();

  async request(name, options, run) {
    if ("steal" in options) throw new Error("nobody steals");
    this.names.add(name);
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    if (options.ifAvailable) {
      if ("signal" in options) throw new DOMException("signal and ifAvailable exclude each other", "NotSupportedError");
      if (queue.length > 0) return run(null);
    }
    await new Promise((resolve, reject) => {
      const entry = { resolve };
      queue.push(entry);
      if (queue.length === 1) resolve();
      options.signal?.addEventListener("abort", () => {
        const place = queue.indexOf(entry);
        if (place > 0) {
          queue.splice(place, 1);
          reject(new DOMException("aborted", "AbortError"));
        }
      });
    });
    try {
      return await run({ name });
    } finally {
      queue.shift();
      queue[0]?.resolve();
    }
  }
}

/** A browser: tabs made from it share clock, locks and channels. */
export class Browser {
  clock = new Clock();
  locks = new Locks();
  channels = new Set();
  /** Everything ever sent on a channel. */
  messages = [];
  /** How long a message is under way, in milliseconds. */
  delay = 0;
  /** Every call of `fetch` in any tab, with what it was given. */
  sent = [];
  /** What any tab wrote to its console. */
  warnings = [];

  /** @param {(request: Request) => Promise<Response> | Response} server */
  constructor(server) {
    this.server = server;
  }

  tab(changes = {}) {
    const browser = this;
    const stored = new Map();
    const location = {
      href: `${APP}/notes?page=2#top`,
      get origin() {
        return new URL(this.href).origin;
      },
      assigned: [],
      assign(url) {
        this.assigned.push(url);
      },
      toString() {
        return this.href;
      },
    };
    class BroadcastChannel {
      onmessage = null;
      constructor(name) {
        this.name = name;
        browser.channels.add(this);
      }
      postMessage(data) {
        browser.messages.push(data);
        for (const other of browser.channels) {
          if (other === this || other.name !== this.name) continue;
          const copy = structuredClone(data);
          // As in a browser, the message takes a turn, so a lock may pass on before it arrives.
          browser.clock.setTimeout(() => other.onmessage?.({ data: copy }), browser.delay);
        }
      }
      close() {
        browser.channels.delete(this);
      }
    }
    return {
      location,
      stored,
      navigator: { locks: this.locks },
      BroadcastChannel,
      crypto,
      history: { state: null, replaceState: (_state, _title, url) => void (location.href = String(url)) },
      sessionStorage: {
        get length() {
          return stored.size;
        },
        key: (index) => [...stored.keys()][index] ?? null,
        getItem: (key) => stored.get(key) ?? null,
        setItem: (key, value) => void stored.set(key, String(value)),
        removeItem: (key) => void stored.delete(key),
      },
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      Date: { now: () => this.clock.now },
      Math: randomIs(0.5),
      console: { warn: (text) => void this.warnings.push(text) },
      fetch: async (input, init) => {
        const request = new Request(input, init);
        browser.sent.push({ url: request.url, init: init ?? {}, redirect: request.redirect });
        return browser.server(request);
      },
      ...changes,
    };
  }
}

/** A `Math` whose `random` always gives `value`. */
export function randomIs(value) {
  return Object.create(Math, { random: { value: () => value } });
}

export function json(status, body, headers = {}) {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function idToken(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** An issuer that behaves; tests replace single answers. */
export class Issuer {
  requests = [];
  generation = 0;
  /** Whether the browser's cookies are good. */
  cookie = true;
  life = 900;
  claims = { sub: "u_alice", name: "Alice Liddell é" };
  nonce = undefined;
  /** @type {((request: Request, form: URLSearchParams) => Response | undefined | Promise<Response | undefined>) | null} */
  intercept = null;

  constructor() {
    this.browser = new Browser((request) => this.answer(request));
  }

  count(path) {
    return this.requests.filter((request) => request.path === path).length;
  }

  get tokenRequests() {
    return this.requests.filter((request) => request.path === "/oauth2/token");
  }

  tokens(changes = {}) {
    const now = Math.floor(this.browser.clock.now / 1000);
    this.generation += 1;
    return {
      access_token: `at-${this.generation}`,
      token_type: "Bearer",
      expires_in: this.life,
      scope: "openid notes:read",
      id_token: idToken({ iss: ISSUER, aud: CLIENT, iat: now, exp: now + this.life, nonce: this.nonce, ...this.claims }),
      refresh_token_delivery: "cookie",
      ...changes,
    };
  }

  async answer(request) {
    const url = new URL(request.url);
    const form = new URLSearchParams(request.method === "POST" ? await request.clone().text() : "");
    this.requests.push({ origin: url.origin, path: url.pathname, form, headers: request.headers, request });
    const special = await this.intercept?.(request, form);
    if (special) return special;
    if (url.origin !== ISSUER) return json(200, { notes: [] });
    if (url.pathname === "/.well-known/openid-configuration") {
      return json(200, {
        issuer: ISSUER,
        authorization_endpoint: `${ISSUER}/oauth2/authorize`,
        token_endpoint: `${ISSUER}/oauth2/token`,
        frontdesk_browser_logout_endpoint: `${ISSUER}/oauth2/browser/logout`,
      });
    }
    if (url.pathname === "/oauth2/browser/logout") {
      this.cookie = false;
      return new Response(null, { status: 204 });
    }
    if (form.get("grant_type") === "authorization_code") {
      this.cookie = true;
      return json(200, this.tokens());
    }
    return this.cookie ? json(200, this.tokens()) : json(400, { error: "invalid_grant" });
  }

  open(tab, options = {}) {
    return library.createFrontdesk(
      { issuer: ISSUER, clientId: CLIENT, redirectUri: `${APP}/callback`, scope: "openid notes:read", apis: [API], ...options },
      tab,
    );
  }

  /** Goes as far as the sign-in page and gives the parameters that the app sent there. */
  async depart(tab, frontdesk, options = { prompt: "login" }) {
    await frontdesk.signIn(options);
    const sent = new URL(tab.location.assigned.at(-1)).searchParams;
    this.nonce = sent.get("nonce");
    return sent;
  }

  /** Puts the answer of the authorization endpoint into the address bar. */
  arrive(tab, sent, changes = {}) {
    const url = new URL(`${APP}/callback`);
    for (const [name, value] of Object.entries({ code: "fd_ac_1", state: sent.get("state"), iss: ISSUER, ...changes })) {
      if (value !== null) url.searchParams.set(name, value);
    }
    tab.location.href = url.href;
  }

  async signedIn(tab, options) {
    const frontdesk = this.open(tab, options);
    this.arrive(tab, await this.depart(tab, frontdesk));
    const answer = await finish(this.browser.clock, frontdesk.handleCallback());
    return { frontdesk, answer };
  }
}

/** The outcome of a promise, advancing the virtual clock as far as it needs. */
export async function outcome(clock, promise, limit = 60_000) {
  let result = null;
  promise.then(
    (value) => (result = { value }),
    (error) => (result = { error }),
  );
  const end = clock.now + limit;
  for (;;) {
    await clock.settle();
    if (result) break;
    const [next] = clock.pending;
    if (next === undefined || clock.now + next > end) throw new Error("the promise never settled");
    await clock.advance(next);
  }
  return result;
}

/** The value of a promise, or its error thrown, as `outcome` finds it. */
export async function finish(clock, promise) {
  const result = await outcome(clock, promise);
  if ("error" in result) throw result.error;
  return result.value;
}
