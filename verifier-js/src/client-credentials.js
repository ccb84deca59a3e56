/** Access tokens for ourselves: the grant `client_credentials` (RFC 6749 section 4.4). */
import { member, parseObject } from "./json.js";

/** Largest answer of the token endpoint, in bytes. */
const MAX_ANSWER = 64 * 1024;

export class ClientCredentials {
  #http;
  #discovery;
  #authorization;
  #scope;

  constructor({ http, discovery }, { clientId, clientSecret }, scope) {
    this.#http = http;
    this.#discovery = discovery;
    this.#authorization = `Basic ${btoa(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}`;
    this.#scope = scope;
  }

  /** A new access token. */
  async token() {
    const { status, body } = await this.#http.read(await this.#discovery.endpoint("token_endpoint"), {
      method: "POST",
      limit: MAX_ANSWER,
      headers: {
        accept: "application/json",
        authorization: this.#authorization,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: this.#scope }).toString(),
    });
    const answer = parseObject(body) ?? {};
    const token = member(answer, "access_token");
    if (status !== 200 || typeof token !== "string") {
      throw new Error(`the token endpoint answered ${status} ${member(answer, "error") ?? ""}`.trim());
    }
    return token;
  }
}

/** RFC 6749 section 2.3.1: name and password are form-encoded first. */
const formEncoded = (text) => new URLSearchParams({ "": text }).toString().slice(1);
