/** A middleware for Express, Connect and plain `node:http`. */

/**
 * Lets only requests pass whose access token is good and suffices, and puts the principal on them as `request.principal`. Others get an
 * answer without a body. Put a CORS middleware before this one, since preflight requests carry no token.
 */
export function bearer(verifier, { scope, acr } = {}) {
  return async (request, response, next) => {
    let refusal;
    try {
      const principal = await verifier.verifyRequest(request);
      if (scope !== undefined) principal.requireScope(scope);
      if (acr !== undefined) principal.requireAcr(acr);
      request.principal = principal;
    } catch (error) {
      try {
        refusal = verifier.refusal(error);
      } catch (fault) {
        return next(fault);
      }
    }
    if (!refusal) return next();
    response.writeHead(refusal.status, refusal.headers).end();
  };
}
