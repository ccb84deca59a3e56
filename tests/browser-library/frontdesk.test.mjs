// Tests of static/frontdesk.js. Run: node --test tests/browser-library/frontdesk.test.mjs
import { test } from "node:test";
import assert from "node:assert/strict";
import { API, APP, CLIENT, ISSUER, Issuer, finish, idToken, json, library, outcome, randomIs } from "./fakes.mjs";

const { FrontdeskError, codeChallenge, createFrontdesk } = library;

const refused = (code) => (error) => {
  assert.ok(error instanceof FrontdeskError, `not a FrontdeskError: ${error}`);
  assert.equal(error.code, code);
  return true;
};

function setUp() {
  const issuer = new Issuer();
  return { issuer, clock: issuer.browser.clock, tab: issuer.browser.tab() };
}

test("the code challenge is the one of RFC 7636 appendix B", async () => {
  const challenge = await codeChallenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  assert.equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

test("sign-in asks for a code with S256, state and nonce, and keeps the verifier under the state", async () => {
  const { issuer, tab } = setUp();
  const sent = await issuer.depart(tab, issuer.open(tab), { prompt: "login", loginHint: "alice", parameters: { max_age: "60", state: "mine" } });
  assert.equal(new URL(tab.location.assigned[0]).origin, ISSUER);
  assert.equal(sent.get("response_type"), "code");
  assert.equal(sent.get("client_id"), CLIENT);
  assert.equal(sent.get("redirect_uri"), `${APP}/callback`);
  assert.equal(sent.get("scope"), "openid notes:read");
  assert.equal(sent.get("code_challenge_method"), "S256");
  assert.equal(sent.get("prompt"), "login");
  assert.equal(sent.get("login_hint"), "alice");
  assert.equal(sent.get("max_age"), "60");
  assert.equal(sent.get("state").length, 43, "an app cannot weaken the state");
  const { verifier, nonce } = JSON.parse(tab.stored.get(`frontdesk.sign-in.${sent.get("state")}`));
  assert.equal(nonce, sent.get("nonce"));
  assert.match(verifier, /^[\w-]{43}$/);
  assert.equal(await codeChallenge(verifier), sent.get("code_challenge"));
  assert.equal(new Set([verifier, nonce, sent.get("state")]).size, 3);
});

test("a whole sign-in: the code is redeemed with its verifier, and the address bar is clean", async () => {
  const { issuer, tab } = setUp();
  const frontdesk = issuer.open(tab);
  const sent = await issuer.depart(tab, frontdesk, { prompt: "login", returnTo: "/notes/7#end" });
  const { verifier } = JSON.parse([...tab.stored.values()][0]);
  issuer.arrive(tab, sent);
  const changes = [];
  frontdesk.onChange((change) => changes.push(change.type));
  assert.deepEqual(await finish(issuer.browser.clock, frontdesk.handleCallback()), { returnTo: "/notes/7#end" });
  assert.equal(tab.location.href, `${APP}/callback`);
  assert.equal(tab.stored.size, 0, "the verifier is used once");
  const { form, headers } = issuer.tokenRequests[0];
  assert.deepEqual(Object.fromEntries(form), {
    client_id: CLIENT,
    grant_type: "authorization_code",
    code: "fd_ac_1",
    redirect_uri: `${APP}/callback`,
    code_verifier: verifier,
  });
  assert.equal(headers.get("x-oauth-browser"), "1");
  const { init } = issuer.browser.sent.find((call) => call.url.endsWith("/token"));
  assert.equal(init.credentials, "include");
  assert.equal(init.keepalive, true);
  assert.equal(init.redirect, "error");
  assert.equal(frontdesk.user.name, "Alice Liddell é");
  assert.deepEqual(changes, ["signed_in"]);
  assert.equal(await frontdesk.getAccessToken(), "at-1");
  assert.equal(issuer.tokenRequests.length, 1);
});

test("a page load that is no answer is left alone", async () => {
  const { issuer, tab } = setUp();
  const before = tab.location.href;
  assert.equal(await issuer.open(tab).handleCallback(), null);
  assert.equal(tab.location.href, before);
  assert.equal(issuer.requests.length, 0);
});

test("an answer with a foreign state is refused before anything is sent", async () => {
  const { issuer, tab } = setUp();
  const frontdesk = issuer.open(tab);
  const sent = await issuer.depart(tab, frontdesk);
  issuer.arrive(tab, sent, { state: "somebody-else" });
  await assert.rejects(finish(issuer.browser.clock, frontdesk.handleCallback()), refused("invalid_state"));
  assert.equal(issuer.tokenRequests.length, 0);
  assert.equal(frontdesk.signedIn, false);
  assert.ok(!tab.location.href.includes("fd_ac_"), "the code is gone from the address bar all the same");
});

test("an answer works once", async () => {
  const { issuer, tab } = setUp();
  const frontdesk = issuer.open(tab);
  const sent = await issuer.depart(tab, frontdesk);
  issuer.arrive(tab, sent);
  const url = tab.location.href;
  await finish(issuer.browser.clock, frontdesk.handleCallback());
  await assert.rejects(frontdesk.handleCallback(url), refused("invalid_state"));
  assert.equal(issuer.tokenRequests.length, 1);
});

for (const [what, iss] of [["of another issuer", "https://evil.example"], ["without issuer", null], ["of a look-alike issuer", `${ISSUER}/`]]) {
  test(`an answer ${what} is refused (RFC 9207)`, async () => {
    const { issuer, tab } = setUp();
    const frontdesk = issuer.open(tab);
    issuer.arrive(tab, await issuer.depart(tab, frontdesk), { iss });
    await assert.rejects(finish(issuer.browser.clock, frontdesk.handleCallback()), refused("invalid_issuer"));
    assert.equal(issuer.tokenRequests.length, 0);
    assert.equal(tab.stored.size, 0);
  });
}

test("an error of the authorization endpoint becomes a typed error", async () => {
  const { issuer, tab } = setUp();
  const frontdesk = issuer.open(tab);
  issuer.arrive(tab, await issuer.depart(tab, frontdesk), { code: null, error: "access_denied", error_description: "no" });
  await assert.rejects(finish(issuer.browser.clock, frontdesk.handleCallback()), refused("access_denied"));
  assert.equal(tab.location.href, `${APP}/callback`);
});

const good = { iss: ISSUER, sub: "u_alice", aud: CLIENT, exp: 1_800_000_900 };
for (const [what, claims] of [
  ["a foreign nonce", { ...good, nonce: "other" }],
  ["no nonce", { ...good }],
  ["a foreign issuer", { ...good, iss: "https://evil.example" }],
  ["a foreign audience", { ...good, aud: "other" }],
  ["several audiences and no azp", { ...good, aud: [CLIENT, "other"] }],
  ["a foreign azp", { ...good, azp: "other" }],
  ["an old expiry", { ...good, exp: 1_799_990_000 }],
  ["no expiry", { ...good, exp: undefined }],
  ["no subject", { ...good, sub: undefined }],
]) {
  test(`an ID token with ${what} is refused`, async () => {
    const { issuer, tab } = setUp();
    const frontdesk = issuer.open(tab);
    const sent = await issuer.depart(tab, frontdesk);
    issuer.arrive(tab, sent);
    const nonce = what.endsWith("nonce") ? claims.nonce : sent.get("nonce");
    issuer.intercept = (request, form) => form.has("code") && json(200, issuer.tokens({ id_token: idToken({ ...claims, nonce }) }));
    await assert.rejects(finish(issuer.browser.clock, frontdesk.handleCallback()), refused("invalid_id_token"));
    assert.equal(frontdesk.signedIn, false);
    assert.deepEqual(issuer.browser.messages, []);
  });
}

test("a missing ID token is refused when openid was asked for", async () => {
  const { issuer, tab } = setUp();
  const frontdesk = issuer.open(tab);
  issuer.arrive(tab, await issuer.depart(tab, frontdesk));
  issuer.intercept = (request, form) => form.has("code") && json(200, issuer.tokens({ id_token: undefined }));
  await assert.rejects(finish(issuer.browser.clock, frontdesk.handleCallback()), refused("invalid_id_token"));
});

test("a refresh token in the body is refused: the client is registered wrongly", async () => {
  const { issuer, tab } = setUp();
  issuer.intercept = (request, form) => form.has("grant_type") && json(200, issuer.tokens({ refresh_token: "fd_rt_x" }));
  const frontdesk = issuer.open(tab);
  await assert.rejects(finish(issuer.browser.clock, frontdesk.restore()), refused("configuration"));
  assert.equal(frontdesk.signedIn, false);
});

test("a code is never sent twice, not even after a network error", async () => {
  const { issuer, tab, clock } = setUp();
  const frontdesk = issuer.open(tab);
  issuer.arrive(tab, await issuer.depart(tab, frontdesk));
  issuer.intercept = (request, form) => {
    if (form.has("code")) throw new TypeError("Failed to fetch");
  };
  const { error } = await outcome(clock, frontdesk.handleCallback());
  refused("network")(error);
  assert.equal(issuer.tokenRequests.length, 1);
});

test("on a page load the cookie is tried before any redirect", async () => {
  const { issuer, tab, clock } = setUp();
  const frontdesk = issuer.open(tab);
  assert.deepEqual(await outcome(clock, frontdesk.signIn()), { value: true });
  assert.deepEqual(tab.location.assigned, []);
  assert.deepEqual(Object.fromEntries(issuer.tokenRequests[0].form), { client_id: CLIENT, grant_type: "refresh_token" });
  assert.equal(frontdesk.user.sub, "u_alice");
});

test("without a good cookie sign-in leaves the page, and does not ask the cookie again", async () => {
  const { issuer, tab, clock } = setUp();
  issuer.cookie = false;
  const frontdesk = issuer.open(tab);
  assert.deepEqual(await outcome(clock, frontdesk.restore()), { value: false });
  assert.deepEqual(await outcome(clock, frontdesk.signIn()), { value: false });
  assert.equal(tab.location.assigned.length, 1);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.equal(issuer.count("/.well-known/openid-configuration"), 1);
});

test("returnTo leads nowhere but to this app", async () => {
  const { issuer, tab } = setUp();
  await assert.rejects(issuer.open(tab).signIn({ prompt: "login", returnTo: "https://evil.example/" }), refused("configuration"));
  assert.deepEqual(tab.location.assigned, []);
});

test("sign-ins that nobody finished are forgotten after an hour", async () => {
  const { issuer, tab, clock } = setUp();
  const frontdesk = issuer.open(tab);
  tab.sessionStorage.setItem("other", "untouched");
  await issuer.depart(tab, frontdesk);
  clock.now += 3_599_000;
  await issuer.depart(tab, frontdesk);
  assert.equal(tab.stored.size, 3);
  clock.now += 2_000;
  await issuer.depart(tab, frontdesk);
  assert.equal(tab.stored.size, 3, "the first one is gone");
  assert.equal(tab.stored.get("other"), "untouched");
});

test("fifty calls from five tabs send one refresh", async () => {
  const { issuer, clock } = setUp();
  const tabs = Array.from({ length: 5 }, () => issuer.open(issuer.browser.tab()));
  const begin = clock.now;
  const calls = tabs.flatMap((frontdesk) => Array.from({ length: 10 }, () => frontdesk.getAccessToken({ force: true })));
  const { value } = await outcome(clock, Promise.all(calls));
  assert.equal(clock.now - begin, 0, "who has heard the result waits for nothing");
  assert.deepEqual([...new Set(value)], ["at-1"]);
  assert.equal(value.length, 50);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.deepEqual([...issuer.browser.locks.names], [`frontdesk-refresh-${ISSUER} ${CLIENT}`]);
  assert.ok(tabs.every((frontdesk) => frontdesk.user.sub === "u_alice"));
});

test("a broadcast that arrives well after the lock is waited for", async () => {
  const { issuer, clock } = setUp();
  issuer.browser.delay = 50;
  const begin = clock.now;
  const tabs = Array.from({ length: 5 }, () => issuer.open(issuer.browser.tab()));
  const { value } = await outcome(clock, Promise.all(tabs.map((frontdesk) => frontdesk.getAccessToken({ force: true }))));
  assert.deepEqual([...new Set(value)], ["at-1"]);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.equal(clock.now - begin, 50, "the message ends the wait");
});

test("a tab that has the lock at once waits for no broadcast", async () => {
  const { issuer, tab, clock } = setUp();
  const begin = clock.now;
  await finish(clock, issuer.open(tab).getAccessToken());
  assert.equal(clock.now - begin, 0);
});

test("when the holder of the lock ends without a word, the next one asks the server soon", async () => {
  const { issuer, tab, clock } = setUp();
  let release = () => {};
  issuer.browser.locks.request(`frontdesk-refresh-${ISSUER} ${CLIENT}`, {}, () => new Promise((resolve) => (release = resolve)));
  const token = issuer.open(tab).getAccessToken();
  await clock.advance(3_000);
  release();
  await clock.advance(200);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.equal(await token, "at-1");
});

test("five tabs without a good cookie ask once", async () => {
  const { issuer, clock } = setUp();
  issuer.cookie = false;
  const tabs = Array.from({ length: 5 }, () => issuer.open(issuer.browser.tab()));
  const { value } = await outcome(clock, Promise.all(tabs.map((frontdesk) => frontdesk.restore())));
  assert.deepEqual(value, [false, false, false, false, false]);
  assert.equal(issuer.tokenRequests.length, 1);
});

test("without Web Locks and BroadcastChannel every tab refreshes for itself, once for all its calls", async () => {
  const { issuer, clock } = setUp();
  const bare = { navigator: {}, BroadcastChannel: undefined };
  const tabs = [issuer.open(issuer.browser.tab(bare)), issuer.open(issuer.browser.tab(bare))];
  const calls = tabs.flatMap((frontdesk) => [frontdesk.getAccessToken(), frontdesk.getAccessToken()]);
  const { value } = await outcome(clock, Promise.all(calls));
  assert.deepEqual(value, ["at-1", "at-1", "at-2", "at-2"]);
});

test("a frozen tab that keeps the lock delays the others by ten seconds, not for ever", async () => {
  const { issuer, tab, clock } = setUp();
  issuer.browser.locks.request(`frontdesk-refresh-${ISSUER} ${CLIENT}`, {}, () => new Promise(() => {}));
  const frontdesk = issuer.open(tab);
  const token = frontdesk.getAccessToken();
  await clock.advance(9_999);
  assert.equal(issuer.tokenRequests.length, 0);
  await clock.advance(1);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.equal(await token, "at-1");
});

test("a result that is broadcast while waiting for the lock is used", async () => {
  const { issuer, clock } = setUp();
  const waiting = issuer.open(issuer.browser.tab());
  const other = issuer.open(issuer.browser.tab({ navigator: {} }));
  issuer.browser.locks.request(`frontdesk-refresh-${ISSUER} ${CLIENT}`, {}, () => new Promise(() => {}));
  const token = waiting.getAccessToken();
  await clock.advance(1_000);
  await outcome(clock, other.getAccessToken());
  const { value } = await outcome(clock, token);
  assert.equal(value, "at-1");
  assert.equal(issuer.tokenRequests.length, 1);
});

test("after a network error there is one retry, and a success ends it", async () => {
  const { issuer, tab, clock } = setUp();
  let failures = 1;
  issuer.intercept = (request, form) => {
    if (form.has("grant_type") && failures-- > 0) throw new TypeError("Failed to fetch");
  };
  const { value } = await outcome(clock, issuer.open(tab).getAccessToken());
  assert.equal(value, "at-1");
  assert.equal(issuer.tokenRequests.length, 2);
});

test("after the retry it stops and names the likely causes", async () => {
  const { issuer, tab, clock } = setUp();
  issuer.intercept = (request, form) => {
    if (form.has("grant_type")) throw new TypeError("Failed to fetch");
  };
  const frontdesk = issuer.open(tab);
  const { error } = await outcome(clock, frontdesk.restore());
  refused("network")(error);
  assert.equal(issuer.tokenRequests.length, 2);
  assert.match(error.message, /allowed_origins/);
  assert.match(error.message, /CORS/);
  assert.ok(error.message.includes(APP));
  await clock.advance(3_600_000);
  assert.equal(issuer.tokenRequests.length, 2, "nothing goes on in the background");
});

test("invalid_grant means signed out: a typed error, and no further request until asked", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  const changes = [];
  frontdesk.onChange((change) => changes.push(change.type));
  issuer.cookie = false;
  const { error } = await outcome(clock, frontdesk.getAccessToken({ force: true }));
  refused("login_required")(error);
  assert.equal(error.error, "invalid_grant");
  assert.equal(error.status, 400);
  assert.equal(frontdesk.signedIn, false);
  assert.equal(frontdesk.user, null);
  assert.deepEqual(changes, ["signed_out"]);
  const sent = issuer.tokenRequests.length;
  await assert.rejects(frontdesk.getAccessToken(), refused("login_required"));
  assert.equal(issuer.tokenRequests.length, sent);
  await outcome(clock, frontdesk.getAccessToken({ force: true }));
  assert.equal(issuer.tokenRequests.length, sent + 1);
});

test("an answer of 503 keeps the session", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  issuer.intercept = (request, form) => form.has("grant_type") && json(503, { error: "temporarily_unavailable" });
  const { error } = await outcome(clock, frontdesk.getAccessToken({ force: true }));
  refused("temporarily_unavailable")(error);
  assert.equal(frontdesk.signedIn, true);
  assert.equal(await frontdesk.getAccessToken(), "at-1");
});

