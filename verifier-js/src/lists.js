/**
 * The issuer's status lists in memory (draft-ietf-oauth-status-list). A list is fetched when a token first names it, and then in the
 * background at the pace that it asks for, as long as tokens go on naming it. While the issuer does not answer, the last list serves
 * on until it ends by itself (`lastList`) or until it is older than it should be (`refuse`).
 */
import { within } from "./clock.js";
import { invalid, unavailable } from "./error.js";
import { PushedPlaces } from "./pushed.js";
import { readStatusList } from "./status-list.js";
import { STATUS_LIST_TOKEN } from "./token.js";

/** Most lists in memory, and most of their bytes together. */
const MAX_LISTS = 512;
const MAX_BYTES = 256 * 1024 * 1024;

/** The pace of polling, in seconds, whatever a list asks for. */
const [MIN_TTL, MAX_TTL] = [2, 300];

/** How much older than its `ttl` a list may get before that counts, in milliseconds. */
const GRACE = 30_000;

/** How long a list is polled after a token named it last, in milliseconds. */
const INTEREST = 3_600_000;

/** Least time between two attempts to get a list that cannot be had, in milliseconds. */
const RETRY = 1_000;

/** How many lists are fetched at once when all are. */
const AT_ONCE = 8;

export class StatusLists {
  #parts;
  #settings;
  #entries = new Map(); // by uri; the one named longest ago comes first
  #pushed = new PushedPlaces();
  #bytes = 0;
  #closed = false;
  #counts = { fetched: 0, notModified: 0, failures: 0 };

