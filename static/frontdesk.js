// @ts-check
/**
 * Frontdesk for browser apps: sign-in with code and PKCE, an access token that lives only in the memory of the tab, and
 * a refresh token that lives only in an HttpOnly cookie which no script, this one included, can read.
 *
 *     const frontdesk = createFrontdesk({ issuer, clientId, redirectUri, scope, apis: ["https://api.example.com"] });
 *     const answer = await frontdesk.handleCallback();       // null unless this page load answers signIn()
 *     if (answer) history.replaceState(null, "", answer.returnTo);
 *     else await frontdesk.restore();                        // true: the cookie was good, nobody had to sign in
 *
 * No dependencies. Needs a secure context (https, or http://localhost). Works without Web Locks and BroadcastChannel,
 * only less thriftily. Licence: MIT OR Apache-2.0.
 *
 * @module frontdesk
 */

/** The refresh grace of the server; the jitter must be at least twice as long, so that a copied cookie shows itself. */
const GRACE = 30_000;
const JITTER = 2 * GRACE;
/** A frozen tab keeps its lock for ever, so nobody waits longer than this, and nobody steals. */
const LOCK_WAIT = 10_000;
const SIGN_OUT_LOCK_WAIT = 2_000;
/** How long a broadcast may come after the lock. In Chromium it often does, by some milliseconds. */
const BROADCAST_WAIT = 200;
const RETRY_AFTER = 1_000;
/** Answers to requests that nobody finished are forgotten after an hour, the longest life of a sign-in at the server. */
const PENDING_LIFE = 3_600_000;
const PENDING = "frontdesk.sign-in.";
/** Devices with wrong clocks exist; that the token is fresh is proved by its nonce. */
const CLOCK_LEEWAY = 600;

/**
 * @typedef {object} FrontdeskOptions
 * @property {string} issuer  Origin of Frontdesk, as in its discovery document: no path, no trailing slash.
 * @property {string} clientId
 * @property {string} redirectUri  Exactly as registered. The page there calls `handleCallback()`.
 * @property {string} [scope]  Default `openid profile`.
 * @property {string} [resource]  Resource indicator (RFC 8707), when the scopes alone do not tell the API.
 * @property {string[]} [apis]  Origins that `fetch()` may show the access token to. Nobody else ever gets it.
 * @property {string} [postLogoutRedirectUri]  Where the tab goes after `signOut()`. Default: it stays.
 *
 * @typedef {object} SignInOptions
 * @property {string} [prompt]  `login`, `consent`, `select_account` or `none`.
 * @property {string} [loginHint]  Name to prefill.
 * @property {string} [returnTo]  Address in this app to come back to. Default: the present one.
 * @property {Record<string, string>} [parameters]  Further authorization parameters, such as `max_age` or `ui_locales`.
 *
 * @typedef {object} Change  What `onChange` listeners get.
 * @property {"signed_in" | "refreshed" | "signed_out" | "error"} type
 * @property {boolean} remote  True when another tab did it.
 * @property {FrontdeskError} [error]  With `error`: a refresh in the background failed; the next call tries again.
 *
 * @typedef {Readonly<Record<string, any>>} Claims
 * @typedef {{ accessToken: string, expiresAt: number, lifetime: number, scope: string, user: Claims | null }} Tokens
 * @typedef {{ authorize: string, token: string, logout: string }} Endpoints
 * @typedef {{ verifier: string, nonce: string, returnTo: string, at: number }} Pending
 */

/**
 * Every error of this library. `code` is one of
 * `login_required` (nobody is signed in: call `signIn()`), `network` (no answer that this page may read),
 * `invalid_state`, `invalid_issuer`, `invalid_id_token` (an answer that is not for us: refused),
 * `configuration`, `insecure_context`, `server_error`, or an OAuth error of the server such as `access_denied`.
 */
export class FrontdeskError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ error?: string, status?: number, cause?: unknown }} [details]
   */
  constructor(code, message, details = {}) {
    super(message, { cause: details.cause });
    this.name = "FrontdeskError";
    this.code = code;
    /** The server's own `error`, when it sent one: a `login_required` usually stems from `invalid_grant`. */
    this.error = details.error;
    /** The HTTP status of the answer, when there was one. */
    this.status = details.status;
  }
}

/**
 * @param {FrontdeskOptions} options
 * @param {typeof globalThis} [env]  The window; tests pass their own.
 */
