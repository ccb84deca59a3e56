/** Why a caller is refused: a code for your log, never for the caller. */

const TEXTS = {
  invalid: "the access token is not valid",
  unavailable: "access tokens cannot be checked at the moment",
  missing: "there is no access token",
  request: "the request does not carry its access token as it should",
  forbidden: "the access token does not suffice",
};

/**
 * What every refusal is. The message is the same for every invalid token, so that passing it on tells an attacker nothing
 * (RFC 6750 section 3.1); `reason` is for logs and metrics.
 */
export class VerifyError extends Error {
  constructor(kind, reason, details = {}) {
    super(TEXTS[kind]);
    this.name = "VerifyError";
    this.kind = kind;
    this.reason = reason;
    Object.assign(this, details);
  }
}

/** The token is refused: 401 `invalid_token`. */
export const invalid = (reason) => new VerifyError("invalid", reason);

/** There is nothing to check with, because the issuer cannot be reached: 503. */
export const unavailable = (reason, retryAfter) => new VerifyError("unavailable", reason, { retryAfter });
