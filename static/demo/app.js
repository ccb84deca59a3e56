// The demo app: what a browser app looks like that signs in with Frontdesk. Everything an app needs is in `start` and
// the four buttons; the rest shows what goes on behind them.

/** @param {string} id */
const element = (id) => document.getElementById(id);

/** The last access token, kept after sign-out on purpose, to show what it is still good for. A real app keeps none. */
let lastToken = null;
let expiresAt = 0;
let lifetime = 0;

start().catch((error) => {
  showStatus("error", "Not working");
  element("lead").textContent = "The app could not start. The reason stands below.";
  showResult("start", false, describe(error), "The demo could not reach its provider. Is it still running?");
});

async function start() {
  const config = await (await fetch("/config.json")).json();
  element("issuer").textContent = config.issuer;
  element("issuer").href = `${config.issuer}/account`;
  element("api").textContent = config.api;

  const { createFrontdesk } = await import(`${config.issuer}/static/frontdesk.js`);
  const frontdesk = createFrontdesk({
    issuer: config.issuer,
    clientId: config.client_id,
    redirectUri: config.redirect_uri,
    scope: config.scope,
    apis: [config.api],
  });
  frontdesk.onChange((change) => {
    note(change);
    show(frontdesk);
  });

  element("sign-in").addEventListener("click", () => press("sign-in", () => signIn(frontdesk)));
  element("call-api").addEventListener("click", () => press("call-api", () => callApi(frontdesk, config.api)));
  element("refresh").addEventListener("click", () => press("refresh", () => refresh(frontdesk)));
  element("sign-out").addEventListener("click", () => press("sign-out", () => signOut(frontdesk)));
  setInterval(showLife, 1000);

  try {
    const answer = await frontdesk.handleCallback();
    if (answer) history.replaceState(null, "", answer.returnTo);
    else await frontdesk.restore();
  } catch (error) {
    history.replaceState(null, "", "/");
    showResult("sign-in", false, describe(error), "Signing in did not work. Nothing is lost: try again.");
    log("Sign-in failed");
    await frontdesk.restore().catch(() => false);
  }
  await show(frontdesk);
  for (const id of ["sign-in", "call-api", "refresh"]) element(id).disabled = false;
}

async function signIn(frontdesk) {
  // The name is asked for by name, so that it stands in the ID token and the app needs no further call to greet.
  const claims = JSON.stringify({ id_token: { name: null, preferred_username: null } });
  const stays = await frontdesk.signIn({ returnTo: "/", parameters: { claims } });
  const why = stays ? "The cookie was still good: nobody had to sign in." : "Going to the sign-in page.";
  showResult("sign-in", true, { leaving: !stays }, why);
}

async function callApi(frontdesk, api) {
  const address = `${api}/notes`;
  const signedIn = frontdesk.signedIn;
  const headers = lastToken ? { Authorization: `Bearer ${lastToken}` } : {};
  const response = signedIn ? await frontdesk.fetch(address) : await fetch(address, { headers });
  const text = await response.text();
  let words = "There is no token in this page, and the API lets nobody in without one.";
  if (signedIn) {
    words = response.ok
      ? "The API checked the signature, the issuer, the audience, the scope and the expiry of the token, and that the status list does not name it, without asking the provider about it."
      : "The API refused the token.";
  } else if (lastToken) {
    words = response.ok
      ? "You are signed out, and the API has not heard of it yet: it asks Frontdesk’s status list every ten seconds. Press again in a moment."
      : expiresAt > Date.now()
        ? "The API refused the old token although its time is not over: Frontdesk’s status list says that it was revoked."
        : "The API refused the old token: it has expired.";
  }
  const sent = signedIn ? "current" : lastToken ? "kept after sign-out" : "none";
  showResult("call-api", response.ok, { status: response.status, token: sent, body: parse(text) }, words);
}

async function refresh(frontdesk) {
  const before = lastToken;
  await frontdesk.getAccessToken({ force: true });
  await show(frontdesk);
  const fresh = lastToken !== before;
  const details = { status: 200, expires_in: Math.round(lifetime / 1000), new_access_token: fresh };
  showResult("refresh", true, details, "The browser sent the cookie, Frontdesk replaced it and gave a new access token. No script saw either cookie.");
}

async function signOut(frontdesk) {
  await frontdesk.signOut();
  showResult("sign-out", true, { status: 204 }, "The session, its grants and the cookies are gone, in every tab. Now try “Refresh the token” and “Call the API”.");
}

