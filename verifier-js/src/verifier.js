/** The checks, in the order in which they are made. */
import { Challenge } from "./challenge.js";
import { checkClaims, claimsIssuer } from "./claims.js";
import { RecentNames } from "./cooldown.js";
import { bearerToken } from "./credentials.js";
import { Discovery } from "./discovery.js";
import { VerifyError, invalid } from "./error.js";
import { Http } from "./http.js";
import { KeyCache } from "./keys.js";
import { StatusLists } from "./lists.js";
import { Principal } from "./principal.js";
import { MAX_FRESHNESS, readSettings } from "./settings.js";
import { checkSignature } from "./signature.js";
import { statusPlace } from "./status.js";
import { RevocationStream } from "./stream.js";
import { ACCESS_TOKEN, parseToken } from "./token.js";

/** How many stolen keys are remembered, and for how long in milliseconds. */
const DENIED_KIDS = [1024, 48 * 3600 * 1000];

/** Sets up a verifier. Nothing is fetched yet; see `warmUp`. */
export const createVerifier = (options) => new Verifier(readSettings(options));

/**
 * Checks the access tokens (RFC 9068) of one issuer for one API. It accepts access tokens only: ID tokens, logout tokens and other JWTs
 * of the same issuer are signed with the same keys and are refused (RFC 8725 section 3.11).
 */
class Verifier {
  #settings;
  #challenge;
  #keys;
  #denied = new RecentNames(...DENIED_KIDS);
  #lists;
  #stream;
  #isListening = false;
  #isClosed = false;
  #counts = { accepted: 0, refused: {} };

  constructor(settings) {
    const { issuer, clock, log, status, leeway, algorithms } = settings;
    this.#settings = settings;
    this.#challenge = new Challenge(settings.realm, settings.resourceMetadata);
    const http = new Http(settings.fetch, clock, settings.app);
    const longest = Math.min(MAX_FRESHNESS, settings.maxStale) * 1000;
    const clampFreshness = (fresh) => Math.max(Math.min(fresh, longest), settings.minFreshness * 1000);
    const discovery = new Discovery({ issuer, http, clock, clampFreshness });
    this.#keys = new KeyCache(
      { clock, http, discovery, clampFreshness, log },
      { maxStale: settings.maxStale * 1000, coolDown: settings.coolDown * 1000, refetchesPerMinute: settings.refetchesPerMinute },
    );
    const rules = {
      issuer: issuer.identifier,
      algorithms,
      leeway,
      isDenied: (kid) => this.#isDenied(kid),
      findKey: async (kid) => this.#keys.atHand(kid) ?? this.#keys.find(kid),
    };
    if (status.policy !== "off") {
      this.#lists = new StatusLists(
        { clock, http, discovery, issuer, log, rules, keys: this.#keys, denied: this.#denied },
        { whenUnreachable: status.whenUnreachable, firstSight: status.firstSight * 1000 },
      );
    }
    if (settings.stream) {
      this.#stream = new RevocationStream({ clock, http, discovery, issuer, log, lists: this.#lists, keys: this.#keys }, settings.stream);
    }
  }

  /**
   * Checks an access token that came with the scheme `Bearer` and says who is calling. Usually this asks nobody. It waits for the issuer
   * when there are no fresh keys yet, or the token names a new one or a new status list. Throws a `VerifyError`.
   */
  async verify(token) {
    this.#start();
    try {
      const principal = await this.#check(token);
      this.#counts.accepted += 1;
      return principal;
    } catch (error) {
      if (error instanceof VerifyError) this.#count(error.reason);
      throw error;
    }
  }

  /** Checks the access token of a request of Node.js, Express or the Fetch standard. */
  async verifyRequest(request) {
    let token;
    try {
      token = bearerToken(request);
    } catch (error) {
      this.#count(error.reason);
      throw error;
    }
    return this.verify(token);
  }

  /** The answer for what `verify`, `verifyRequest` and the principal throw: `{ status, headers }`. */
  refusal(error) {
    return this.#challenge.refusal(error);
  }

  /** Fetches the issuer's keys, if there are none yet, so that the first caller does not wait. With `status.preload`, its lists too. */
  async warmUp() {
    this.#start();
    await this.#keys.warmUp();
    if (this.#settings.status.preload) await this.#lists?.preload();
  }

  /** Counts and ages, for your monitoring. */
  metrics() {
    return {
      accepted: this.#counts.accepted,
      refused: { ...this.#counts.refused },
      keys: this.#keys.metrics(),
      deniedKeys: this.#denied.count(this.#settings.clock.elapsed()),
      ...(this.#lists && { lists: this.#lists.metrics() }),
      ...(this.#stream && { stream: this.#stream.metrics() }),
    };
  }

  /** Stops everything that goes on in the background. Afterwards no token is checked any more. */
  close() {
    this.#isClosed = true;
    this.#keys.close();
    this.#lists?.close();
    this.#stream?.close();
  }

  #start() {
    if (this.#isClosed) throw new Error("the verifier is closed");
    if (this.#isListening) return;
    this.#isListening = true;
    this.#stream?.run();
  }

  async #check(token) {
    const { issuer, audiences, algorithms, leeway, clock, status } = this.#settings;
    const parsed = parseToken(token, ACCESS_TOKEN, algorithms);
    if (this.#isDenied(parsed.kid)) throw invalid("denied_key");
    await checkSignature(parsed, await this.#keyFor(parsed));
    const now = clock.unixTime();
    const claims = checkClaims(parsed.payload, { issuer: issuer.identifier, audiences, leeway, now });
    const place = statusPlace(claims, status.policy, issuer);
    if (place) await this.#lists.check(place.uri, place.index);
    // The list may just have said so.
    if (this.#isDenied(parsed.kid)) throw invalid("denied_key");
    return new Principal(claims, now);
  }

  /** Finds the key by `kid`. Asks the issuer only for tokens that at least claim to be its own. */
  async #keyFor({ kid, payload }) {
    const key = this.#keys.atHand(kid);
    if (key) return key;
    if (!claimsIssuer(payload, this.#settings.issuer.identifier)) throw invalid("unknown_key");
    return this.#keys.find(kid);
  }

  #isDenied(kid) {
    return this.#denied.has(kid, this.#settings.clock.elapsed());
  }

  #count(reason) {
    this.#counts.refused[reason] = (this.#counts.refused[reason] ?? 0) + 1;
  }
}
