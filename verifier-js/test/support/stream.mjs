// The issuer's side of a stream of revocations, without a network.
import { ISSUER } from "./issuer.mjs";

export const STREAM = `${ISSUER}/revocations/stream`;
export const TOKEN = `${ISSUER}/oauth2/token`;
export const METADATA = { token_endpoint: TOKEN, frontdesk_revocation_stream_endpoint: STREAM };

/** Answers the token endpoint and the stream; each connection can be written to and ended. */
export class StreamServer {
  connections = [];
  tokens = [];
  status = 200;

  constructor(documents) {
    documents.set(TOKEN, (request) => {
      this.tokens.push(request);
      return Response.json({ access_token: `token-${this.tokens.length}`, token_type: "Bearer", expires_in: 900 });
    });
    documents.set(STREAM, (request) => {
      if (this.status !== 200) return new Response(null, { status: this.status });
      const connection = { request, lastEventId: request.headers.get("last-event-id") };
      const body = new ReadableStream({
        start: (to) => {
          connection.write = (text) => to.enqueue(new TextEncoder().encode(text));
          connection.end = () => to.close();
          request.signal.addEventListener("abort", () => to.error(request.signal.reason));
        },
      });
      this.connections.push(connection);
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
  }

  get last() {
    return this.connections.at(-1);
  }

  send(event, data, id) {
    this.last.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
