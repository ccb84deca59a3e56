/** Where a request carries its token (RFC 6750 section 2). */
import { VerifyError } from "./error.js";

const malformed = () => new VerifyError("request", "malformed_request");

/**
 * The bearer token of a request: one of Node.js or Express, or a `Request` of the Fetch standard. A token in the query is refused even
 * if it is the only one: addresses end up in logs and histories (RFC 9700 section 4.3.2). The body is not looked at.
 */
export function bearerToken(request) {
  if (hasTokenInQuery(request.url ?? "")) throw malformed();
  const [authorization, another] = authorizations(request);
  if (authorization === undefined) throw missing();
  if (another !== undefined) throw malformed();
  const [, scheme, token] = /^([^ ]*)(?: +(.*))?$/s.exec(authorization);
  if (scheme.toLowerCase() !== "bearer") throw missing();
  // RFC 6750 section 2.1: letters, digits and -._~+/, then perhaps =.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token ?? "")) throw malformed();
  return token;
}

const missing = () => new VerifyError("missing", "no_token");

/** All `Authorization` headers. Node.js keeps only the first in `headers`; a `Request` joins them, which then is no token. */
function authorizations({ headers, rawHeaders }) {
  if (typeof headers.get === "function") return [headers.get("authorization") ?? undefined];
  if (!rawHeaders) return [headers.authorization];
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1].toLowerCase() === "authorization");
}

function hasTokenInQuery(url) {
  const [, query = ""] = /^[^?#]*\?([^#]*)/.exec(url) ?? [];
  return new URLSearchParams(query).has("access_token");
}
