/** The issuer's identifier and what may be fetched from it. */

/** Longest address of a status list, in characters. */
const MAX_LIST_ADDRESS = 512;

/** An issuer identifier (RFC 8414 section 2), kept letter by letter, because `iss` is compared that way. */
export class Issuer {
  constructor(identifier) {
    const url = parse(identifier);
    if (!url) throw new TypeError("the issuer is not a URL");
    const isHttps = url.protocol === "https:";
    if (!isHttps && !(url.protocol === "http:" && isLoopback(url))) {
      throw new TypeError("the issuer must use https, except on loopback");
    }
    if (identifier.includes("?") || identifier.includes("#")) throw new TypeError("the issuer must have no query and no fragment");
    if (hasUser(url)) throw new TypeError("the issuer must have no user name and no password");
    this.identifier = identifier;
    this.origin = url.origin;
    this.base = identifier.replace(/\/+$/, "");
  }

  /** Where the metadata is (OpenID Connect Discovery section 4.1). */
  get discoveryUrl() {
    return `${this.base}/.well-known/openid-configuration`;
  }

  /** Does this address lie on the issuer's own origin? Nothing is fetched from elsewhere. */
  owns(address) {
    const url = parse(address);
    return url !== undefined && url.origin === this.origin && !hasUser(url);
  }

  /** Is this the address of one of the issuer's status lists, below `/status/`? It is written in one way only, so that no two texts mean one list. */
  ownsStatusList(address) {
    if (!this.owns(address) || address.length > MAX_LIST_ADDRESS) return false;
    const below = `${this.base}/status/`;
    // Dots, backslashes, tabs and the like do not survive parsing unchanged.
    return address.startsWith(below) && address.length > below.length && !/[?#]/.test(address) && new URL(address).href === address;
  }
}

const hasUser = (url) => url.username !== "" || url.password !== "";

function parse(address) {
  return typeof address === "string" && URL.canParse(address) ? new URL(address) : undefined;
}

/** Is this host the machine itself? `localhost` names are always loopback (RFC 6761 section 6.3). */
function isLoopback({ hostname }) {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
