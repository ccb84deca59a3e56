// An issuer on a loopback port, with the machine's own clock.
import http from "node:http";
import { once } from "node:events";
import { accessToken, newKey, statusList } from "./issuer.mjs";

const now = () => Math.floor(Date.now() / 1000);

export class IssuerServer {
  key = newKey("live");
  revoked = [];
  version = 1;
  asked = [];
  streams = new Set();

  static async start() {
    const issuer = new IssuerServer();
    issuer.server = http.createServer((request, response) => issuer.answer(request, response)).listen(0, "127.0.0.1");
    await once(issuer.server, "listening");
    issuer.address = `http://127.0.0.1:${issuer.server.address().port}`;
    issuer.list = `${issuer.address}/status/1`;
    return issuer;
  }

  answer(request, response) {
    this.asked.push(request.url);
    const { address } = this;
    const json = (value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value));
    switch (request.url) {
      case "/.well-known/openid-configuration":
        return json({
          issuer: address,
          jwks_uri: `${address}/keys`,
          token_endpoint: `${address}/token`,
          frontdesk_revocation_stream_endpoint: `${address}/revocations/stream`,
        });
      case "/keys":
        return json({ keys: [this.key.jwk] });
      case "/token":
        return json({ access_token: "stream-token", token_type: "Bearer" });
      case "/status/1":
        response.setHeader("content-type", "application/statuslist+jwt");
        return response.end(statusList(this.revoked, { key: this.key, uri: this.list, issuer: address, iat: now(), version: this.version, ttl: 300 }));
      case "/revocations/stream":
        response.writeHead(200, { "content-type": "text/event-stream" }).write("event: reset\ndata: {}\n\n");
        this.streams.add(response);
        return undefined;
      default:
        return response.writeHead(404).end();
    }
  }

  token(idx, changes = {}) {
    const status = { status_list: { idx, uri: this.list } };
    return accessToken({ iat: now(), exp: now() + 600, status, ...changes }, { key: this.key, issuer: this.address });
  }

  push(event, data) {
    for (const stream of this.streams) stream.write(`id: 1\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

