/**
 * The issuer's status lists in memory (draft-ietf-oauth-status-list). A list is fetched when a token first names it, and then in the
 * background at the pace that it asks for, as long as tokens go on naming it. While the issuer does not answer, the last list serves
 * on until it ends by itself (`lastList`) or until it is older than it should be (`refuse`).
 */
import { statusListAddresses } from "./aggregation.js";
import { within } from "./clock.js";
import { invalid, unavailable } from "./error.js";
import { PushedPlaces } from "./pushed.js";
import { DEFAULT_TTL, readStatusList } from "./status-list.js";
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

/**
 * How long after the answer that there is no such list one is asked for again that nobody has seen before, in milliseconds: the first
 * token that names a new list may be here before it.
 */
const NEW_LIST = 200;

/** For how many seconds before it was signed a list may lack what happened then: it was read before it was signed, and clocks differ. */
const MARGIN = 10;

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

  /** `parts` are `clock`, `http`, `discovery`, `issuer`, `rules` (of `readStatusList`), `keys`, `denied` and `log`; `settings` are `whenUnreachable` and `firstSight` in milliseconds. */
  constructor(parts, settings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Throws unless this place of this list says that its token is good. */
  async check(uri, index) {
    const { clock } = this.#parts;
    const entry = this.#entry(uri);
    entry.namedAt = clock.elapsed();
    if (this.#pushed.has(uri, index)) {
      if (!entry.list) this.#refresh(entry); // that nobody waits for it is no reason not to have it
      throw invalid("revoked");
    }
    const state = this.#state(entry);
    if (state === "due" && clock.elapsed() - entry.triedAt > pauseOf(entry)) this.#refresh(entry);
    if (state === "late" || state === "unusable") await this.#wait(entry);
    if (this.#state(entry) === "unusable") throw unavailable("unavailable", RETRY / 1000);
    const value = entry.list.get(index);
    if (value === undefined) throw invalid("status");
    if (value !== 0 || this.#pushed.has(uri, index)) throw invalid("revoked");
  }

  /** Fetches lists that the issuer names before any token names them. Never rejects. */
  async preload(most = MAX_LISTS) {
    try {
      const uris = await statusListAddresses(this.#parts);
      if (this.#closed) return;
      const entries = uris.slice(0, most).map((uri) => this.#entry(uri));
      await someAtOnce(entries, (entry) => (entry.list ? undefined : this.#refresh(entry)));
    } catch (error) {
      this.#parts.log("could not fetch the status lists ahead", error);
    }
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

  /** Fetches one list again, whichever was named last, or any if there is none: all say which keys are denied. */
  async refreshOne() {
    const entry = [...this.#entries.values()].findLast(({ list }) => list);
    if (entry) await this.#refreshAgain(entry);
    else await this.preload(1);
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
    const entry = this.#entries.get(uri) ?? { uri, namedAt: this.#parts.clock.elapsed(), confirmedAt: -Infinity, triedAt: -Infinity, failures: 0 };
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
  #state({ list, confirmedAt, failures }) {
    const { clock, rules } = this.#parts;
    if (!list || list.expiresAt <= clock.unixTime() - rules.leeway) return "unusable";
    const age = clock.elapsed() - confirmedAt;
    const pace = paceOf(list);
    if (age <= pace) return "fresh";
    if (age <= pace + GRACE) return "due";
    if (this.#settings.whenUnreachable === "refuse") return "unusable";
    // While the issuer does not answer, nobody should wait for it again and again.
    return failures > 0 ? "due" : "late";
  }

  /** Waits for the list, not for long. */
  async #wait(entry) {
    const { clock } = this.#parts;
    await within(clock, this.#settings.firstSight, () => this.#refresh(entry)).catch(() => {});
  }

  /** Joins the attempt under way, or starts one unless the last has just failed. Never rejects. */
  async #refresh(entry) {
    if (!entry.running && entry.failures > 0 && this.#parts.clock.elapsed() - entry.triedAt < RETRY) return;
    await this.#run(entry);
  }

  /** Joins the attempt under way, or starts one. */
  async #run(entry) {
    entry.running ??= this.#attempt(entry).finally(() => {
      entry.running = undefined;
      this.#schedule(entry);
    });
    await entry.running;
  }

  /** What is under way may have been answered before the news. */
  async #refreshAgain(entry) {
    await entry.running;
    await this.#run(entry);
  }

  async #attempt(entry) {
    try {
      await this.#fetch(entry);
      entry.failures = 0;
    } catch (error) {
      entry.failures += 1;
      this.#counts.failures += 1;
      this.#parts.log(`could not fetch the status list ${entry.uri}`, error);
    }
  }

  async #fetch(entry) {
    const { clock, rules } = this.#parts;
    const etag = this.#etag(entry);
    let answer = await this.#ask(entry, etag);
    if (answer.status === 404 && !entry.list && entry.failures === 0) {
      await new Promise((resolve) => clock.after(NEW_LIST, resolve));
      if (!this.#closed) answer = await this.#ask(entry);
    }
    const askedAt = entry.triedAt;
    // The list may have been forgotten meanwhile.
    if (answer.status === 304 && etag !== undefined && entry.list) {
      this.#counts.notModified += 1;
      entry.confirmedAt = askedAt;
      return;
    }
    if (answer.status !== 200) throw new Error(`the answer has status ${answer.status}`);
    const token = new TextDecoder().decode(answer.body);
    const list = await readStatusList(token, entry.uri, { ...rules, now: clock.unixTime() });
    // Its key may have been denied while it was checked.
    if (rules.isDenied(list.kid)) throw invalid("denied_key");
    // What a stolen key signed has no version that counts.
    const before = list.deniedKids.includes(entry.list?.kid) ? undefined : entry.list;
    if (before && list.version < before.version) throw new Error("the list is older than the one before");
    this.#counts.fetched += 1;
    entry.confirmedAt = askedAt;
    // The same version, signed earlier, as by another machine of the issuer's: ours lives longer.
    if (before && list.version === before.version && list.issuedAt < before.issuedAt) return;
    this.#deny(list.deniedKids, entry);
    entry.etag = answer.headers.get("etag") ?? undefined;
    if (this.#entries.get(entry.uri) !== entry) return; // dropped in the meantime
    this.#install(entry, list);
    this.#makeRoom(entry);
  }

  /** What the present list is known by, unless it ends before the poll after this one: 304 would not make it live longer. */
  #etag({ list, etag }) {
    const isGood = list && list.expiresAt > this.#parts.clock.unixTime() + (2 * paceOf(list)) / 1000;
    return isGood ? etag : undefined;
  }

  #ask(entry, etag) {
    const { http, clock } = this.#parts;
    entry.triedAt = clock.elapsed();
    const headers = { accept: "application/statuslist+jwt", ...(etag !== undefined && { "if-none-match": etag }) };
    return http.read(entry.uri, { limit: STATUS_LIST_TOKEN.maxLength, headers });
  }

  /** A list says that these keys were stolen: what they signed is not believed any more, and the key set is fetched without them. */
  #deny(kids, source) {
    const { clock, denied, keys, log } = this.#parts;
    const now = clock.elapsed();
    const news = kids.filter((kid) => !denied.has(kid, now));
    for (const kid of kids) denied.add(kid, now);
    if (news.length === 0) return;
    log(`the issuer says that keys were stolen: ${news.join(", ")}`);
    keys.refreshNow();
    const forgotten = [...this.#entries.values()].filter(({ list }) => kids.includes(list?.kid));
    for (const entry of forgotten) this.#install(entry, undefined);
    // The list that says so is about to be replaced anyway.
    const others = forgotten.filter((entry) => entry !== source);
    if (!this.#closed) someAtOnce(others, (entry) => this.#refreshAgain(entry));
  }

  #install(entry, list) {
    this.#bytes += (list?.bytes.length ?? 0) - (entry.list?.bytes.length ?? 0);
    entry.list = list;
    // A place is rather set for too long than for too short.
    if (list) this.#pushed.settle(entry.uri, list.issuedAt - Math.max(this.#parts.rules.leeway, MARGIN));
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
    entry.cancel = this.#parts.clock.after(pauseOf(entry), () => {
      if (this.#parts.clock.elapsed() - entry.namedAt < INTEREST) this.#run(entry);
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
  return Math.min(Math.max(list?.ttl ?? DEFAULT_TTL, MIN_TTL), MAX_TTL) * 1000;
}

/** How long until the next attempt, in milliseconds: soon after one that failed, later and later the more did. */
function pauseOf({ list, failures }) {
  return failures === 0 ? paceOf(list) : Math.min(paceOf(list), RETRY * 2 ** (failures - 1));
}
