// Cookie mode in real Chromium, on the provider's own TLS: what script may see, what other sites may do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { challengeOf, PASSWORD, post, random, recordBodies, signInAt, stopEverything } from "./house.mjs";
import { cookies, shop, signedIn } from "./shop.mjs";

let house;
before(async () => { house = await shop(); });
after(stopEverything);

/** Refreshes with raw fetch from a page of the app. */
const refresh = (page) => page.evaluate(async (issuer) => {
  const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "spa" });
  const answer = await fetch(`${issuer}/oauth2/token`, { method: "POST", credentials: "include", headers: { "X-OAuth-Browser": "1" }, body });
  return { status: answer.status, body: await answer.json() };
}, house.issuer);

test("script sees no token: not in document.cookie, not in storage, not in any body", async () => {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  const bodies = [];
  recordBodies(page, bodies);
  await page.goto(`${house.origins.app}/`);
  await page.waitForFunction(() => document.getElementById("state").textContent === "signed-out");
  await page.evaluate(() => { window.fd.signIn(); });
  await signInAt(page, "alice", PASSWORD);
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-in");
  await page.evaluate(() => window.fd.getAccessToken({ force: true }));
  const { rt, sid, browser } = await cookies(house, context);
  for (const [cookie, sameSite] of [[rt, "Strict"], [sid, "Lax"], [browser, "Lax"]]) {
    assert.ok(cookie.httpOnly && cookie.secure && cookie.path === "/" && cookie.sameSite === sameSite, JSON.stringify(cookie));
    assert.ok(cookie.name.startsWith("__Host-Http-") && cookie.domain === "id.shop.test");
  }
  assert.equal(rt.expires, -1, "the refresh cookie ends with the browser, as the session cookie does");
  const seen = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  assert.equal(seen, '["",{},{}]');
  await page.goto(`${house.issuer}/account`);
  assert.equal(await page.evaluate(() => document.cookie), "");
  const text = (await Promise.all(bodies)).join("\n");
  assert.ok(text.includes("access_token"), "the bodies were recorded");
  assert.ok(!text.includes("fd_rt_") && !text.includes(rt.value) && !text.includes(sid.value));
  await context.close();
});

test("on reload the cookie brings the tokens back without a redirect", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const visited = [];
  page.on("framenavigated", (frame) => visited.push(frame.url()));
  await page.reload();
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-in");
  assert.ok(visited.every((url) => url.startsWith(house.origins.app)), visited.join(" "));
  await context.close();
});

test("fifty calls from five tabs send one refresh", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const tabs = [page];
  for (let at = 1; at < 5; at++) {
    const tab = await context.newPage();
    await tab.goto(`${house.origins.app}/`);
    await tab.waitForFunction(() => document.getElementById("state").textContent === "signed-in");
    tabs.push(tab);
  }
  let sent = 0;
  context.on("request", (request) => { if (request.method() === "POST" && request.url().endsWith("/oauth2/token")) sent++; });
  const before = (await cookies(house, context)).rt.value;
  const all = tabs.map((tab) => tab.evaluate(() => Promise.all(Array.from({ length: 10 }, () => window.fd.getAccessToken({ force: true })))));
  const tokens = (await Promise.all(all)).flat();
  assert.equal(tokens.length, 50);
  assert.equal(new Set(tokens).size, 1);
  assert.equal(sent, 1);
  assert.notEqual((await cookies(house, context)).rt.value, before);
  await context.close();
});

test("a tab that is closed in mid-refresh loses nothing", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const other = await context.newPage();
  await other.goto(`${house.origins.app}/`);
  await other.waitForFunction(() => document.getElementById("state").textContent === "signed-in");
  for (let round = 0; round < 3; round++) {
    const tab = await context.newPage();
    await tab.goto(`${house.origins.app}/`);
    await tab.waitForFunction(() => document.getElementById("state").textContent === "signed-in");
    await tab.evaluate(() => { window.fd.getAccessToken({ force: true }); return new Promise((done) => setTimeout(done, 5)); });
    await tab.close();
  }
  const token = await other.evaluate(() => window.fd.getAccessToken({ force: true }));
  assert.ok(token);
  assert.equal((await refresh(page)).status, 200);
  await context.close();
});

