// Access tokens together with the lists they name: who is let in (draft-ietf-oauth-status-list-21, section 8.3).
import { accessToken, ec, issuer, now, rsa, stolen, stranger } from "./issuer.mjs";
import { listToken, lst, uri } from "./lists.mjs";

const cases = [];
const everywhere = ["if_present", "required"];
const accept = (name, token, lists = {}, policies = everywhere) => put(name, token, lists, policies, { accept: true });
const refuse = (name, reason, token, lists = {}, policies = everywhere) => put(name, token, lists, policies, { accept: false, reason });

function put(name, token, lists, policies, verdict) {
  for (const policy of policies) cases.push({ name: `${name}, ${policy}`, policy, token, lists, ...verdict });
}

const refers = (status_list, changes = {}) => accessToken({ status: { status_list }, ...changes });
const longest = `${issuer}/status/`.padEnd(512, "1");
const revoked = [0, 12, 99, 1048575];
const lists = { [uri]: listToken(revoked) };
const ofBits = (bits, byte) => ({ [uri]: listToken([], { status_list: { bits, lst: lst(Buffer.from([byte])) } }) });

export function statusChecks() {
  values();
  claims();
  unreachable();
  order();
  return {
    about:
      "Access tokens and the status lists that the issuer serves at `now`; a list that is `null` or not named cannot be had. The verifier is new: " +
      "it has fetched the keys, and has seen no list before. With `reason` `unavailable` the caller is answered 503, with every other one 401. " +
      "The policies: `off` does not look at `status`, `if_present` checks what names a list, `required` refuses a token without.",
    cases,
  };
}

function values() {
  for (const index of [1, 11, 13, 98, 100, 1048574]) accept(`place ${index} is not set`, refers({ idx: index, uri }), lists);
  for (const index of revoked) refuse(`place ${index} is set`, "revoked", refers({ idx: index, uri }), lists);
  accept("a place that is set", refers({ idx: 12, uri }), lists, ["off"]);
  refuse("one after the last place", "status", refers({ idx: 1048576, uri }), lists);
  refuse("far after the last place", "status", refers({ idx: 2 ** 53 - 1, uri }), lists);
  accept("two bits, valid", refers({ idx: 2, uri }), ofBits(2, 0b11_00_10_01));
  refuse("two bits, invalid", "revoked", refers({ idx: 0, uri }), ofBits(2, 0b11_00_10_01));
  refuse("two bits, suspended", "revoked", refers({ idx: 1, uri }), ofBits(2, 0b11_00_10_01));
  refuse("two bits, of the application's own", "revoked", refers({ idx: 3, uri }), ofBits(2, 0b11_00_10_01));
  refuse("two bits, the byte ends", "status", refers({ idx: 4, uri }), ofBits(2, 0b11_00_10_01));
  accept("four bits, valid", refers({ idx: 0, uri }), ofBits(4, 0xc0));
  refuse("four bits, of the application's own", "revoked", refers({ idx: 1, uri }), ofBits(4, 0xc0));
  refuse("eight bits, reserved", "revoked", refers({ idx: 0, uri }), ofBits(8, 0x80));
}

