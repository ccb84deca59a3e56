// Chromium applies `form-action` to every redirect that follows a form: each kind of callback must still be reached.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { challengeOf, PASSWORD, random, signInAt, stopEverything } from "./house.mjs";
import { shop } from "./shop.mjs";

let house;
before(async () => {
  house = await shop();
  const bounce = (to) => (_, response) => { response.writeHead(302, { location: to }); response.end(); };
  house.pages.other["/bounce"] = bounce(`${house.origins.app}/landed`);
  house.pages.other["/bye-bounce"] = bounce(`${house.origins.app}/landed`);
});
after(stopEverything);

async function authorize(clientId, redirectUri, scope = "openid", extra = {}) {
  const context = await house.browser.newContext();
  const page = await context.newPage();
  const refused = [];
  page.on("console", (message) => { if (message.text().includes("form-action")) refused.push(message.text()); });
  const query = new URLSearchParams({ client_id: clientId, response_type: "code", redirect_uri: redirectUri, scope, state: random(),
    code_challenge: challengeOf(random() + random()), code_challenge_method: "S256", ...extra });
  await page.goto(`${house.issuer}/oauth2/authorize?${query}`);
  return { context, page, refused };
}

test("https: the callback is reached", async () => {
  const { context, page, refused } = await authorize("web", `${house.origins.other}/callback`);
  await signInAt(page, "alice", PASSWORD);
  await page.waitForURL(`${house.origins.other}/callback?code=**`);
  assert.deepEqual(refused, []);
  await context.close();
});

test("a callback that redirects to a sibling host is followed", async () => {
  const { context, page, refused } = await authorize("web", `${house.origins.other}/bounce`, "openid profile");
  await signInAt(page, "alice", PASSWORD);
  await page.waitForURL(`${house.origins.app}/landed`);
  assert.deepEqual(refused, []);
  await context.close();
});

test("loopback: a native app on a port of its own is reached", async () => {
  let caught;
  const request = new Promise((done) => { caught = done; });
  const server = http.createServer(({ url }, response) => {
    response.end("done");
    if (url.startsWith("/callback")) caught(url);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  const { context, page, refused } = await authorize("native", `http://127.0.0.1:${port}/callback`);
  await signInAt(page, "alice", PASSWORD);
  assert.match(await request, /code=fd_ac_/);
  assert.deepEqual(refused, []);
  await context.close();
  server.close();
});

test("a private-use scheme is navigated to", async () => {
  const { context, page, refused } = await authorize("native", "com.example.desktop:/callback");
  const left = new Promise((done) => page.on("request", (request) => { if (request.url().startsWith("com.example.desktop:")) done(request.url()); }));
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  const redirected = new Promise((done) => session.on("Network.responseReceivedExtraInfo", (info) => {
    const location = Object.entries(info.headers).find(([name]) => name.toLowerCase() === "location")?.[1] ?? "";
    if (location.startsWith("com.example.desktop:")) done(location);
  }));
  await signInAt(page, "alice", PASSWORD);
  assert.match(await Promise.race([left, redirected]), /^com\.example\.desktop:\/callback\?code=fd_ac_/);
  assert.deepEqual(refused, []);
  await context.close();
});

test("form_post: the browser posts the answer to the callback", async () => {
  const posted = new Promise((done) => {
    house.pages.other["/callback"] = (request, response) => {
      let body = "";
      request.on("data", (chunk) => { body += chunk; });
      request.on("end", () => { response.end("posted"); if (request.method === "POST") done(new URLSearchParams(body)); });
    };
  });
  const { context, page } = await authorize("web", `${house.origins.other}/callback`, "openid", { response_mode: "form_post" });
  await signInAt(page, "alice", PASSWORD, { consent: false });
  const fields = await posted;
  assert.match(fields.get("code"), /^fd_ac_/);
  assert.equal(fields.get("iss"), house.issuer);
  delete house.pages.other["/callback"];
  await context.close();
});

test("sign-out: the confirmation leads back to the app, also past a redirect to a sibling", async () => {
  for (const [path, end] of [["/bye", `${house.origins.other}/bye`], ["/bye-bounce", `${house.origins.app}/landed`]]) {
    const { context, page, refused } = await authorize("web", `${house.origins.other}/callback`, "openid");
    await signInAt(page, "alice", PASSWORD, { consent: false });
    await page.waitForURL(`${house.origins.other}/callback?code=**`);
    const query = new URLSearchParams({ client_id: "web", post_logout_redirect_uri: house.origins.other + path });
    await page.goto(`${house.issuer}/oauth2/logout?${query}`);
    await page.click("#logout-confirm");
    await page.waitForURL(end);
    assert.deepEqual(refused, []);
    await context.close();
  }
});