test("the refresh comes before 80 % of the life, spread over twice the grace", async () => {
  for (const [random, life, seconds] of [[0, 900, 720], [1, 900, 660], [0, 60, 48], [1, 60, 36]]) {
    const { issuer, clock } = setUp();
    issuer.life = life;
    const tab = issuer.browser.tab({ Math: randomIs(random) });
    const frontdesk = issuer.open(tab);
    await outcome(clock, frontdesk.restore());
    assert.deepEqual(clock.pending, [seconds * 1000]);
    await clock.advance(seconds * 1000);
    assert.equal(issuer.tokenRequests.length, 2);
    assert.equal(await frontdesk.getAccessToken(), "at-2");
  }
});

test("of five idle tabs one refreshes for all", async () => {
  const { issuer, clock } = setUp();
  const tabs = [0.1, 0.9, 0.4, 0.6, 0.2].map((random) => issuer.open(issuer.browser.tab({ Math: randomIs(random) })));
  await outcome(clock, Promise.all(tabs.map((frontdesk) => frontdesk.restore())));
  assert.equal(issuer.tokenRequests.length, 1);
  await clock.advance(721_000);
  assert.equal(issuer.tokenRequests.length, 2);
  for (const frontdesk of tabs) assert.equal(await frontdesk.getAccessToken(), "at-2");
});

