/** Who is calling: what a good access token says. */
import { VerifyError } from "./error.js";
import { isStrings } from "./claims.js";

const forbidden = (reason, name, value) => new VerifyError("forbidden", reason, { needed: [name, value] });

/** The caller of an API, read from an access token that passed every check. */
export class Principal {
  #claims;
  #checkedAt;

  constructor(claims, checkedAt) {
    this.#claims = claims;
    this.#checkedAt = checkedAt;
  }

  /** `sub`: the person, or the client itself when `isClient`. Unique within the issuer and never reassigned. */
  get subject() {
    return this.#claims.sub;
  }

  /** `client_id`: the app that holds the token. */
  get clientId() {
    return this.#claims.client_id;
  }

  /** Does the app call for itself, without a person (`client_credentials`)? */
  get isClient() {
    return this.subject === this.clientId;
  }

  /** `scope` as it stands in the token, values separated by spaces. */
  get scope() {
    return this.claim("scope") ?? "";
  }

  /** Was this scope value granted? */
  hasScope(value) {
    return value !== "" && this.scope.split(" ").includes(value);
  }

  /** `acr`: how the person signed in. */
  get acr() {
    return this.claim("acr");
  }

  /** `sid`: the session the token belongs to. */
  get sid() {
    return this.claim("sid");
  }

  /** `act`: who acts for the subject (RFC 8693 section 4.1). */
  get actor() {
    return this.claim("act");
  }

  /** `jti`: the token's own name. */
  get tokenId() {
    return this.#claims.jti;
  }

  /** `auth_time`: when the person signed in, in seconds since 1970. */
  get authTime() {
    return this.claim("auth_time");
  }

  /** `iat`: when the token was made, in seconds since 1970. */
  get issuedAt() {
    return this.#claims.iat;
  }

  /** `exp`: when the token ends, in seconds since 1970. */
  get expiresAt() {
    return this.#claims.exp;
  }

  /** Any other claim. */
  claim(name) {
    return Object.hasOwn(this.#claims, name) ? this.#claims[name] : undefined;
  }

  /** Asks for scope values, separated by spaces; all must have been granted. Else throws what becomes 403 `insufficient_scope`. */
  requireScope(scope) {
    const values = scope.split(/\s+/).filter(Boolean);
    if (!values.every((value) => this.hasScope(value))) throw forbidden("insufficient_scope", "scope", scope);
  }

  /**
   * Asks that the person signed in by one of these `acr` values, best first. Else throws what becomes 401
   * `insufficient_user_authentication` (RFC 9470 section 3).
   */
  requireAcr(values) {
    const wanted = isStrings(values) ? values : [values];
    if (!wanted.includes(this.acr)) throw forbidden("insufficient_user_authentication", "acr_values", wanted.join(" "));
  }

  /** Asks that the person signed in at most so many seconds ago (RFC 9470 section 3). */
  requireRecentSignIn(maxAge) {
    const isRecent = this.authTime !== undefined && this.#checkedAt - this.authTime <= maxAge;
    if (!isRecent) throw forbidden("insufficient_user_authentication", "max_age", maxAge);
  }

  /** What logs and inspectors show: who calls and what for, not every claim. */
  toJSON() {
    return { subject: this.subject, clientId: this.clientId, scope: this.scope };
  }
}