export function createFrontdesk(options, env = globalThis) {
  return new Frontdesk(options, env);
}

export class Frontdesk {
  #options;
  #env;
  #apis;
  #name;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {Promise<Endpoints> | null} */ #endpoints = null;
  /** @type {Tokens | null} */ #tokens = null;
  /** Known to be signed out: the cookie was tried and refused, or somebody signed out. */
  #signedOut = false;
  /** Grows with every sign-in and sign-out, here or in another tab: what was asked for before is stale after. */
  #epoch = 0;
  /** Grows with every token that another tab has sent us. */
  #heard = 0;
  /** Called with the next message of another tab. */
  #wake = () => {};
  /** @type {Promise<string> | null} */ #flight = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {Set<(change: Change) => void>} */ #listeners = new Set();

  /**
   * @param {FrontdeskOptions} options
   * @param {typeof globalThis} [env]
   */
  constructor(options, env = globalThis) {
    if (!options.clientId || !options.redirectUri) throw new FrontdeskError("configuration", "clientId and redirectUri are needed.");
    if (secureOrigin(options.issuer) !== options.issuer) {
      throw new FrontdeskError("configuration", `The issuer is an origin such as https://id.example.com, without path or trailing slash; got ${options.issuer}.`);
    }
    this.#options = options;
    this.#env = env;
    this.#apis = new Set((options.apis ?? []).map(secureOrigin));
    this.#name = `${options.issuer} ${options.clientId}`;
    if (env.BroadcastChannel) {
      this.#channel = new env.BroadcastChannel(`frontdesk-${this.#name}`);
      this.#channel.onmessage = (event) => this.#hear(event.data);
    }
  }

  /** The claims of the ID token (`sub`, `name`, …), or null. For showing who is here; what they may do, the API decides. */
  get user() {
    return this.#tokens?.user ?? null;
  }

  /** Whether this tab holds an access token. After a page load call `restore()` first. */
  get signedIn() {
    return this.#tokens !== null;
  }

  /**
   * Calls `listener` after every sign-in, refresh and sign-out, in this tab or another.
   *
   * @param {(change: Change) => void} listener
   * @returns {() => void} stops listening
   */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tries the cookie, without leaving the page: true when somebody is signed in. Call it on every page load. */
  async restore() {
    try {
      await this.getAccessToken();
      return true;
    } catch (error) {
      if (error instanceof FrontdeskError && error.code === "login_required") return false;
      throw error;
    }
  }

