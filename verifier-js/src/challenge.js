/** What a refused caller hears: a status and `WWW-Authenticate` (RFC 6750 section 3), nothing more. */
import { VerifyError } from "./error.js";

/** The challenge of one API: `Bearer realm="…"`, perhaps with `resource_metadata` (RFC 9728 section 5.1). */
export class Challenge {
  #prefix;

  constructor(realm, resourceMetadata) {
    this.#prefix = `Bearer realm=${quoted(realm)}`;
    if (resourceMetadata !== undefined) this.#prefix += `, resource_metadata=${quoted(resourceMetadata)}`;
  }

  /** `{ status, headers }`, an answer without a body. An error that is not of this package is thrown again: it is a fault, not a refusal. */
  refusal(error) {
    if (!(error instanceof VerifyError)) throw error;
    switch (error.kind) {
      case "missing": // 401 without an error code, since nothing was wrong
        return this.#answer(401);
      case "request":
        return this.#answer(400, ["error", "invalid_request"]);
      case "forbidden":
        return this.#answer(error.reason === "insufficient_scope" ? 403 : 401, ["error", error.reason], error.needed);
      case "unavailable":
        return { status: 503, headers: { "retry-after": String(Math.max(1, error.retryAfter)) } };
      default: // the same for every reason
        return this.#answer(401, ["error", "invalid_token"]);
    }
  }

  #answer(status, ...parameters) {
    const rest = parameters.map(([name, value]) => `, ${name}=${quoted(value)}`).join("");
    return { status, headers: { "www-authenticate": this.#prefix + rest } };
  }
}

/** A quoted-string (RFC 9110 section 5.6.4). Characters that a header cannot carry are left out. */
function quoted(text) {
  return `"${String(text).replace(/[^\x20-\x7e]/g, "").replace(/["\\]/g, "\\$&")}"`;
}
