// OpenID Connect Session Management, behind its switch: apps of the same and of another site ask the frame in real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { stopEverything } from "./house.mjs";
import { shop, signedIn } from "./shop.mjs";

let house;
before(async () => { house = await shop({ settings: "[features]\nsession_management = true\n" }); }, { timeout: 120_000 });
after(stopEverything);

/** What the frame answers a page of this origin. */
async function ask(context, origin, question) {
  const page = await context.newPage();
  await page.goto(`${origin}/favicon.ico`);
  const answer = await page.evaluate(async ([issuer, question]) => {
    const frame = document.createElement("iframe");
    frame.src = `${issuer}/oauth2/check_session`;
    const loaded = new Promise((done) => { frame.onload = done; });
    document.documentElement.append(frame);
    await loaded;
    const told = new Promise((done) => addEventListener("message", (event) => { if (event.origin === issuer) done(event.data); }));
    frame.contentWindow.postMessage(question, issuer);
    return told;
  }, [house.issuer, question]);
  await page.close();
  return answer;
}

/** Where the app is told of the session: at its callback. */
async function sessionState(context) {
  const page = await context.newPage();
  const callback = page.waitForRequest((request) => request.url().startsWith(`${house.origins.app}/callback?`));
  const query = new URLSearchParams({ client_id: "spa", redirect_uri: `${house.origins.app}/callback`, response_type: "code", scope: "openid",
    state: "s", code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256", prompt: "none" });
  await page.goto(`${house.issuer}/oauth2/authorize?${query}`).catch(() => {});
  const told = new URL((await callback).url()).searchParams.get("session_state");
  await page.close();
  return told;
}

test("the frame says whether the person at this browser is still the same", async () => {
  const { context, page } = await signedIn(house);
  const state = await sessionState(context);
  const question = `spa ${state}`;
  assert.equal(await ask(context, house.origins.app, question), "unchanged");
  assert.equal(await ask(context, house.origins.app, `web ${state}`), "changed", "another client");
  assert.equal(await ask(context, house.origins.other, question), "changed", "another origin");
  // Another site: what it hears depends on the browser's cookies for third parties, but it is never what another origin was told.
  assert.ok(["changed", "error"].includes(await ask(context, house.origins.evil, question)));
  for (const wrong of ["", "spa", state, "spa nothing", `spa ${state}.x`]) {
    assert.equal(await ask(context, house.origins.app, wrong), "error", wrong);
  }
  const elsewhere = await house.browser.newContext();
  assert.equal(await ask(elsewhere, house.origins.app, question), "changed", "nobody is signed in there");
  await elsewhere.close();
  await page.evaluate(() => { window.fd.signOut(); });
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-out");
  assert.equal(await ask(context, house.origins.app, question), "changed");
  await context.close();
});