function claims() {
  accept("no status", accessToken(), lists, ["if_present", "off"]);
  refuse("no status", "status_missing", accessToken(), lists, ["required"]);
  const wrong = {
    "status is null": null,
    "status is a text": uri,
    "status is empty": {},
    "status names another mechanism only": { other: { id: 1 } },
    "status_list is null": { status_list: null },
    "status_list is a list": { status_list: [{ idx: 1, uri }] },
    "no idx": { status_list: { uri } },
    "no uri": { status_list: { idx: 1 } },
    "idx is negative": { status_list: { idx: -1, uri } },
    "idx has a fraction": { status_list: { idx: 1.5, uri } },
    "idx is a text": { status_list: { idx: "1", uri } },
    "idx is null": { status_list: { idx: null, uri } },
    "idx is beyond what numbers hold": { status_list: { idx: 1e300, uri } },
    "uri is a list": { status_list: { idx: 1, uri: [uri] } },
  };
  for (const [name, status] of Object.entries(wrong)) {
    refuse(name, "status", accessToken({ status }), lists);
    accept(name, accessToken({ status }), lists, ["off"]);
  }
  const elsewhere = [
    "https://evil.example/status/7",
    `${issuer}.evil.example/status/7`,
    `https://id.example.com@evil.example/status/7`,
    "https://user:password@id.example.com/status/7",
    "http://id.example.com/status/7",
    `${issuer}:8443/status/7`,
    `${issuer}/other/7`,
    `${issuer}/statuses/7`,
    `${issuer}/status/../.well-known/jwks.json`,
    `${issuer}/status/%2e%2e/other`,
    `${issuer}/status/../status/7`,
    `${issuer}/status/a/../7`,
    `${issuer}/status/./7`,
    `${issuer}/status\\7`,
    `${issuer}/status/\t7`,
    `${issuer}/status/7 `,
    `${issuer}/status/`,
    `${issuer}/status`,
    `${issuer}//status/7`,
    `${issuer}/status/7?`,
    `${issuer}/status/7?x=1`,
    `${issuer}/status/7#`,
    `${issuer}/status/7#x`,
    `${issuer}:443/status/7`,
    "https://ID.example.com/status/7",
    "HTTPS://id.example.com/status/7",
    "https:/id.example.com/status/7",
    longest + "1",
    "/status/7",
    "status/7",
    "data:application/statuslist+jwt,x",
    "",
  ];
  // A verifier that normalizes would ask for another address than the token names.
  const served = (address) => {
    const normal = URL.canParse(address) ? new URL(address).href : "";
    const good = listToken([], { sub: address });
    return { ...lists, ...(normal.startsWith(`${issuer}/status/`) && { [normal]: good }), [address]: good };
  };
  const named = (address) => `uri ${address.length > 100 ? `of ${address.length} characters` : JSON.stringify(address)}`;
  for (const address of elsewhere) refuse(named(address), "status", refers({ idx: 1, uri: address }), served(address));
  for (const address of [`${issuer}/status/a/b`, `${issuer}/status/%C3%A9`, longest]) {
    accept(named(address), refers({ idx: 1, uri: address }), served(address));
  }
}

function unreachable() {
  const token = refers({ idx: 1, uri });
  refuse("the list cannot be had", "unavailable", token, { [uri]: null });
  accept("the list cannot be had", token, { [uri]: null }, ["off"]);
  refuse("there is no such list", "unavailable", refers({ idx: 1, uri: `${issuer}/status/8` }), lists);
  refuse("the list is signed by a stranger", "unavailable", token, { [uri]: listToken([], {}, stranger) });
  refuse("the list is another one", "unavailable", token, { [uri]: listToken([], { sub: `${issuer}/status/8` }) });
  refuse("the list is too old", "unavailable", token, { [uri]: listToken([], { iat: now - 3900, exp: now - 3600 }) });
  refuse("the list is an access token", "unavailable", token, { [uri]: accessToken() });
  refuse("the list is a bomb", "unavailable", token, {
    [uri]: listToken([], { status_list: { bits: 1, lst: lst(Buffer.alloc(17 * 2 ** 20)) } }),
  });
}

function order() {
  const expired = { iat: now - 4500, exp: now - 3600 };
  refuse("an expired token stays expired", "expired", refers({ idx: 12, uri }, expired), lists);
  refuse("an expired token and no list", "expired", refers({ idx: 12, uri }, expired), {});
  refuse("another API's token", "audience", refers({ idx: 12, uri }, { aud: "https://other.example.com" }), lists);
  refuse("a token bound to a key", "sender_constrained", refers({ idx: 12, uri }, { cnf: { jkt: "x" } }), lists);
  const denying = { [uri]: listToken(revoked, { denied_kids: [stolen.kid] }) };
  const signedWith = (key) => accessToken({ status: { status_list: { idx: 1, uri } } }, key);
  accept("a key that is not denied", signedWith(ec), denying);
  accept("a key that is not denied, RS256", signedWith(rsa), denying);
  refuse("the list denies the token's key", "denied_key", signedWith(stolen), denying);
  accept("a key that no list denies", signedWith(stolen), lists);
}