  /**
   * Sends the tab to the sign-in page. Tries the cookie first if nobody has yet and no `prompt` or `loginHint` is given.
   *
   * @param {SignInOptions} [options]
   * @returns {Promise<boolean>} true: the cookie was good and the tab stays; false: the tab is leaving
   */
  async signIn(options = {}) {
    const { location, sessionStorage, crypto, Date } = this.#env;
    if (!crypto?.subtle) throw new FrontdeskError("insecure_context", "Signing in needs https, or http on localhost.");
    const asked = options.prompt !== undefined || options.loginHint !== undefined;
    if (!asked && (await this.restore())) return true;

    const returnTo = new URL(options.returnTo ?? location.href, location.href);
    if (returnTo.origin !== location.origin) throw new FrontdeskError("configuration", "returnTo must lead to this app.");
    const { authorize } = await this.#discover();
    const [state, nonce, verifier] = [this.#random(), this.#random(), this.#random()];
    /** @type {Record<string, string | undefined>} */
    const parameters = {
      ...options.parameters,
      response_type: "code",
      client_id: this.#options.clientId,
      redirect_uri: this.#options.redirectUri,
      scope: this.#scope,
      resource: this.#options.resource,
      prompt: options.prompt,
      login_hint: options.loginHint,
      state,
      nonce,
      code_challenge: await codeChallenge(verifier, crypto),
      code_challenge_method: "S256",
    };
    const url = new URL(authorize);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    this.#sweepPending();
    /** @type {Pending} */
    const pending = { verifier, nonce, returnTo: returnTo.pathname + returnTo.search + returnTo.hash, at: Date.now() };
    sessionStorage.setItem(PENDING + state, JSON.stringify(pending));
    location.assign(url.href);
    return false;
  }

  /**
   * Finishes a sign-in when `url` is an answer to `signIn()`; otherwise does nothing and gives null. Code and state are
   * taken out of the address bar at once. When the connection breaks here, start again with `signIn()`: a code works once.
   *
   * @param {string | URL | Location} [url]
   * @returns {Promise<{ returnTo: string } | null>}
   */
  async handleCallback(url = this.#env.location) {
    const answer = new URL(String(url));
    const get = answer.searchParams.get.bind(answer.searchParams);
    const [state, code, error] = [get("state"), get("code"), get("error")];
    if (state === null || (code === null && error === null)) return null;
    const { location, history, sessionStorage } = this.#env;
    if (answer.href === location.href) {
      const clean = new URL(answer);
      for (const name of ["code", "state", "iss", "error", "error_description", "error_uri", "session_state"]) clean.searchParams.delete(name);
      history.replaceState(history.state, "", clean.href);
    }
    const kept = sessionStorage.getItem(PENDING + state);
    sessionStorage.removeItem(PENDING + state);
    if (kept === null) throw new FrontdeskError("invalid_state", "This tab did not ask for this sign-in, or has used it already. Start again.");
    /** @type {Pending} */
    const pending = JSON.parse(kept);
    // RFC 9207: an answer of another issuer must not reach our token endpoint.
    if (get("iss") !== this.#options.issuer) throw new FrontdeskError("invalid_issuer", `The answer does not come from ${this.#options.issuer}.`);
    if (error !== null || code === null) throw new FrontdeskError(error ?? "server_error", get("error_description") ?? `Sign-in ended with ${error}.`, { error: error ?? undefined });

    const { token } = await this.#discover();
    // The same lock as for refreshing: a late cookie of the old family must not overwrite the new one.
    await this.#exclusively(async () => {
      const form = { grant_type: "authorization_code", code, redirect_uri: this.#options.redirectUri, code_verifier: pending.verifier };
      const tokens = this.#readTokens(await this.#post(token, form, 0), pending.nonce);
      this.#epoch += 1;
      this.#keep(tokens, "signed_in", false);
      this.#tell({ type: "signed_in", tokens });
    });
    return { returnTo: pending.returnTo };
  }

  /**
   * The access token; refreshed first when it is missing or about to expire. Fails with `login_required` when nobody is
   * signed in. Do not store it: ask again each time.
   *
   * @param {{ force?: boolean }} [options]  `force`: refresh even if the present token is good.
   */
  async getAccessToken({ force = false } = {}) {
    if (!force) {
      const tokens = this.#tokens;
      if (tokens && tokens.expiresAt - this.#env.Date.now() > Math.min(10_000, tokens.lifetime / 10)) return tokens.accessToken;
      if (this.#signedOut) throw loginRequired();
    }
    this.#flight ??= this.#refresh().finally(() => (this.#flight = null));
    return this.#flight;
  }

  /**
   * `fetch` with the access token for the origins in `apis`; plain `fetch` for all others. A 401 `invalid_token` is
   * answered by one refresh and one more try. Redirects of an API are an error unless `init.redirect` says otherwise,
   * since they could carry the token elsewhere.
   *
   * @param {RequestInfo | URL} input
   * @param {RequestInit} [init]
   */
  async fetch(input, init = {}) {
    const { fetch, location } = this.#env;
    const target = new URL(input instanceof Request ? input.url : String(input), location.href);
    if (!this.#apis.has(target.origin)) return fetch(input, init);
    const request = new Request(input instanceof Request ? input : target, { ...init, redirect: init.redirect ?? "error" });
    /** @param {string} token */
    const send = (token) => {
      const copy = request.clone();
      copy.headers.set("Authorization", `Bearer ${token}`);
      return fetch(copy);
    };
    const used = await this.getAccessToken();
    const response = await send(used);
    if (response.status !== 401) return response;
    // An API that does not expose the header to scripts leaves null here: then a 401 alone has to do.
    const challenge = response.headers.get("WWW-Authenticate");
    if (challenge !== null && !challenge.includes("invalid_token")) return response;
    return send(await this.getAccessToken({ force: this.#tokens?.accessToken === used }));
  }

  /**
   * Signs out: ends the session at Frontdesk with everything that hangs on it, clears the cookies and the tokens of all
   * tabs. The tokens of the tabs go even when the server cannot be reached; then this fails with `network`.
   *
   * @param {{ appOnly?: boolean }} [options]  `appOnly`: end only this app's grant, stay signed in elsewhere.
   */
  async signOut({ appOnly = false } = {}) {
    this.#forget();
    try {
      const { logout } = await this.#discover();
      await this.#exclusively(() => this.#post(logout, appOnly ? {} : { scope: "session" }, 1), SIGN_OUT_LOCK_WAIT);
    } finally {
      this.#forget();
      this.#tell({ type: "signed_out" });
      this.#emit("signed_out", false);
    }
    if (this.#options.postLogoutRedirectUri) this.#env.location.assign(this.#options.postLogoutRedirectUri);
  }

  /** Lets go of timer, channel and tokens, without signing anybody out. */
  close() {
    this.#forget();
    this.#channel?.close();
    this.#channel = null;
    this.#listeners.clear();
  }

  get #scope() {
    return this.#options.scope ?? "openid profile";
  }

  /** One refresh per browser: whoever gets the lock asks the server, the others take what that one broadcasts. */
  async #refresh() {
    const [epoch, heard] = [this.#epoch, this.#heard];
    const { token } = await this.#discover();
    return this.#exclusively(async () => {
      if (this.#heard !== heard || this.#epoch !== epoch) return this.#current();
      let tokens;
      try {
        tokens = this.#readTokens(await this.#post(token, { grant_type: "refresh_token" }, 1), null);
      } catch (error) {
        if (this.#epoch !== epoch) return this.#current();
        if (!(error instanceof FrontdeskError) || error.error !== "invalid_grant") throw error;
        this.#forget();
        this.#tell({ type: "signed_out" });
        this.#emit("signed_out", false);
        throw loginRequired(error);
      }
      // Somebody signed in or out while we asked: this answer belongs to what was before.
      if (this.#epoch !== epoch) return this.#current();
      const samePerson = this.#tokens !== null && this.#tokens.user?.sub === tokens.user?.sub;
      this.#keep(tokens, samePerson ? "refreshed" : "signed_in", false);
      this.#tell({ type: "refreshed", tokens });
      return tokens.accessToken;
    });
  }

  #current() {
    if (!this.#tokens) throw loginRequired();
    return this.#tokens.accessToken;
  }

  /**
   * One at a time per browser, as far as it can be had: after `patience` milliseconds it runs without the lock.
   *
   * @template T
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  async #exclusively(run, patience = LOCK_WAIT) {
    const { navigator, setTimeout, clearTimeout } = this.#env;
    if (!navigator?.locks) return run();
    const name = `frontdesk-refresh-${this.#name}`;
    const [epoch, heard] = [this.#epoch, this.#heard];
    const waiting = new AbortController();
    const timer = setTimeout(() => waiting.abort(), patience);
    let granted = false;
    /** @param {boolean} queued */
    const enter = async (queued) => {
      granted = true;
      clearTimeout(timer);
      // The lock may pass on before the broadcast of its last holder arrives: one timer turn, and a little longer if there was one.
      await this.#pause(0);
      if (queued && this.#epoch === epoch && this.#heard === heard) await this.#nextMessage();
      return run();
    };
    try {
      const first = await navigator.locks.request(name, { ifAvailable: true }, async (lock) => lock && { value: await enter(false) });
      if (first) return first.value;
      return await navigator.locks.request(name, { signal: waiting.signal }, () => enter(true));
    } catch (error) {
      if (granted) throw error;
      return run();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for a message of another tab, not for long. */
  #nextMessage() {
    const { setTimeout, clearTimeout } = this.#env;
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const timer = setTimeout(resolve, BROADCAST_WAIT);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * A POST that carries the cookies and passes the guards of the server.
   *
   * @param {string} endpoint
   * @param {Record<string, string>} form
   * @param {number} retries  After network errors only. Never for a code: it works once.
   * @returns {Promise<any>}
   */
  async #post(endpoint, form, retries) {
    const body = new URLSearchParams({ client_id: this.#options.clientId, ...form });
    if (form.grant_type && this.#options.resource) body.set("resource", this.#options.resource);
    let status, text;
    try {
      const response = await this.#env.fetch(endpoint, {
        method: "POST",
        mode: "cors",
        credentials: "include",
        // Without it, leaving the page now would lose the new cookie.
        keepalive: true,
        cache: "no-store",
        redirect: "error",
        headers: { "X-OAuth-Browser": "1" },
        body,
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      if (retries > 0) {
        await this.#pause(RETRY_AFTER);
        return this.#post(endpoint, form, retries - 1);
      }
      throw this.#unreachable(endpoint, cause);
    }
    if (status === 204) return null;
    const answer = parseJson(text);
    if (status === 200 && answer) return answer;
    const error = typeof answer?.error === "string" ? answer.error : "server_error";
    throw new FrontdeskError(error, answer?.error_description ?? `${endpoint} answered ${status} ${error}.`, { error, status });
  }

  /**
   * @param {string} endpoint
   * @param {unknown} cause
   */
  #unreachable(endpoint, cause) {
    const { clientId, issuer } = this.#options;
    return new FrontdeskError(
      "network",
      `${endpoint} gave no answer that this page may read. The network may be down. Or Frontdesk refused the request: such a 403 carries no ` +
        `CORS headers, so a browser shows only "failed to fetch". Check that ${this.#env.location?.origin} is in allowed_origins of the client ` +
        `"${clientId}", that this page is same-site with ${issuer}, and that it is not framed by another site. The server's log names the guard that refused.`,
      { cause },
    );
  }

  /**
   * Checks a token answer (RFC 6749 5.1, OpenID Connect Core 3.1.3.7). The signature of the ID token is not checked: it comes
   * from the token endpoint itself, over TLS.
   *
   * @param {any} answer
   * @param {string | null} nonce  The one sent with the authorization request; null at a refresh.
   * @returns {Tokens}
   */
  #readTokens(answer, nonce) {
    if (answer?.refresh_token !== undefined) {
      throw new FrontdeskError("configuration", `The client "${this.#options.clientId}" is not registered with refresh_token_delivery = "cookie".`);
    }
    if (typeof answer?.access_token !== "string" || !(answer.expires_in > 0) || String(answer.token_type).toLowerCase() !== "bearer") {
      throw new FrontdeskError("server_error", "The token endpoint gave no bearer token.");
    }
    const openid = this.#scope.split(" ").includes("openid");
    let user = nonce === null ? this.user : null;
    if (answer.id_token !== undefined) user = this.#readIdToken(answer.id_token, nonce);
    else if (openid && nonce !== null) throw new FrontdeskError("invalid_id_token", "The ID token is missing.");
    const lifetime = answer.expires_in * 1000;
    return { accessToken: answer.access_token, expiresAt: this.#env.Date.now() + lifetime, lifetime, scope: answer.scope ?? this.#scope, user };
  }

  /**
   * @param {unknown} idToken
   * @param {string | null} nonce
   * @returns {Claims}
   */
  #readIdToken(idToken, nonce) {
    const { issuer, clientId } = this.#options;
    const claims = decodePayload(idToken);
    /** @param {string} why */
    const refuse = (why) => new FrontdeskError("invalid_id_token", `The ID token was refused: ${why}.`);
    if (!claims || typeof claims.sub !== "string") throw refuse("it cannot be read");
    if (claims.iss !== issuer) throw refuse("it is from another issuer");
    const audience = [claims.aud].flat();
    if (!audience.includes(clientId)) throw refuse("it is for another app");
    if ((audience.length > 1 || claims.azp !== undefined) && claims.azp !== clientId) throw refuse("it was given to another app");
    if (nonce !== null && claims.nonce !== nonce) throw refuse("its nonce is not ours");
    if (!(claims.exp + CLOCK_LEEWAY > this.#env.Date.now() / 1000)) throw refuse("it has expired, or the clock of this device is wrong");
    return Object.freeze(claims);
  }

  /**
   * @param {Tokens} tokens
   * @param {"signed_in" | "refreshed"} type
   * @param {boolean} remote
   */
  #keep(tokens, type, remote) {
    const { setTimeout, clearTimeout, Date, Math } = this.#env;
    this.#tokens = tokens;
    this.#signedOut = false;
    clearTimeout(this.#timer);
    const jitter = Math.min(JITTER, tokens.lifetime / 5) * Math.random();
    const due = tokens.expiresAt - tokens.lifetime / 5 - jitter;
    this.#timer = setTimeout(() => this.#refreshUnasked(), Math.max(0, due - Date.now()));
    this.#emit(type, remote);
  }

  async #refreshUnasked() {
    try {
      await this.getAccessToken({ force: true });
    } catch (error) {
      if (!(error instanceof FrontdeskError) || error.code === "login_required") return;
      this.#env.console?.warn(error.message);
      this.#emit("error", false, error);
    }
  }

  #forget() {
    this.#epoch += 1;
    this.#tokens = null;
    this.#signedOut = true;
    this.#env.clearTimeout(this.#timer);
  }

  /** @param {{ type: "signed_in" | "refreshed", tokens: Tokens } | { type: "signed_out" }} message */
  #tell(message) {
    this.#channel?.postMessage({ ...message, resource: this.#options.resource });
  }

  /** @param {any} message  From another tab of this origin. */
  #hear(message) {
    // After this turn, when the message has been dealt with.
    queueMicrotask(this.#wake);
    if (message?.type === "signed_out") {
      const before = this.#tokens;
      this.#forget();
      if (before) this.#emit("signed_out", true);
    } else if (message?.tokens && message.resource === this.#options.resource) {
      this.#heard += 1;
      if (message.type === "signed_in") this.#epoch += 1;
      const samePerson = this.#tokens !== null && this.#tokens.user?.sub === message.tokens.user?.sub;
      this.#keep(message.tokens, samePerson ? "refreshed" : "signed_in", true);
    }
  }

  /**
   * @param {Change["type"]} type
   * @param {boolean} remote
   * @param {FrontdeskError} [error]
   */
  #emit(type, remote, error) {
    for (const listener of [...this.#listeners]) {
      try {
        listener({ type, remote, error });
      } catch (thrown) {
        this.#env.reportError?.(thrown);
      }
    }
  }

  /** Asks discovery once. The paths are fixed, so an issuer whose discovery is out of reach still works. */
  #discover() {
    return (this.#endpoints ??= this.#readDiscovery());
  }

  /** @returns {Promise<Endpoints>} */
  async #readDiscovery() {
    const { issuer } = this.#options;
    let found = null;
    try {
      const response = await this.#env.fetch(`${issuer}/.well-known/openid-configuration`, { credentials: "omit" });
      if (response.ok) found = await response.json();
    } catch {
      this.#endpoints = null;
    }
    if (found && found.issuer !== issuer) {
      throw new FrontdeskError("configuration", `Discovery says that the issuer is ${found.issuer}, not ${issuer}.`);
    }
    return {
      authorize: found?.authorization_endpoint ?? `${issuer}/oauth2/authorize`,
      token: found?.token_endpoint ?? `${issuer}/oauth2/token`,
      logout: found?.frontdesk_browser_logout_endpoint ?? `${issuer}/oauth2/browser/logout`,
    };
  }

  #sweepPending() {
    const { sessionStorage, Date } = this.#env;
    for (let index = sessionStorage.length - 1; index >= 0; index -= 1) {
      const key = sessionStorage.key(index);
      if (!key?.startsWith(PENDING)) continue;
      const at = parseJson(sessionStorage.getItem(key) ?? "")?.at;
      if (!(Date.now() - at < PENDING_LIFE)) sessionStorage.removeItem(key);
    }
  }

  #random() {
    return base64url(this.#env.crypto.getRandomValues(new Uint8Array(32)));
  }

  /** @param {number} milliseconds */
  #pause(milliseconds) {
    return new Promise((resolve) => this.#env.setTimeout(resolve, milliseconds));
  }
}

/**
 * The S256 code challenge (RFC 7636 4.2).
 *
 * @param {string} verifier
 * @param {Crypto} [crypto]
 */
export async function codeChallenge(verifier, crypto = globalThis.crypto) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** @param {unknown} [cause] */
function loginRequired(cause) {
  const { error, status } = cause instanceof FrontdeskError ? cause : { error: undefined, status: undefined };
  return new FrontdeskError("login_required", "Nobody is signed in. Call signIn().", { error, status, cause });
}

/** @param {string} address  An https address, or http on a loopback name. */
function secureOrigin(address) {
  let url;
  try {
    url = new URL(address);
  } catch (cause) {
    throw new FrontdeskError("configuration", `${address} is not an address.`, { cause });
  }
  const loopback = /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) {
    throw new FrontdeskError("configuration", `${address} must be https: a token would travel in the clear.`);
  }
  return url.origin;
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * @param {unknown} token
 * @returns {any} the payload of a JWT, unverified, or null
 */
function decodePayload(token) {
  try {
    const [, payload = ""] = String(token).split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/**
 * @param {string} text
 * @returns {any} null when it is not JSON
 */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
