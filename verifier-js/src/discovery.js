/** The issuer's metadata, of which only the places of things are used. */
import { member, parseObject } from "./json.js";

/** Largest discovery document and key set, in bytes. */
export const MAX_DOCUMENT = 256 * 1024;

/** Where the issuer has its keys and the rest; fetched when somebody asks, and believed for as long as the answer is fresh. */
export class Discovery {
  #issuer;
  #http;
  #clock;
  #clamp;
  #known;

  constructor({ issuer, http, clock, clampFreshness }) {
    this.#issuer = issuer;
    this.#http = http;
    this.#clock = clock;
    this.#clamp = clampFreshness;
  }

  /** The address that the metadata have under this name. It must lie on the issuer's own origin, so that they cannot send us elsewhere. */
  async endpoint(name) {
    const address = member(await this.#metadata(), name);
    if (address === undefined) throw new Error(`the discovery document has no ${name}`);
    if (!this.#issuer.owns(address)) throw new Error(`${name} does not lie on the issuer's origin`);
    return address;
  }

  /** Something was not where it should be: ask again next time. */
  forget() {
    this.#known = undefined;
  }

  async #metadata() {
    const now = this.#clock.elapsed();
    if (this.#known && now < this.#known.until) return this.#known.metadata;
    const { body, freshness } = await this.#http.document(this.#issuer.discoveryUrl, MAX_DOCUMENT);
    const metadata = parseObject(body);
    if (!metadata) throw new Error("the discovery document is not strict JSON");
    // Letter by letter: OpenID Connect Discovery section 4.3.
    if (member(metadata, "issuer") !== this.#issuer.identifier) throw new Error("the discovery document names another issuer");
    this.#known = { metadata, until: now + this.#clamp(freshness) };
    return metadata;
  }
}
