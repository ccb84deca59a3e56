/**
 * The issuer's keys in memory: how long they are trusted and when they are fetched again.
 *
 * A set is fresh for as long as the issuer says. In the last fifth of that time a request starts a refresh and does not wait for it.
 * Past it, requests wait for one refresh; if that fails, the old set serves on while attempts go on in the background, until
 * `maxStale`. Then nothing is accepted any more: a key that the issuer removed in an emergency must not live on for ever.
 */
import { within } from "./clock.js";
import { RecentNames, TokenBucket } from "./cooldown.js";
import { MAX_DOCUMENT } from "./discovery.js";
import { invalid, unavailable } from "./error.js";
import { parseKeySet } from "./jwks.js";

/** How long one refresh may take, both documents together, in milliseconds. */
const REFRESH_TIMEOUT = 10_000;

/** Least time between two attempts to hear of changed keys while they fail, in milliseconds. */
const RENEWAL_RETRY = 1_000;

/** How many `kid`s the issuer was asked for and did not have are remembered, and for how long in milliseconds. */
const UNKNOWN_KIDS = [512, 60_000];

/** Why a refresh is wanted: there are no keys fresh enough to answer; they are good for now; one is missing; the issuer told us to. */
const KEYS = { why: "keys" };
const AHEAD = { why: "ahead" };
const TOLD = { why: "told" };
const forKid = (kid) => ({ why: "kid", kid });

export class KeyCache {
  #parts;
  #settings;
  #snapshot; // one whole key set; never changed, only replaced
  #running;
  #lastAttempt = -Infinity;
  #failed = false;
  #refetches;
  #renewal = { isWanted: false, isAsked: false, isClosed: false, wake: () => {} };
  #unknown = new RecentNames(...UNKNOWN_KIDS);
  #counts = { refreshes: 0, failures: 0 };

  /** `parts` are `clock`, `http`, `discovery`, `clampFreshness` and `log`; the settings are in milliseconds. */
  constructor(parts, settings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#refetches = new TokenBucket(settings.refetchesPerMinute);
  }

  /** Finds a key without waiting. Starts a refresh in the background when one is due. */
  atHand(kid) {
    const snapshot = this.#snapshot;
    return snapshot && this.#mayServe(snapshot, this.#parts.clock.elapsed()) ? snapshot.keys.get(kid) : undefined;
  }

  /** Finds a key, asking the issuer if that can help and is allowed now. */
  async find(kid) {
    const now = this.#parts.clock.elapsed();
    const serves = this.#snapshot && this.#mayServe(this.#snapshot, now);
    await this.#begin(serves ? forKid(kid) : KEYS, now);
    const snapshot = this.#usable();
    const key = snapshot.keys.get(kid);
    if (key) return key;
    // Only an answer to a question put after the token came proves that the key is unknown.
    if (snapshot.requestedAt >= now) this.#unknown.add(kid, this.#parts.clock.elapsed());
    throw invalid("unknown_key");
  }

  /** Makes sure that there are keys. */
  async warmUp() {
    const now = this.#parts.clock.elapsed();
    if (!this.#snapshot || !this.#mayServe(this.#snapshot, now)) await this.#begin(KEYS, now);
    this.#usable();
  }

  /** The issuer says that its keys have changed: they are fetched in the background until an answer is here that was asked for after that. */
  refreshNow() {
    const { isWanted, isClosed } = this.#renewal;
    // What is under way may have been answered before the news.
    this.#renewal.isAsked = false;
    this.#renewal.isWanted = true;
    if (!isWanted && !isClosed) this.#renew();
  }

  /** Stops what goes on in the background. */
  close() {
    this.#renewal.isClosed = true;
    this.#renewal.wake();
  }

  metrics() {
    const age = this.#snapshot ? (this.#parts.clock.elapsed() - this.#snapshot.requestedAt) / 1000 : undefined;
    return { count: this.#snapshot?.keys.size ?? 0, age, ...this.#counts };
  }

  /** May this set answer without waiting? Starts the refresh that it may need. */
  #mayServe(snapshot, now) {
    const condition = this.#condition(snapshot, now);
    if (condition === "fresh") return true;
    // While the issuer does not answer, nobody should wait for it again and again.
    const serves = condition === "ageing" || (condition === "stale" && this.#failed);
    if (serves) this.#begin(AHEAD, now);
    return serves;
  }

  #condition({ requestedAt, freshness }, now) {
    const age = now - requestedAt;
    if (age < (freshness / 5) * 4) return "fresh";
    if (age < freshness) return "ageing";
    return age < this.#settings.maxStale ? "stale" : "dead";
  }

  /** The present set, unless it is too old to be trusted. */
  #usable() {
    const snapshot = this.#snapshot;
    if (snapshot && this.#condition(snapshot, this.#parts.clock.elapsed()) !== "dead") return snapshot;
    throw unavailable("no_keys", Math.ceil(this.#retryPause / 1000));
  }

  /** Least time between two attempts while there are no usable keys and callers get 503. */
  get #retryPause() {
    return Math.min(this.#settings.coolDown, 1000);
  }

  async #renew() {
    const { clock } = this.#parts;
    const renewal = this.#renewal;
    for (;;) {
      await this.#running;
      if (!renewal.isWanted || renewal.isClosed) return;
      const now = clock.elapsed();
      const pause = this.#failed ? Math.max(this.#settings.coolDown, RENEWAL_RETRY) : this.#retryPause;
      const rest = this.#lastAttempt + pause - now;
      if (rest <= 0) {
        this.#begin(TOLD, now);
      } else {
        await new Promise((resolve) => {
          const cancel = clock.after(rest, resolve);
          renewal.wake = () => {
            cancel();
            resolve();
          };
        });
      }
    }
  }

  /** Joins the refresh under way, or starts one if it is time. There is never more than one. */
  #begin(need, now) {
    if (need.why === "kid" && this.#unknown.has(need.kid, now)) return undefined;
    if (this.#running) return this.#running;
    if (!this.#isTimeFor(need, now)) return undefined;
    this.#lastAttempt = now;
    this.#renewal.isAsked = true;
    this.#running = this.#refresh(now).finally(() => (this.#running = undefined));
    return this.#running;
  }

  #isTimeFor({ why }, now) {
    if (why === "told") return true; // it has waited for its time
    const rested = (pause) => now - this.#lastAttempt >= pause;
    if (why === "keys") return rested(this.#retryPause);
    return rested(this.#settings.coolDown) && (why === "ahead" || this.#refetches.take(now));
  }

  /** One attempt. Never rejects. */
  async #refresh(now) {
    this.#counts.refreshes += 1;
    const { clock, log, discovery } = this.#parts;
    try {
      this.#snapshot = await within(clock, REFRESH_TIMEOUT, () => this.#load(now));
      this.#failed = false;
      if (this.#renewal.isAsked) this.#renewal.isWanted = false;
    } catch (error) {
      this.#failed = true;
      this.#counts.failures += 1;
      // The keys may have moved: ask for their place again next time.
      discovery.forget();
      log("could not fetch the issuer's keys", error);
    }
  }

  async #load(now) {
    const { http, discovery, clampFreshness } = this.#parts;
    const { body, freshness } = await http.document(await discovery.endpoint("jwks_uri"), MAX_DOCUMENT);
    return { keys: await parseKeySet(body), requestedAt: now, freshness: clampFreshness(freshness) };
  }
}
