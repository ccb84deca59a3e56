/** A signature algorithm. Only public-key algorithms exist here. */
export type Algorithm = "RS256" | "ES256";

/** What a verifier is set up with. All times are in seconds. */
export interface VerifierOptions {
  /** The issuer's identifier, for example `https://id.example.com`. https, or http on loopback. */
  issuer: string;
  /** The identifier of your API, as it is registered with the issuer; several while moving. */
  audience: string | readonly string[];
  /** The algorithms to accept. Default: both. */
  algorithms?: readonly Algorithm[];
  /** By how much the issuer's clock and ours may differ. Default 30, at most 60. */
  leeway?: number;
  /** The `realm` in `WWW-Authenticate`. Default: the audience. */
  realm?: string;
  /** The address of your protected-resource metadata (RFC 9728), which refusals then name. */
  resourceMetadata?: string;
  /** The shortest time that keys count as fresh, whatever the issuer says. Default 30. The longest is 15 minutes. */
  minFreshness?: number;
  /** How old keys may get while the issuer does not answer. Default 3600. Then tokens are refused. */
  maxStale?: number;
  /** Least time between two questions to the issuer, when a token names an unknown key. Default 10. */
  coolDown?: number;
  /** How many questions per minute unknown keys may cause. Default 6. */
  refetchesPerMinute?: number;
  /** Whether and how the status of tokens is looked at. */
  status?: StatusOptions;
  /** The client that listens to the issuer's stream of revocations: its scope must have `frontdesk:revocations`. Default: none. */
  stream?: StreamOptions;
  /** The `client_id` of your service, so that the issuer's operators see that it has the next key before it signs. */
  app?: string;
  /** Another `fetch`. It must not follow redirects when told `redirect: "manual"`. */
  fetch?: typeof globalThis.fetch;
  /** Another clock, or parts of one. */
  clock?: Partial<Clock>;
  /** Hears of what goes wrong in the background. Never of a token. Default: nobody. */
  log?: (message: string, error?: unknown) => void;
}

export interface StatusOptions {
  /** `off`: do not look. `if_present` (default): look where a token names a list. `required`: refuse tokens that name none. */
  policy?: "off" | "if_present" | "required";
  /**
   * What if the list that is in memory cannot be renewed? `last_list` (default): it serves until it ends by itself. `refuse`: half a
   * minute after it should have been renewed, its tokens are refused with 503.
   */
  whenUnreachable?: "last_list" | "refuse";
  /** How long a request may wait for a list that is not in memory. Default 0.5. */
  firstSight?: number;
  /** Should `warmUp` fetch all lists of the issuer? Default: no. */
  preload?: boolean;
}

export interface StreamOptions {
  clientId: string;
  clientSecret: string;
}