test("a refresh that fails in the background says so and keeps the token that is still good", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  const changes = [];
  frontdesk.onChange((change) => changes.push(change));
  issuer.intercept = (request, form) => {
    if (form.has("grant_type")) throw new TypeError("Failed to fetch");
  };
  await clock.advance(730_000);
  assert.equal(changes.length, 1);
  assert.equal(changes[0].type, "error");
  refused("network")(changes[0].error);
  assert.equal(issuer.browser.warnings.length, 1);
  assert.equal(await frontdesk.getAccessToken(), "at-1");
});

test("a token about to expire is not handed out", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  clock.now += 889_000;
  assert.equal(await frontdesk.getAccessToken(), "at-1");
  clock.now += 1_000;
  const { value } = await outcome(clock, frontdesk.getAccessToken());
  assert.equal(value, "at-2");
});

test("the bearer token goes to the named APIs and to nobody else", async () => {
  const { issuer, tab } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  issuer.requests.length = 0;
  const foreign = ["https://api.example.com.evil.example/", "http://api.example.com/", "https://api.example.com:8443/", "https://evil.example/", "//evil.example/x", "/same-origin", `${ISSUER}/oauth2/userinfo`];
  for (const url of foreign) {
    const absolute = new URL(url, APP).href;
    await frontdesk.fetch(absolute, { headers: { "X-Mine": "1" } });
    await frontdesk.fetch(new Request(absolute));
  }
  assert.equal(issuer.requests.length, foreign.length * 2);
  assert.ok(issuer.requests.every((request) => request.headers.get("authorization") === null));
  issuer.requests.length = 0;
  await frontdesk.fetch(`${API}/notes`, { method: "POST", body: "x", headers: { "X-Mine": "1" } });
  await frontdesk.fetch(new Request(`${API}/notes`));
  assert.deepEqual(issuer.requests.map((request) => request.headers.get("authorization")), ["Bearer at-1", "Bearer at-1"]);
  assert.equal(issuer.requests[0].headers.get("x-mine"), "1");
  assert.equal(await issuer.requests[0].request.text(), "x");
});

