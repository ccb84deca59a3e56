// A `fetch` without a network: answers what it was given, and counts.

export class Documents {
  #answers = new Map();
  asked = [];

  /** `answer` is a text, a function of the request that makes a `Response`, or `null`: nobody answers. */
  set(address, answer, headers = {}) {
    this.#answers.set(address, { answer, headers });
    return this;
  }

  count(address) {
    return this.asked.filter(({ url }) => url === address).length;
  }

  fetch = async (url, options = {}) => {
    const request = { url: String(url), headers: new Headers(options.headers), signal: options.signal, method: options.method ?? "GET", body: options.body };
    this.asked.push(request);
    const { answer, headers } = this.#answers.get(request.url) ?? { answer: () => new Response(null, { status: 404 }) };
    if (answer === null) throw new TypeError("fetch failed");
    return typeof answer === "function" ? answer(request) : new Response(answer, { headers });
  };
}

export const discovery = (issuer, more = {}) => JSON.stringify({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json`, ...more });

/** The documents of an issuer with these keys. */
export function issuerWith(issuer, jwks, more) {
  return new Documents()
    .set(`${issuer}/.well-known/openid-configuration`, discovery(issuer, more))
    .set(`${issuer}/.well-known/jwks.json`, typeof jwks === "string" ? jwks : JSON.stringify(jwks));
}