/** The kinds of time that a verifier needs. */
export interface Clock {
  /** Seconds since 1970. */
  unixTime(): number;
  /** Milliseconds since any fixed moment; never goes back. */
  elapsed(): number;
  /** Calls back after so many milliseconds, unless what it gives back is called before. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Sets up a verifier. Nothing is fetched yet. Throws a `TypeError` when a setting is wrong or missing. */
export function createVerifier(options: VerifierOptions): Verifier;

/** Checks the access tokens (RFC 9068) of one issuer for one API. */
export interface Verifier {
  /** Checks an access token and says who is calling. Rejects with a `VerifyError`. */
  verify(token: string): Promise<Principal>;
  /** Checks the access token of a request of Node.js, Express or the Fetch standard. Rejects with a `VerifyError`. */
  verifyRequest(request: AnyRequest): Promise<Principal>;
  /** The answer, without a body, for a `VerifyError`. Any other error is thrown again. */
  refusal(error: unknown): Refusal;
  /** Fetches the issuer's keys, if there are none yet. Rejects with a `VerifyError` when they cannot be had now. */
  warmUp(): Promise<void>;
  /** Counts and ages, for your monitoring. */
  metrics(): Metrics;
  /** Stops everything that goes on in the background. Afterwards no token is checked any more. */
  close(): void;
}

/** An answer without a body; fits `new Response(null, refusal)` and `response.writeHead(refusal.status, refusal.headers)`. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
}

/** As much of a request as is looked at. */
export type AnyRequest = NodeRequest | { url: string; headers: { get(name: string): string | null } };

export interface NodeRequest {
  url?: string | undefined;
  headers: { authorization?: string | undefined };
  rawHeaders?: string[];
}

/** The caller of an API, read from an access token that passed every check. */
export class Principal {
  private constructor();
  /** `sub`: the person, or the client itself. */
  readonly subject: string;
  /** `client_id`: the app that holds the token. */
  readonly clientId: string;
  /** Does the app call for itself, without a person? */
  readonly isClient: boolean;
  /** `scope` as it stands in the token. */
  readonly scope: string;
  /** `acr`: how the person signed in. */
  readonly acr: string | undefined;
  /** `sid`: the session the token belongs to. */
  readonly sid: string | undefined;
  /** `act`: who acts for the subject. */
  readonly actor: Record<string, unknown> | undefined;
  /** `jti`: the token's own name. */
  readonly tokenId: string;
  /** `auth_time`: when the person signed in, in seconds since 1970. */
  readonly authTime: number | undefined;
  /** `iat`, in seconds since 1970. */
  readonly issuedAt: number;
  /** `exp`, in seconds since 1970. */
  readonly expiresAt: number;
  /** Any other claim. */
  claim(name: string): unknown;
  /** Was this scope value granted? */
  hasScope(value: string): boolean;
  /** Throws a `VerifyError` (403) unless all these values were granted. */
  requireScope(scope: string): void;
  /** Throws a `VerifyError` (401) unless the person signed in by one of these, best first. */
  requireAcr(values: string | readonly string[]): void;
  /** Throws a `VerifyError` (401) unless the person signed in at most so many seconds ago. */
  requireRecentSignIn(maxAge: number): void;
  toJSON(): { subject: string; clientId: string; scope: string };
}

/** Why a caller is refused. The message never says which check failed. */
export class VerifyError extends Error {
  private constructor();
  readonly kind: "invalid" | "unavailable" | "missing" | "request" | "forbidden";
  /** A short stable code for logs and metrics, such as `expired`; never for the caller. */
  readonly reason: string;
  /** When it is worth trying again, in seconds; only when `kind` is `unavailable`. */
  readonly retryAfter?: number;
}

export interface Metrics {
  accepted: number;
  /** By reason. */
  refused: Record<string, number>;
  /** `age` is in seconds, `undefined` before keys were fetched. */
  keys: { count: number; age: number | undefined; refreshes: number; failures: number };
  /** Stolen keys that are refused, as far as status lists name them. */
  deniedKeys: number;
  /** `oldest` is the age of the list that was confirmed longest ago, in seconds. Absent when the policy is `off`. */
  lists?: { count: number; bytes: number; oldest: number | undefined; fetched: number; notModified: number; failures: number };
  /** Absent without a stream. */
  stream?: { state: "closed" | "connecting" | "open" | "waiting"; connected: number; failures: number; events: number };
}

/** The bearer token of a request. Throws a `VerifyError` when there is none, or it does not stand where it should. */
export function bearerToken(request: AnyRequest): string;

/**
 * A middleware for Express, Connect and plain `node:http`: lets only requests pass whose access token is good and suffices, and puts the
 * principal on them as `request.principal`.
 */
export function bearer(
  verifier: Verifier,
  needs?: { scope?: string; acr?: string | readonly string[] },
): (
  request: NodeRequest & { principal?: Principal },
  response: { writeHead(status: number, headers: Record<string, string>): { end(): unknown } },
  next: (fault?: unknown) => void,
) => Promise<void>;