test("an API may not redirect the token elsewhere", async () => {
  const { issuer, tab } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  await frontdesk.fetch(`${API}/notes`);
  assert.equal(issuer.browser.sent.at(-1).redirect, "error");
  await frontdesk.fetch(`${API}/notes`, { redirect: "follow" });
  assert.equal(issuer.browser.sent.at(-1).redirect, "follow");
});

const challenge = (value) => (value === null ? {} : { "WWW-Authenticate": value });
for (const [what, header, expected] of [
  ["with invalid_token is answered by one refresh and the same body again", 'Bearer error="invalid_token"', ["Bearer at-1", "Bearer at-2"]],
  ["whose challenge is hidden from scripts likewise", null, ["Bearer at-1", "Bearer at-2"]],
  ["for another reason is handed on", 'Basic realm="x"', ["Bearer at-1"]],
]) {
  test(`a 401 ${what}`, async () => {
    const { issuer, tab, clock } = setUp();
    const { frontdesk } = await issuer.signedIn(tab);
    const seen = [];
    issuer.intercept = async (request) => {
      if (!request.url.startsWith(API)) return;
      seen.push([request.headers.get("authorization"), await request.text()]);
      return json(401, {}, challenge(header));
    };
    const { value } = await outcome(clock, frontdesk.fetch(`${API}/notes`, { method: "POST", body: "note" }));
    assert.equal(value.status, 401);
    assert.deepEqual(seen, expected.map((bearer) => [bearer, "note"]));
  });
}

