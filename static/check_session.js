// An app asks whether the person is still signed in: `<client_id> <session_state>`, answered `unchanged`, `changed` or `error` (OpenID
// Connect Session Management 1.0). Who asks with the state of another origin hears `changed`, whatever is true.
"use strict";

const cookie = `${document.documentElement.dataset.cookie}=`;

function browserState() {
  const found = document.cookie.split("; ").find((one) => one.startsWith(cookie));
  return found === undefined ? "" : found.slice(cookie.length);
}

async function answer(question, origin) {
  const parts = /^(.+) ([\w-]+)\.([\w-]+)$/.exec(question);
  if (parts === null) return "error";
  // Where the browser keeps cookies from us, nobody can say; "changed" would send the app to ask again and again.
  if (document.hasStorageAccess && !(await document.hasStorageAccess())) return "error";
  const [, client, hash, salt] = parts;
  const text = new TextEncoder().encode(`${client} ${origin} ${browserState()} ${salt}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const made = btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return made === hash ? "unchanged" : "changed";
}

addEventListener("message", async ({ data, origin, source }) => {
  // A frame in a sandbox has no origin to answer to.
  if (source === null || origin === "null" || typeof data !== "string") return;
  source.postMessage(await answer(data, origin).catch(() => "error"), origin);
});
