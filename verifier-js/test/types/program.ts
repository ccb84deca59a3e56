// Not run: only its types are checked.
import { bearer, bearerToken, createVerifier, Principal, VerifyError } from "frontdesk-verifier";
import type { Metrics, Refusal, Verifier, VerifierOptions } from "frontdesk-verifier";

const options: VerifierOptions = {
  issuer: "https://id.example.com",
  audience: ["https://api.example.com", "urn:old-name"],
  algorithms: ["ES256"],
  leeway: 10,
  realm: "notes",
  status: { policy: "required", whenUnreachable: "refuse", firstSight: 1, preload: true },
  stream: { clientId: "api", clientSecret: "secret" },
  app: "api",
  fetch: (url, init) => fetch(url, init),
  clock: { unixTime: () => 0 },
  log: (message, error) => console.log(message, error),
};
const verifier: Verifier = createVerifier(options);

export async function handler(request: Request): Promise<Response> {
  try {
    const caller: Principal = await verifier.verifyRequest(request);
    caller.requireScope("notes:read");
    caller.requireAcr(["mfa"]);
    const name: string = caller.subject;
    const acr: string | undefined = caller.acr;
    return new Response(`${name} ${acr} ${caller.claim("gid")} ${caller.hasScope("x")} ${caller.expiresAt + 1}`);
  } catch (error) {
    if (error instanceof VerifyError) console.log(error.reason, error.retryAfter);
    const refusal: Refusal = verifier.refusal(error);
    return new Response(null, refusal);
  }
}

const metrics: Metrics = verifier.metrics();
console.log(metrics.refused["expired"], metrics.lists?.count, metrics.stream?.state === "open");
console.log(bearerToken({ headers: { authorization: "Bearer x" }, rawHeaders: [], url: "/" }));

const middleware = bearer(verifier, { scope: "notes:read" });
void middleware({ headers: {} }, { writeHead: () => ({ end: () => undefined }) }, () => undefined);

// @ts-expect-error an audience is needed
createVerifier({ issuer: "https://id.example.com" });
// @ts-expect-error a symmetric algorithm
createVerifier({ issuer: "i", audience: "a", algorithms: ["HS256"] });
// @ts-expect-error there is no such policy
createVerifier({ issuer: "i", audience: "a", status: { policy: "maybe" } });
// @ts-expect-error principals come from the verifier only
new Principal();
