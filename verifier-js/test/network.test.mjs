// With the real `fetch` and the machine's clock: an issuer and an API on loopback.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { bearer, createVerifier } from "frontdesk-verifier";
import { until } from "./support/clock.mjs";
import { AUDIENCE } from "./support/issuer.mjs";
import { IssuerServer } from "./support/server.mjs";

let issuer;
before(async () => (issuer = await IssuerServer.start()));
after(() => issuer.stop());

const make = (options = {}) => createVerifier({ issuer: issuer.address, audience: AUDIENCE, status: { firstSight: 30 }, ...options });

/** Serves with the middleware until the test ends, and gives a way to ask. */
async function api(t, verifier, needs) {
  const guard = bearer(verifier, needs);
  const server = http.createServer((request, response) =>
    guard(request, response, (fault) => (fault ? response.writeHead(500).end() : response.end(`for ${request.principal.subject}`))),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    verifier.close();
    server.closeAllConnections();
    server.close();
  });
  return async (token, path = "/notes", headers = {}) => {
    const given = token === undefined ? headers : { authorization: `Bearer ${token}`, ...headers };
    const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: given });
    return [answer.status, answer.headers.get("www-authenticate"), await answer.text()];
  };
}

const REALM = `Bearer realm="${AUDIENCE}"`;

test("the middleware lets good tokens pass and answers the others", async (t) => {
  const ask = await api(t, make(), { scope: "notes:read" });
  issuer.revoked = [5];
  assert.deepEqual(await ask(issuer.token(1)), [200, null, "for user-1"]);
  assert.deepEqual(await ask(undefined), [401, REALM, ""]);
  assert.deepEqual(await ask(issuer.token(5)), [401, `${REALM}, error="invalid_token"`, ""]);
  assert.deepEqual(await ask("nonsense"), [401, `${REALM}, error="invalid_token"`, ""]);
  assert.deepEqual(await ask(issuer.token(1, { scope: "notes:write" })), [403, `${REALM}, error="insufficient_scope", scope="notes:read"`, ""]);
  assert.deepEqual(await ask(issuer.token(1), "/notes?access_token=x"), [400, `${REALM}, error="invalid_request"`, ""]);
});

test("the middleware asks for a better sign-in", async (t) => {
  const ask = await api(t, make(), { acr: ["mfa"] });
  assert.deepEqual(await ask(issuer.token(1, { acr: "mfa" })), [200, null, "for user-1"]);
  assert.deepEqual(await ask(issuer.token(1)), [401, `${REALM}, error="insufficient_user_authentication", acr_values="mfa"`, ""]);
});

test("a fault of the program goes to the framework, and nobody gets in", async (t) => {
  const ask = await api(t, make({ clock: { unixTime: () => assert.fail("a broken clock") } }));
  assert.deepEqual(await ask(issuer.token(1)), [500, null, ""]);
});

test("an issuer that is away is 503", async (t) => {
  const ask = await api(t, createVerifier({ issuer: "http://127.0.0.1:9", audience: AUDIENCE }));
  const away = issuer.key.sign({ typ: "at+jwt" }, { iss: "http://127.0.0.1:9" });
  assert.deepEqual(await ask(away), [503, null, ""]);
});

test("a handler for the Fetch standard, as workers have it", async () => {
  const verifier = make();
  const handler = async (request) => {
    try {
      const caller = await verifier.verifyRequest(request);
      caller.requireScope("notes:read");
      return new Response(caller.subject);
    } catch (error) {
      return new Response(null, verifier.refusal(error));
    }
  };
  const ask = (headers) => handler(new Request("https://api.example.com/notes", { headers }));
  assert.equal(await (await ask({ authorization: `Bearer ${issuer.token(1)}` })).text(), "user-1");
  assert.equal((await ask({})).status, 401);
  verifier.close();
});

test("what the stream says is felt before the list is polled again", async () => {
  const verifier = make({ stream: { clientId: "api", clientSecret: "secret" } });
  const token = issuer.token(77);
  assert.equal((await verifier.verify(token)).subject, "user-1");
  await until(() => verifier.metrics().stream.events === 1); // the reset that greets
  issuer.push("revoked", { list: issuer.list, set: [77] });
  await until(() => verifier.metrics().stream.events === 2);
  await assert.rejects(verifier.verify(token), { reason: "revoked" });
  verifier.close();
  await until(() => verifier.metrics().stream.state === "closed");
});

test("polling does not keep a process alive", async () => {
  const program = `
    import { createVerifier } from "frontdesk-verifier";
    const [issuer, audience, token] = process.argv.slice(1);
    const verifier = createVerifier({ issuer, audience, status: { firstSight: 30 } });
    console.log((await verifier.verify(token)).subject, verifier.metrics().lists.count);
  `;
  const here = new URL("..", import.meta.url).pathname;
  const command = ["--input-type=module", "--eval", program, issuer.address, AUDIENCE, issuer.token(1)];
  // The list is polled every five minutes; a process that waits for that is ended, and `execFile` rejects.
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: here, timeout: 120_000 });
  assert.equal(stdout, "user-1 1\n");
});