test("fetch asks the API nothing when nobody is signed in", async () => {
  const { issuer, tab, clock } = setUp();
  issuer.cookie = false;
  const { error } = await outcome(clock, issuer.open(tab).fetch(`${API}/notes`));
  refused("login_required")(error);
  assert.equal(issuer.count("/notes"), 0);
});

test("sign-out ends the session and empties every tab", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab, { postLogoutRedirectUri: `${APP}/bye` });
  const other = issuer.open(issuer.browser.tab());
  await outcome(clock, other.restore());
  const changes = [];
  frontdesk.onChange(({ type, remote }) => changes.push(["here", type, remote]));
  other.onChange(({ type, remote }) => changes.push(["there", type, remote]));
  await outcome(clock, frontdesk.signOut());
  await clock.advance(1);
  const { form, headers } = issuer.requests.find((request) => request.path === "/oauth2/browser/logout");
  assert.deepEqual(Object.fromEntries(form), { client_id: CLIENT, scope: "session" });
  assert.equal(headers.get("x-oauth-browser"), "1");
  assert.deepEqual(changes, [["here", "signed_out", false], ["there", "signed_out", true]]);
  assert.deepEqual([frontdesk.signedIn, other.signedIn], [false, false]);
  assert.equal(tab.location.assigned.at(-1), `${APP}/bye`);
  await assert.rejects(other.getAccessToken(), refused("login_required"));
  assert.deepEqual(clock.pending, [], "nobody refreshes later");
});