test("a tab that keeps the lock and is frozen holds nobody up for ever", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const frozen = await context.newPage();
  await frozen.goto(`${house.origins.app}/`);
  await frozen.waitForFunction(() => document.getElementById("state").textContent === "signed-in");
  await frozen.evaluate(() => {
    const name = `frontdesk-refresh-${window.fd.issuer ?? ""}`;
    return new Promise((held) => {
      navigator.locks.query().then(() => {});
      window.holdAll = (lock) => navigator.locks.request(lock, () => new Promise(() => held(name)));
      held(name);
    });
  });
  const lock = `frontdesk-refresh-${house.issuer} spa`;
  await frozen.evaluate((lock) => { window.holdAll(lock); return navigator.locks.query().then((q) => q.held.length); }, lock);
  const session = await context.newCDPSession(frozen);
  await session.send("Page.setWebLifecycleState", { state: "frozen" }).catch(() => {});
  const token = await page.evaluate(() => window.fd.getAccessToken({ force: true }));
  assert.ok(token, "after its wait for the lock the tab refreshes without it");
  await context.close();
});

test("a stolen old cookie ends the family", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const stolen = await cookies(house, context);
  assert.equal((await refresh(page)).status, 200);
  assert.equal((await refresh(page)).status, 200);
  const thief = await house.browser.newContext();
  await thief.addCookies([stolen.rt, stolen.sid].map(({ name, value }) => ({ name, value, url: house.issuer, httpOnly: true, secure: true })));
  const tab = await thief.newPage();
  await tab.goto(`${house.origins.app}/favicon.ico`);
  const theft = await refresh(tab);
  assert.deepEqual([theft.status, theft.body.error], [400, "invalid_grant"]);
  const owner = await refresh(page);
  assert.deepEqual([owner.status, owner.body.error], [400, "invalid_grant"], "the family is over for the owner too");
  await thief.close();
  await context.close();
});

test("foreign origins, sibling hosts and cross-site posts get nothing and change no cookie", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const before = await context.cookies(house.issuer);
  const form = (issuer, path, fields) => `<!doctype html><form method="post" action="${issuer}${path}">${Object.entries(fields)
    .map(([name, value]) => `<input name="${name}" value="${value}">`).join("")}</form><script>document.forms[0].submit()</script>`;
  for (const origin of [house.origins.other, house.origins.evil]) {
    const tab = await context.newPage();
    await tab.goto(`${origin}/`);
    const tries = await tab.evaluate(async (issuer) => {
      const body = () => new URLSearchParams({ grant_type: "refresh_token", client_id: "spa" });
      const told = [];
      for (const [path, headers] of [["/oauth2/token", { "X-OAuth-Browser": "1" }], ["/oauth2/token", {}], ["/oauth2/browser/logout", { "X-OAuth-Browser": "1" }], ["/oauth2/browser/logout", {}]]) {
        told.push(await fetch(issuer + path, { method: "POST", credentials: "include", headers, body: body() }).then((answer) => answer.status, () => "hidden"));
      }
      await fetch(`${issuer}/oauth2/token`, { method: "POST", mode: "no-cors", credentials: "include", body: body() });
      return told;
    }, house.issuer);
    assert.deepEqual(tries, ["hidden", "hidden", "hidden", "hidden"], origin);
    const pages = origin === house.origins.other ? house.pages.other : house.pages.evil;
    pages["/post-token"] = ["text/html", form(house.issuer, "/oauth2/token", { grant_type: "refresh_token", client_id: "spa" })];
    pages["/post-logout"] = ["text/html", form(house.issuer, "/oauth2/browser/logout", { client_id: "spa", scope: "session" })];
    pages["/post-account"] = ["text/html", form(house.issuer, "/logout", { csrf: "x" })];
    for (const [path, status] of [["/post-token", 403], ["/post-logout", 403], ["/post-account", 403]]) {
      const answered = tab.waitForResponse((response) => response.request().method() === "POST");
      await tab.goto(`${origin}${path}`).catch(() => {});
      const response = await answered;
      assert.equal(response.status(), status, `${origin}${path}`);
      assert.equal((await response.allHeaders())["access-control-allow-origin"], undefined);
      const setCookie = (await response.headersArray()).filter((header) => header.name.toLowerCase() === "set-cookie");
      if (path !== "/post-account") assert.deepEqual(setCookie, []);
      await tab.waitForLoadState();
    }
    await tab.close();
  }
  const plain = (list) => list.filter((cookie) => !cookie.name.includes("browser")).map(({ name, value }) => `${name}=${value}`).sort();
  assert.deepEqual(plain(await context.cookies(house.issuer)), plain(before));
  assert.equal((await refresh(page)).status, 200, "the owner goes on");
  await context.close();
});