  /** `parts` are `clock`, `http`, `rules` (of `readStatusList`), `denied` and `log`; `settings` are `whenUnreachable` and `firstSight` in milliseconds. */
  constructor(parts, settings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Throws unless this place of this list says that its token is good. */
  async check(uri, index) {
    const { clock } = this.#parts;
    const entry = this.#entry(uri);
    entry.namedAt = clock.elapsed();
    const state = this.#state(entry);
    if (state === "due" && clock.elapsed() - entry.triedAt > paceOf(entry.list)) this.#refresh(entry);
    if (state === "late" || state === "unusable") await this.#wait(entry);
    if (this.#state(entry) === "unusable") throw unavailable("unavailable", RETRY / 1000);
    const value = entry.list.get(index);
    if (value === undefined) throw invalid("status");
    if (value !== 0 || this.#pushed.has(uri, index)) throw invalid("revoked");
  }

  /** Fetches lists before any token names them. */
  preload(uris) {
    const entries = uris.slice(0, MAX_LISTS).map((uri) => this.#entry(uri));
    return someAtOnce(entries, (entry) => (entry.list ? undefined : this.#refresh(entry)));
  }

  /** The stream says that these places are set. */
  heard(uri, indices) {
    const now = this.#parts.clock.unixTime();
    this.#pushed.expire(now - 3600);
    const entry = this.#entries.get(uri);
    if (!this.#pushed.add(uri, indices, now) && entry) this.#refreshAgain(entry);
  }

  /** Something may have been missed: fetches all lists again. */
  refreshAll() {
    return someAtOnce([...this.#entries.values()], (entry) => this.#refreshAgain(entry));
  }

  /** Fetches one list again, whichever was named last: all say which keys are denied. */
  async refreshOne() {
    const entry = [...this.#entries.values()].at(-1);
    if (entry) await this.#refreshAgain(entry);
  }

  /** A key was stolen: what it signed is not believed any more. */
  forgetSignedBy(kid) {
    for (const entry of this.#entries.values()) {
      if (entry.list?.kid === kid) this.#install(entry, undefined);
    }
  }

  close() {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.cancel?.();
  }

  metrics() {
    const now = this.#parts.clock.elapsed();
    const ages = [...this.#entries.values()].filter(({ list }) => list).map(({ confirmedAt }) => (now - confirmedAt) / 1000);
    return { count: ages.length, bytes: this.#bytes, oldest: ages.length > 0 ? Math.max(...ages) : undefined, ...this.#counts };
  }

  /** The entry of a list, moved to the end of the row. */
  #entry(uri) {
    const entry = this.#entries.get(uri) ?? { uri, namedAt: this.#parts.clock.elapsed(), confirmedAt: -Infinity, triedAt: -Infinity, failed: false };
    this.#entries.delete(uri);
    this.#entries.set(uri, entry);
    this.#makeRoom(entry);
    return entry;
  }

  #drop(entry) {
    entry.cancel?.();
    this.#install(entry, undefined);
    this.#entries.delete(entry.uri);
  }

  /** `fresh`; `due`: good, and to be fetched; `late`: much too old, so that one waits for a better one; `unusable`: there is none. */
  #state({ list, confirmedAt, failed }) {
    const { clock, rules } = this.#parts;
    if (!list || list.expiresAt <= clock.unixTime() - rules.leeway) return "unusable";
    const age = clock.elapsed() - confirmedAt;
    const pace = paceOf(list);
    if (age <= pace) return "fresh";
    if (age <= pace + GRACE) return "due";
    if (this.#settings.whenUnreachable === "refuse") return "unusable";
    // While the issuer does not answer, nobody should wait for it again and again.
    return failed ? "due" : "late";
  }

  /** Waits for the list, not for long. */
  async #wait(entry) {
    const { clock } = this.#parts;
    await within(clock, this.#settings.firstSight, () => this.#refresh(entry)).catch(() => {});
  }

  /** Joins the attempt under way, or starts one unless the last has just failed. Never rejects. */
  async #refresh(entry) {
    if (!entry.running && entry.failed && this.#parts.clock.elapsed() - entry.triedAt < RETRY) return;
    entry.running ??= this.#attempt(entry).finally(() => {
      entry.running = undefined;
      this.#schedule(entry);
    });
    await entry.running;
  }

  /** What is under way may have been answered before the news. */
  async #refreshAgain(entry) {
    await entry.running;
    await this.#refresh(entry);
  }

  async #attempt(entry) {
    const { clock, log } = this.#parts;
    entry.triedAt = clock.elapsed();
    try {
      await this.#fetch(entry, entry.triedAt);
      entry.failed = false;
    } catch (error) {
      entry.failed = true;
      this.#counts.failures += 1;
      log(`could not fetch the status list ${entry.uri}`, error);
    }
  }

  async #fetch(entry, askedAt) {
    const { http, clock, rules, denied } = this.#parts;
    // That a list has not changed is no help when it has ended.
    const isGood = entry.list !== undefined && entry.list.expiresAt > clock.unixTime();
    const headers = { accept: "application/statuslist+jwt", ...(isGood && entry.etag && { "if-none-match": entry.etag }) };
    const answer = await http.read(entry.uri, { limit: STATUS_LIST_TOKEN.maxLength, headers });
    if (answer.status === 304 && isGood) {
      this.#counts.notModified += 1;
      entry.confirmedAt = askedAt;
      return;
    }
    if (answer.status !== 200) throw new Error(`the answer has status ${answer.status}`);
    const token = new TextDecoder().decode(answer.body);
    const list = await readStatusList(token, entry.uri, { ...rules, now: clock.unixTime() });
    this.#counts.fetched += 1;
    for (const kid of list.deniedKids) {
      denied.add(kid, clock.elapsed());
      this.forgetSignedBy(kid);
    }
    if (isOlder(list, entry.list)) throw new Error("the list is older than the one before");
    entry.etag = answer.headers.get("etag") ?? undefined;
    entry.confirmedAt = askedAt;
    if (this.#entries.get(entry.uri) !== entry) return; // dropped in the meantime
    this.#install(entry, list);
    this.#makeRoom(entry);
  }

  #install(entry, list) {
    this.#bytes += (list?.bytes.length ?? 0) - (entry.list?.bytes.length ?? 0);
    entry.list = list;
    // Clocks may differ: a place is rather set for too long than for too short.
    if (list) this.#pushed.settle(entry.uri, list.issuedAt - this.#parts.rules.leeway);
  }

  /** Lets lists go that were named longest ago, until the others fit. */
  #makeRoom(kept) {
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= MAX_BYTES && this.#entries.size <= MAX_LISTS) break;
      if (entry !== kept) this.#drop(entry);
    }
  }

  /** Fetches the list again when it is time, if tokens still name it. */
  #schedule(entry) {
    entry.cancel?.();
    if (this.#closed || this.#entries.get(entry.uri) !== entry) return;
    entry.cancel = this.#parts.clock.after(paceOf(entry.list), () => {
      if (this.#parts.clock.elapsed() - entry.namedAt < INTEREST) this.#refresh(entry);
      else this.#drop(entry);
    });
  }
}

/** Does the work for each, for a few at the same time. */
async function someAtOnce(waiting, work) {
  const worker = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** How often a list is fetched, in milliseconds. */
function paceOf(list) {
  return Math.min(Math.max(list?.ttl ?? MIN_TTL, MIN_TTL), MAX_TTL) * 1000;
}

/** The version orders lists; one version may be signed again later. */
function isOlder(list, before) {
  return before !== undefined && (list.version < before.version || (list.version === before.version && list.issuedAt < before.issuedAt));
}