test("appOnly ends only this app's grant", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  await outcome(clock, frontdesk.signOut({ appOnly: true }));
  assert.deepEqual(Object.fromEntries(issuer.requests.at(-1).form), { client_id: CLIENT });
});

test("a sign-out that cannot reach the server says so, and the tokens go all the same", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  const other = issuer.open(issuer.browser.tab());
  await outcome(clock, other.restore());
  issuer.intercept = (request) => {
    if (request.url.endsWith("/logout")) throw new TypeError("Failed to fetch");
  };
  const { error } = await outcome(clock, frontdesk.signOut());
  refused("network")(error);
  await clock.advance(1);
  assert.equal(issuer.count("/oauth2/browser/logout"), 2);
  assert.deepEqual([frontdesk.signedIn, other.signedIn], [false, false]);
});

test("a frozen lock holder holds up a sign-out for two seconds at most", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  issuer.browser.locks.request(`frontdesk-refresh-${ISSUER} ${CLIENT}`, {}, () => new Promise(() => {}));
  const done = frontdesk.signOut();
  await clock.advance(2_000);
  assert.equal(issuer.count("/oauth2/browser/logout"), 1);
  await done;
});

for (const locks of [true, false]) {
  test(`a refresh that is under way does not undo a sign-out, ${locks ? "with" : "without"} locks`, async () => {
    const issuer = new Issuer();
    const { clock } = issuer.browser;
    const tab = issuer.browser.tab(locks ? {} : { navigator: {} });
    const { frontdesk } = await issuer.signedIn(tab);
    let letGo = () => {};
    issuer.intercept = (request, form) => form.get("grant_type") === "refresh_token" && new Promise((resolve) => (letGo = () => resolve(json(200, issuer.tokens()))));
    const refresh = frontdesk.getAccessToken({ force: true });
    refresh.catch(() => {});
    await clock.advance(1);
    const signOut = frontdesk.signOut();
    await clock.settle();
    letGo();
    await outcome(clock, signOut);
    await assert.rejects(refresh, refused("login_required"));
    assert.equal(frontdesk.signedIn, false);
    assert.ok(!issuer.browser.messages.some((message) => message.type === "refreshed"));
  });
}

