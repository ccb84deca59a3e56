// Starts and stops what the browser tests need: the provider, apps on other origins, a proxy with a barrier, Chromium.
import { spawn, execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

export const root = path.resolve(import.meta.dirname, "../..");
export const binary = process.env.FRONTDESK ?? path.join(root, "target/debug/frontdesk");
export const PASSWORD = "wonderland-tea-party-9";

const closing = [];
export async function stopEverything() {
  for (const close of closing.reverse()) await close().catch(() => {});
  closing.length = 0;
}

export function folder() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "frontdesk-browser-"));
  closing.push(async () => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A certificate for the test hosts, and its pin for Chromium. */
export function certificate(dir) {
  const [cert, key] = [path.join(dir, "cert.pem"), path.join(dir, "key.pem")];
  const names = "subjectAltName=DNS:id.shop.test,DNS:app.shop.test,DNS:other.shop.test,DNS:evil.test";
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
    "-subj", "/CN=shop.test", "-addext", names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  fs.chmodSync(key, 0o600);
  const spki = execFileSync("sh", ["-c", `openssl x509 -in ${cert} -pubkey -noout | openssl pkey -pubin -outform der`]);
  return { cert, key, pin: createHash("sha256").update(spki).digest("base64") };
}

export async function chrome(pin) {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1"];
  if (pin) args.push(`--ignore-certificate-errors-spki-list=${pin}`);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args });
  closing.push(() => browser.close());
  return browser;
}

export async function freePort() {
  const server = http.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs a command of the program to its end. */
export function command(dir, ...args) {
  return execFileSync(binary, ["--config", path.join(dir, "config.toml"), ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function write(file, text) {
  fs.writeFileSync(file, text, { mode: 0o600 });
}

/** Starts `frontdesk serve` and waits until it is ready at `probe`. */
export async function serve(dir, probe, ca, log = "serve.log") {
  const out = fs.openSync(path.join(dir, log), "a");
  const child = spawn(binary, ["--config", path.join(dir, "config.toml"), "serve"], { stdio: ["ignore", out, out], cwd: dir });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  };
  closing.push(stop);
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`serve ended: ${fs.readFileSync(path.join(dir, log), "utf8")}`);
    if (await get(probe, ca).then((status) => status === 200, () => false)) return { child, stop };
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`serve is not ready: ${fs.readFileSync(path.join(dir, log), "utf8")}`);
}

/** Finds every test host on this machine. */
export const local = (_, { all }, answer) => (all ? answer(null, [{ address: "127.0.0.1", family: 4 }]) : answer(null, "127.0.0.1", 4));

/** Posts a form past the browser, as a program would. */
export function post(url, ca, form, headers = {}) {
  return new Promise((done, failed) => {
    const body = new URLSearchParams(form).toString();
    const options = { method: "POST", lookup: local, ca: fs.readFileSync(ca), headers: { "content-type": "application/x-www-form-urlencoded", ...headers } };
    https.request(url, options, (answer) => {
      let text = "";
      answer.on("data", (chunk) => { text += chunk; });
      answer.on("end", () => done({ status: answer.statusCode, body: text ? JSON.parse(text) : undefined }));
    }).on("error", failed).end(body);
  });
}

function get(url, ca) {
  return new Promise((done, failed) => {
    const module = url.startsWith("https") ? https : http;
    const options = { lookup: local };
    if (ca) options.ca = fs.readFileSync(ca);
    module.get(url, options, (answer) => { answer.resume(); done(answer.statusCode); }).on("error", failed);
  });
}

/** Starts the demo on free ports. */
export async function demo(...more) {
  const dir = folder();
  const child = spawn(binary, ["demo", "--port", "0", "--json", "--data", path.join(dir, "data"), ...more], { stdio: ["ignore", "pipe", "inherit"], cwd: dir });
  closing.push(async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  });
  let text = "";
  for await (const chunk of child.stdout) {
    text += chunk;
    try { return JSON.parse(text); } catch { /* not all of it yet */ }
  }
  throw new Error(`the demo ended: ${text}`);
}

/** A tiny site on an origin of its own: every path answers with what `pages` says, "*" for the rest. */
export async function site(tls, pages) {
  const answer = (request, response) => {
    const name = new URL(request.url, "https://x").pathname;
    const page = pages[name] ?? pages["*"];
    if (typeof page === "function") return page(request, response);
    const [type, body, headers] = page ?? ["text/plain", "not here"];
    response.writeHead(page ? 200 : 404, { "content-type": type, ...headers });
    response.end(body);
  };
  const server = tls
    ? https.createServer({ cert: fs.readFileSync(tls.cert), key: fs.readFileSync(tls.key) }, answer)
    : http.createServer(answer);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  closing.push(() => new Promise((done) => { server.closeAllConnections(); server.close(done); }));
  return server.address().port;
}

