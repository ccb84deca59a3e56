// The shop: https://id.shop.test with apps on sibling and foreign hosts, over real TLS.
import path from "node:path";
import { appPages, certificate, chrome, command, folder, freePort, PASSWORD, proxy, serve, site, write } from "./house.mjs";

/**
 * `behind`: how many processes behind a proxy with a barrier; 0: the provider's own TLS listener.
 * `database`: a PostgreSQL URL; by default SQLite. `settings`: more of the configuration.
 */
export async function shop({ behind = 0, database, settings = "" } = {}) {
  const dir = folder();
  const tls = certificate(dir);
  const port = await freePort();
  const issuer = `https://id.shop.test:${port}`;
  const browser = await chrome(tls.pin);
  const origins = {};
  const pages = { app: {}, other: {}, evil: {} };
  for (const name of ["app", "other", "evil"]) {
    const at = await site(tls, pages[name]);
    origins[name] = name === "evil" ? `https://evil.test:${at}` : `https://${name}.shop.test:${at}`;
  }
  Object.assign(pages.app, appPages(issuer, "spa", origins.app));
  const plain = { "*": ["text/html", "<!doctype html><title>elsewhere</title>"] };
  Object.assign(pages.other, plain);
  Object.assign(pages.evil, plain);
  const backends = [];
  for (let at = 0; at < Math.max(behind, 1); at++) backends.push(behind ? await freePort() : port);
  for (const [at, backend] of backends.entries()) {
    const home = path.join(dir, `p${at}`);
    (await import("node:fs")).mkdirSync(home, { mode: 0o700 });
    const listener = behind ? `trusted_proxies = ["127.0.0.1/32"]` : `tls = { certificate = "${tls.cert}", key = "${tls.key}" }`;
    write(path.join(home, "config.toml"), `
[server]
issuer = "${issuer}"
listen = "127.0.0.1:${backend}"
${listener}
[database]
url = "${database ?? `sqlite://${dir}/frontdesk.db`}"
migrate_on_start = true
[secrets]
master_key_file = "${dir}/master.key"
${settings}`);
  }
  const first = path.join(dir, "p0");
  write(path.join(first, "shop.toml"), registrations(origins));
  command(first, "migrate");
  command(first, "apply", path.join(first, "shop.toml"));
  const processes = [];
  for (const [at, backend] of backends.entries()) {
    const probe = behind ? `http://127.0.0.1:${backend}/readyz` : `${issuer}/readyz`;
    processes.push(await serve(path.join(dir, `p${at}`), probe, tls.cert));
  }
  const barrier = behind ? await proxy(tls, port, backends) : undefined;
  return { issuer, origins, pages, browser, ca: tls.cert, dir: first, processes, barrier };
}

function registrations({ app, other }) {
  return `
[[users]]
username = "alice"
email = "alice@example.com"
email_verified = true
password = "${PASSWORD}"
[users.claims]
name = "Alice Liddell"

[[users]]
username = "mallory"
password = "${PASSWORD}"

[[clients]]
client_id = "spa"
client_name = "Shop"
application_type = "browser"
refresh_token_delivery = "cookie"
redirect_uris = ["${app}/callback"]
post_logout_redirect_uris = ["${app}/"]
allowed_origins = ["${app}"]
scope = "openid profile email notes:read"

[[clients]]
client_id = "web"
client_name = "Back office"
application_type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secret = "0123456789012345678901234567890123456789"
redirect_uris = ["${other}/callback", "${other}/bounce"]
post_logout_redirect_uris = ["${other}/bye", "${other}/bye-bounce"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
scope = "openid profile notes:read"

[[clients]]
client_id = "native"
client_name = "Desktop"
application_type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1/callback", "com.example.desktop:/callback"]
scope = "openid"

[[resources]]
identifier = "https://api.shop.test"
name = "Notes"
scopes = ["notes:read"]
introspected_by = ["web"]
access_token_alg = "ES256"
`;
}

/** A window of its own, signed in at the app. */
export async function signedIn(house, options = {}) {
  const { signInAt } = await import("./house.mjs");
  const context = await house.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${house.origins.app}/`);
  await page.waitForFunction(() => document.getElementById("state").textContent === "signed-out");
  await page.evaluate(() => { window.fd.signIn(); });
  await signInAt(page, "alice", PASSWORD, options);
  await page.waitForFunction(() => document.getElementById("state")?.textContent === "signed-in");
  return { context, page };
}

/** The cookies of the provider in a window, by name without prefix. */
export async function cookies(house, context) {
  const all = await context.cookies(house.issuer);
  return Object.fromEntries(all.map((cookie) => [cookie.name.replace("__Host-Http-", "").replace(/^rt\..*/, "rt"), cookie]));
}