for (const [what, late] of [
  ["invalid_grant", () => json(400, { error: "invalid_grant" })],
  ["token of the old family", (issuer) => json(200, issuer.tokens({ access_token: "at-old" }))],
]) {
  test(`a late ${what} does not undo a sign-in that another tab made meanwhile`, async () => {
    const issuer = new Issuer();
    const { clock } = issuer.browser;
    const waiting = issuer.open(issuer.browser.tab({ navigator: {} }));
    let letGo = () => {};
    issuer.intercept = (request, form) => form.get("grant_type") === "refresh_token" && new Promise((resolve) => (letGo = () => resolve(late(issuer))));
    const token = waiting.getAccessToken();
    await clock.advance(1);
    const { frontdesk } = await issuer.signedIn(issuer.browser.tab({ navigator: {} }));
    await clock.advance(1);
    letGo();
    assert.equal((await outcome(clock, token)).value, await frontdesk.getAccessToken());
    assert.equal(waiting.signedIn, true);
  });
}

test("a code is redeemed under the lock, so that no late cookie of a refresh overwrites the new one", async () => {
  const { issuer, tab, clock } = setUp();
  const frontdesk = issuer.open(tab);
  issuer.arrive(tab, await issuer.depart(tab, frontdesk));
  let release = () => {};
  issuer.browser.locks.request(`frontdesk-refresh-${ISSUER} ${CLIENT}`, {}, () => new Promise((resolve) => (release = resolve)));
  const done = frontdesk.handleCallback();
  await clock.advance(5_000);
  assert.equal(issuer.tokenRequests.length, 0);
  release();
  await outcome(clock, done);
  assert.equal(issuer.tokenRequests.length, 1);
  assert.equal(frontdesk.signedIn, true);
});

test("a token that another tab gets while this one signs out is dropped too", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  const other = issuer.open(issuer.browser.tab());
  let letGo = () => {};
  issuer.intercept = (request, form) => form.get("grant_type") === "refresh_token" && new Promise((resolve) => (letGo = () => resolve(json(200, issuer.tokens()))));
  const refresh = other.getAccessToken({ force: true });
  await clock.advance(1);
  const signOut = frontdesk.signOut();
  await clock.advance(1);
  letGo();
  await outcome(clock, Promise.all([refresh, signOut]));
  await clock.advance(1);
  assert.deepEqual([frontdesk.signedIn, other.signedIn], [false, false]);
});

test("a 401 for a token that another tab has replaced meanwhile costs no refresh", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  const other = issuer.open(issuer.browser.tab());
  const seen = [];
  issuer.intercept = async (request) => {
    if (!request.url.startsWith(API)) return;
    seen.push(request.headers.get("authorization"));
    if (seen.length > 1) return;
    await other.getAccessToken();
    await new Promise((resolve) => clock.setTimeout(resolve, 1));
    return json(401, {}, { "WWW-Authenticate": 'Bearer error="invalid_token"' });
  };
  const { value } = await outcome(clock, frontdesk.fetch(`${API}/notes`));
  assert.equal(value.status, 200);
  assert.deepEqual(seen, ["Bearer at-1", "Bearer at-2"]);
  assert.equal(issuer.tokenRequests.length, 2);
});

test("another person's sign-in in one tab reaches the others as a sign-in", async () => {
  const { issuer, tab, clock } = setUp();
  const other = issuer.open(issuer.browser.tab());
  await outcome(clock, other.restore());
  const changes = [];
  other.onChange(({ type, remote }) => changes.push([type, remote, other.user?.name]));
  issuer.claims = { sub: "u_bob", name: "Bob" };
  const { frontdesk } = await issuer.signedIn(tab);
  await clock.advance(1);
  assert.deepEqual(changes, [["signed_in", true, "Bob"]]);
  assert.equal(await other.getAccessToken(), await frontdesk.getAccessToken());
});

test("tabs that ask for another resource do not take each other's tokens", async () => {
  const { issuer, clock } = setUp();
  const a = issuer.open(issuer.browser.tab(), { resource: "https://a.example.com" });
  const b = issuer.open(issuer.browser.tab(), { resource: "https://b.example.com" });
  const { value } = await outcome(clock, Promise.all([a.getAccessToken(), b.getAccessToken()]));
  assert.notEqual(value[0], value[1]);
  assert.deepEqual(issuer.tokenRequests.map(({ form }) => form.get("resource")), ["https://a.example.com", "https://b.example.com"]);
});