/**
 * An HTTP/2 proxy with TLS before one or more processes, in turn. `barrier.hold(n)` keeps refresh requests back until n have
 * arrived; `barrier.seen` holds what they carried.
 */
export async function proxy(tls, port, backends) {
  const barrier = { waiting: [], wanted: 0, seen: [], turn: 0, hold(n) { this.wanted = n; this.waiting = []; this.seen = []; } };
  const forward = (request, response, body) => {
    const backend = backends[barrier.turn++ % backends.length];
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(":")));
    headers.host = request.headers[":authority"] ?? request.headers.host;
    headers["x-forwarded-for"] = "127.0.0.1";
    const inner = http.request({ host: "127.0.0.1", port: backend, method: request.method, path: request.url, headers }, (answer) => {
      const out = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !["connection", "transfer-encoding", "keep-alive"].includes(name)));
      response.writeHead(answer.statusCode, out);
      answer.pipe(response);
    });
    inner.on("error", () => { response.writeHead(502); response.end(); });
    inner.end(body);
  };
  const server = http2.createSecureServer({ cert: fs.readFileSync(tls.cert), key: fs.readFileSync(tls.key), allowHTTP1: true }, (request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const isRefresh = request.method === "POST" && request.url === "/oauth2/token" && body.includes("grant_type=refresh_token");
      if (!isRefresh || barrier.wanted === 0) return forward(request, response, body);
      barrier.seen.push(request.headers.cookie ?? "");
      barrier.waiting.push(() => forward(request, response, body));
      if (barrier.waiting.length === barrier.wanted) {
        barrier.wanted = 0;
        barrier.waiting.splice(0).forEach((go) => go());
      }
    });
  });
  const sessions = new Set();
  server.on("session", (session) => { sessions.add(session); session.on("close", () => sessions.delete(session)); });
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  closing.push(() => new Promise((done) => { sessions.forEach((session) => session.destroy()); server.close(done); }));
  return barrier;
}

/** The page of a browser app that hands the library to the test. */
export function appPages(issuer, clientId, origin) {
  const html = `<!doctype html><meta charset="utf-8"><title>app</title><p id="state">loading</p><script type="module" src="/app.js"></script>`;
  const script = `
    import { createFrontdesk } from "${issuer}/static/frontdesk.js";
    const fd = createFrontdesk({ issuer: "${issuer}", clientId: "${clientId}", redirectUri: "${origin}/callback",
      scope: "openid profile email notes:read", postLogoutRedirectUri: "${origin}/" });
    window.fd = fd;
    const state = document.getElementById("state");
    try {
      if (location.pathname === "/callback") { await fd.handleCallback(); history.replaceState(null, "", "/"); state.textContent = "signed-in"; }
      else state.textContent = (await fd.restore()) ? "signed-in" : "signed-out";
    } catch (error) { state.textContent = "error: " + error.code + " " + error.message; }
  `;
  return { "/app.js": ["text/javascript", script], "*": ["text/html", html] };
}

/**
 * Collects the bodies of all answers that have one. Of a keepalive request that outlived its page Chromium gives no body, and says
 * so only after half a minute, so only finished requests are asked.
 */
export function recordBodies(page, bodies) {
  page.on("requestfinished", async (request) => {
    const response = await request.response();
    const empty = [204, 303, 304].includes(response?.status() ?? 204);
    if (!empty) bodies.push(Promise.race([response.text().catch(() => ""), new Promise((done) => setTimeout(done, 3000, ""))]));
  });
}

/** Fills the provider's sign-in page, and the consent page if it comes. */
export async function signInAt(page, username, password, { consent = true, remember = false } = {}) {
  await page.locator("#login-submit").waitFor();
  if (await page.locator('input[name="username"]').isVisible()) await page.fill('input[name="username"]', username);
  await page.fill('input[name="password"]', password);
  if (remember) await page.check('input[name="remember"]');
  await page.click("#login-submit");
  if (consent) {
    await page.locator("#consent-accept").waitFor();
    await page.click("#consent-accept");
  }
}

export const random = () => randomBytes(24).toString("base64url");
export const challengeOf = (verifier) => createHash("sha256").update(verifier).digest("base64url");
