/** How a verifier is set up: defaults and bounds. All times are in seconds. */
import { systemClock } from "./clock.js";
import { Issuer } from "./issuer.js";
import { ALGORITHMS } from "./token.js";

/** Greatest leeway. */
const MAX_LEEWAY = 60;

/** Longest time that keys count as fresh, whatever the issuer says. */
export const MAX_FRESHNESS = 15 * 60;

const POLICIES = ["off", "if_present", "required"];
const WHEN_UNREACHABLE = ["last_list", "refuse"];

/** Reads the options of `createVerifier`. Throws a `TypeError` that says what is wrong. */
export function readSettings(options) {
  const settings = { algorithms: ALGORITHMS, leeway: 30, minFreshness: 30, maxStale: 3600, coolDown: 10, refetchesPerMinute: 6, ...defined(options) };
  const issuer = new Issuer(settings.issuer);
  const audiences = [settings.audience].flat();
  if (audiences.length === 0 || !audiences.every((name) => typeof name === "string" && name !== "")) {
    throw new TypeError("an audience is needed: your API's identifier");
  }
  const { algorithms, leeway, minFreshness, maxStale, coolDown, refetchesPerMinute } = settings;
  if (!Array.isArray(algorithms) || algorithms.length === 0) throw new TypeError("at least one algorithm must be allowed");
  const unknown = algorithms.find((name) => !ALGORITHMS.includes(name));
  if (unknown !== undefined) throw new TypeError(`the algorithm ${unknown} cannot be checked; there are ${ALGORITHMS.join(" and ")}`);
  for (const [name, value] of Object.entries({ leeway, minFreshness, maxStale, coolDown, refetchesPerMinute })) {
    if (typeof value !== "number" || !(value >= 0)) throw new TypeError(`${name} must be a number, not negative`);
  }
  if (leeway > MAX_LEEWAY) throw new TypeError("the leeway may be 60 seconds at most");
  if (minFreshness > Math.min(MAX_FRESHNESS, maxStale)) throw new TypeError("minFreshness may be 15 minutes and maxStale at most");
  if (settings.app !== undefined && !/^[\x20-\x7e]+$/.test(settings.app)) throw new TypeError("app is a client id: printable ASCII, not empty");
  return {
    ...settings,
    issuer,
    audiences,
    realm: settings.realm ?? audiences[0],
    status: readStatus(settings.status),
    stream: readStream(settings.stream),
    clock: { ...systemClock, ...boundMethods(settings.clock) },
    fetch: settings.fetch ?? ((...args) => globalThis.fetch(...args)),
    log: carefully(settings.log),
  };
}

function readStatus(options) {
  const status = { policy: "if_present", whenUnreachable: "last_list", firstSight: 0.5, preload: false, ...defined(options) };
  if (!POLICIES.includes(status.policy)) throw new TypeError(`status.policy is one of ${POLICIES.join(", ")}`);
  if (!WHEN_UNREACHABLE.includes(status.whenUnreachable)) {
    throw new TypeError(`status.whenUnreachable is one of ${WHEN_UNREACHABLE.join(", ")}`);
  }
  if (!(status.firstSight > 0)) throw new TypeError("status.firstSight must be more than zero");
  return status;
}

function readStream(options) {
  if (options === undefined) return undefined;
  const { clientId, clientSecret } = options;
  if (![clientId, clientSecret].every((value) => typeof value === "string" && value !== "")) {
    throw new TypeError("stream needs clientId and clientSecret");
  }
  return { clientId, clientSecret };
}

/** A log that fails must not end what only wanted to tell it something. */
function carefully(log = () => {}) {
  return (message, error) => {
    try {
      log(message, error);
    } catch {
      // There is nobody left to tell.
    }
  };
}

/** What is `undefined` is as if it were not there. */
const defined = (options = {}) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** The clock may be an object of a class. */
function boundMethods(clock = {}) {
  const names = ["unixTime", "elapsed", "after"].filter((name) => typeof clock[name] === "function");
  return Object.fromEntries(names.map((name) => [name, clock[name].bind(clock)]));
}