test("no token ever reaches storage or an address", async () => {
  const { issuer, tab, clock } = setUp();
  const writes = [];
  const { setItem } = tab.sessionStorage;
  tab.sessionStorage.setItem = (key, value) => {
    writes.push(key + value);
    setItem(key, value);
  };
  const forbidden = { get: () => assert.fail("the library looked at a place where tokens must not be") };
  for (const place of ["localStorage", "indexedDB", "document", "caches", "cookieStore"]) Object.defineProperty(tab, place, forbidden);
  const { frontdesk } = await issuer.signedIn(tab);
  await outcome(clock, frontdesk.getAccessToken({ force: true }));
  await frontdesk.fetch(`${API}/notes`);
  await outcome(clock, frontdesk.signOut());
  assert.equal(writes.length, 1);
  for (const text of [...writes, ...tab.location.assigned, tab.location.href, ...issuer.browser.sent.map((call) => call.url)]) {
    assert.doesNotMatch(text, /at-\d|eyJ/);
  }
  assert.ok(!JSON.stringify(frontdesk).includes("at-"));
});

test("a listener that throws harms nobody, and can be taken off", async () => {
  const issuer = new Issuer();
  const reported = [];
  const tab = issuer.browser.tab({ reportError: (error) => reported.push(error.message) });
  const frontdesk = issuer.open(tab);
  const seen = [];
  const off = frontdesk.onChange(() => seen.push("first"));
  frontdesk.onChange(() => {
    throw new Error("mine");
  });
  frontdesk.onChange(() => seen.push("last"));
  await outcome(issuer.browser.clock, frontdesk.restore());
  off();
  await outcome(issuer.browser.clock, frontdesk.getAccessToken({ force: true }));
  assert.deepEqual(seen, ["first", "last", "last"]);
  assert.deepEqual(reported, ["mine", "mine"]);
});

test("close stops the timer and the channel", async () => {
  const { issuer, tab, clock } = setUp();
  const { frontdesk } = await issuer.signedIn(tab);
  frontdesk.close();
  assert.deepEqual(clock.pending, []);
  assert.equal(issuer.browser.channels.size, 0);
});

test("without a secure context sign-in explains itself", async () => {
  const issuer = new Issuer();
  const frontdesk = issuer.open(issuer.browser.tab({ crypto: {} }));
  await assert.rejects(frontdesk.signIn({ prompt: "login" }), refused("insecure_context"));
});

test("discovery of another issuer is refused; discovery out of reach is not needed", async () => {
  const wrong = setUp();
  wrong.issuer.intercept = (request) => request.url.includes("well-known") && json(200, { issuer: "https://evil.example", token_endpoint: "https://evil.example/t" });
  refused("configuration")((await outcome(wrong.clock, wrong.issuer.open(wrong.tab).restore())).error);
  assert.equal(wrong.issuer.count("/t"), 0);

  const away = setUp();
  away.issuer.intercept = (request) => {
    if (request.url.includes("well-known")) throw new TypeError("Failed to fetch");
  };
  assert.deepEqual(await outcome(away.clock, away.issuer.open(away.tab).restore()), { value: true });
});

for (const [what, options] of [
  ["an issuer with a slash", { issuer: `${ISSUER}/` }],
  ["an issuer with a path", { issuer: `${ISSUER}/tenant` }],
  ["an http issuer off loopback", { issuer: "http://id.example.com" }],
  ["no issuer", { issuer: undefined }],
  ["an http API off loopback", { apis: ["http://api.example.com"] }],
  ["no client", { clientId: "" }],
]) {
  test(`${what} is a configuration error`, () => {
    const options_ = { issuer: ISSUER, clientId: CLIENT, redirectUri: `${APP}/callback`, ...options };
    assert.throws(() => createFrontdesk(options_, setUp().tab), refused("configuration"));
  });
}

test("plain http is fine on loopback names", () => {
  for (const issuer of ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "http://id.demo.localhost:8080"]) {
    createFrontdesk({ issuer, clientId: CLIENT, redirectUri: "http://localhost:8081/callback", apis: ["http://localhost:8082"] }, setUp().tab);
  }
});