/** Runs one action with its button held down, and shows what went wrong, if anything did. */
async function press(id, action) {
  const button = element(id);
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    const words = {
      login_required: "Frontdesk refused: this browser’s cookies belong to no living session. Sign in to go on.",
      network: "No answer came that this page may read. The message below names the likely causes.",
    };
    showResult(id, false, describe(error), words[error.code] ?? (error instanceof TypeError ? words.network : "That did not work."));
  } finally {
    button.disabled = false;
  }
}

function describe(error) {
  return { status: error.status, error: error.error ?? error.code ?? "failed", code: error.code, message: error.message };
}

function showResult(action, ok, details, explanation) {
  const result = element("result");
  result.textContent = JSON.stringify({ action, ok, ...details }, null, 2);
  result.dataset.state = ok ? "ok" : "error";
  element("explanation").textContent = explanation;
  showReadable();
}

function showStatus(state, words) {
  element("status").dataset.state = state;
  element("status").textContent = words;
}

/** Brings the page into line with the library's state. */
async function show(frontdesk) {
  const { signedIn, user } = frontdesk;
  const name = user?.name ?? user?.preferred_username ?? user?.sub;
  showStatus(signedIn ? "signed-in" : "signed-out", signedIn ? `Signed in as ${name}` : "Signed out");
  element("who").textContent = signedIn ? `Hello, ${name}` : "Welcome";
  element("lead").textContent = signedIn
    ? `You are signed in${user?.email ? ` with ${user.email}` : ""}. This page holds an access token in memory, and no refresh token anywhere.`
    : "Sign in with Frontdesk to see a browser app that holds no refresh token.";
  element("sign-in").hidden = signedIn;
  element("sign-out").disabled = !signedIn;
  element("call-api").classList.toggle("primary", signedIn);
  if (signedIn) {
    const token = await frontdesk.getAccessToken().catch(() => null);
    if (token && token !== lastToken) keep(token);
  }
  showToken(signedIn);
  showReadable();
}

function keep(token) {
  lastToken = token;
  const { claims } = decode(token);
  lifetime = (claims.exp - claims.iat) * 1000;
  expiresAt = claims.exp * 1000;
}

function showToken(signedIn) {
  const { header, claims } = lastToken ? decode(lastToken) : { header: {}, claims: {} };
  element("token").textContent = JSON.stringify({ header, claims }, null, 2);
  const facts = lastToken && {
    "Signed with": `${header.alg}, key ${String(header.kid).slice(0, 8)}…`,
    "For the API": [claims.aud].flat().join(", "),
    "May do": claims.scope,
    Belongs: signedIn ? "to the present session" : "to a session that has ended (kept by this demo only)",
  };
  element("token-facts").replaceChildren(...Object.entries(facts ?? {}).map(([name, value]) => fact(name, value)));
  showLife();
}

function fact(name, value) {
  const row = document.createElement("div");
  const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  detail.textContent = value ?? "–";
  row.append(term, detail);
  return row;
}

function showLife() {
  const left = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
  const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  element("token-life").textContent = !lastToken ? "None" : left > 0 ? `${minutes} left` : "Expired";
  element("token-meter").hidden = !lastToken;
  element("token-meter").value = lifetime > 0 ? Math.min(1, (left * 1000) / lifetime) : 0;
}

/** Says what scripts can read, in numbers and names. Values are never shown: the demo must not echo a cookie. */
function showReadable() {
  const names = document.cookie.split(";").map((pair) => pair.split("=")[0].trim()).filter(Boolean);
  const keys = (storage) => Object.keys(storage);
  const words = (list) => (list.length === 0 ? "nothing" : `${list.length} (${list.join(", ")})`);
  const secret = /fd_(rt|ac)_|[?&#](code|access_token)=/.test(location.href);
  const found = { cookie: words(names), local: words(keys(localStorage)), session: words(keys(sessionStorage)), address: secret ? "a code" : "no code, no token" };
  for (const [place, text] of Object.entries(found)) document.querySelector(`[data-place="${place}"]`).textContent = text;
}

function note({ type, remote, error }) {
  const where = remote ? "in another tab" : "in this tab";
  const words = {
    signed_in: `Signed in, ${where}`,
    refreshed: `New access token, fetched ${where}`,
    signed_out: `Signed out, ${where}`,
    error: `A refresh in the background failed: ${error?.code}`,
  };
  log(words[type]);
}

function log(text) {
  const [line, time] = [document.createElement("li"), document.createElement("time")];
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  line.append(time, text);
  element("log").prepend(line);
  while (element("log").children.length > 12) element("log").lastElementChild.remove();
}

function decode(token) {
  const [header, claims] = token.split(".").map((part) => {
    try {
      const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return {};
    }
  });
  return { header: header ?? {}, claims: claims ?? {} };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