test("a code carried to another browser is refused, and spoiled", async () => {
  const { context } = await signedIn(house, { consent: false });
  const verifier = random() + random();
  const query = new URLSearchParams({ client_id: "spa", response_type: "code", redirect_uri: `${house.origins.app}/callback`, scope: "openid",
    state: random(), code_challenge: challengeOf(verifier), code_challenge_method: "S256" });
  const tab = await context.newPage();
  house.pages.app["/callback"] = ["text/html", "caught"];
  await tab.goto(`${house.issuer}/oauth2/authorize?${query}`);
  delete house.pages.app["/callback"];
  const code = new URL(tab.url()).searchParams.get("code");
  assert.match(code, /^fd_ac_/);
  const redeem = (page) => page.evaluate(async ([issuer, fields]) => {
    const answer = await fetch(`${issuer}/oauth2/token`, { method: "POST", credentials: "include", headers: { "X-OAuth-Browser": "1" }, body: new URLSearchParams(fields) });
    return [answer.status, (await answer.json()).error];
  }, [house.issuer, { grant_type: "authorization_code", client_id: "spa", code, redirect_uri: `${house.origins.app}/callback`, code_verifier: verifier }]);
  const { context: stranger, page: elsewhere } = await signedInAs("mallory");
  assert.deepEqual(await redeem(elsewhere), [400, "invalid_grant"]);
  const own = await context.newPage();
  await own.goto(`${house.origins.app}/`);
  assert.deepEqual(await redeem(own), [400, "invalid_grant"], "it was spoiled");
  await stranger.close();
  await context.close();
});

async function signedInAs(name) {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${house.origins.app}/`);
  await page.waitForFunction(() => document.getElementById("state").textContent === "signed-out");
  await page.evaluate(() => { window.fd.signIn(); });
  await signInAt(page, name, PASSWORD);
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-in");
  return { context, page };
}

test("sign-out ends the session, the family, userinfo and introspection", async () => {
  const { context, page } = await signedIn(house, { consent: false });
  const token = await page.evaluate(() => window.fd.getAccessToken());
  const secret = Buffer.from("web:0123456789012345678901234567890123456789").toString("base64");
  const introspect = async () => (await post(`${house.issuer}/oauth2/introspect`, house.ca, { token }, { authorization: `Basic ${secret}` })).body;
  const told = await page.evaluate(async ([issuer, token]) => (await fetch(`${issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status, [house.issuer, token]);
  assert.equal(told, 200);
  assert.equal((await introspect()).active, true);
  await page.evaluate(() => { window.fd.signOut(); });
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-out");
  const after = await page.evaluate(async ([issuer, token]) => (await fetch(`${issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status, [house.issuer, token]);
  assert.equal(after, 401);
  const left = await cookies(house, context);
  assert.equal(left.rt, undefined);
  assert.equal(left.sid, undefined);
  const again = await refresh(page);
  assert.deepEqual([again.status, again.body.error], [400, "invalid_grant"]);
  assert.deepEqual(await introspect(), { active: false });
  await page.goto(`${house.issuer}/account`);
  await page.locator("#login-submit").waitFor();
  await context.close();
});
