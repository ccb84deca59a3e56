// npm @sd-jwt/jwt-status-list: another implementation of the Token Status List reads our lists, and sees in them what we revoked and nothing
// else. The library checks no signatures; npm jose does.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { getListFromStatusListJWT, getStatusListFromJWT, StatusList } from '@sd-jwt/jwt-status-list';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { Browser } from './browser.mjs';
import { settings } from './settings.mjs';
import { suite, until } from './suite.mjs';

const tests = suite('status-list');
const PLACES = 2 ** 20;
const metadata = await (await fetch(`${settings.issuer}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));

async function post(endpoint, id, fields) {
    const authorization = `Basic ${Buffer.from(`${id}:${settings.client_secret}`).toString('base64')}`;
    const response = await fetch(metadata[endpoint], { method: 'POST', headers: { authorization }, body: new URLSearchParams(fields) });
    assert.equal(response.status, 200, await response.clone().text());
    return response;
}

/** What an app is given for a person who has just signed in. */
async function signedIn(id, browser) {
    const verifier = randomBytes(32).toString('base64url');
    const fields = { client_id: id, redirect_uri: settings.web_redirect_uri };
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const asked = { ...fields, response_type: 'code', scope: 'openid es256:read', state: 's', code_challenge: challenge, code_challenge_method: 'S256' };
    const { url } = await browser.act(`${metadata.authorization_endpoint}?${new URLSearchParams(asked)}`);
    const code = { grant_type: 'authorization_code', code: url.searchParams.get('code'), redirect_uri: fields.redirect_uri, code_verifier: verifier };
    const answer = await (await fetchToken(id, code)).json();
    return { id, access: answer.access_token, refresh: answer.refresh_token };
}

/** Of a client that sends its secret in the form. */
function fetchToken(id, fields) {
    return fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams({ ...fields, client_id: id, client_secret: settings.client_secret }) });
}

/** A list, checked as an API must check it. */
async function fetched(uri) {
    const response = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' } });
    assert.equal(response.status, 200, uri);
    assert.equal(response.headers.get('content-type'), 'application/statuslist+jwt');
    const token = await response.text();
    const { payload } = await jwtVerify(token, keys, { issuer: settings.issuer, subject: uri, typ: 'statuslist+jwt', algorithms: ['ES256', 'RS256'] });
    return { token, payload, etag: response.headers.get('etag') };
}

/** All places that are set, as the library says. */
function places(token) {
    const list = getListFromStatusListJWT(token);
    assert.equal(list.getBitsPerStatus(), 1);
    assert.equal(list.statusList.length, PLACES);
    const set = new Set();
    for (let at = 0; at < PLACES; at += 1) if (list.getStatus(at) !== 0) set.add(at);
    return set;
}

/** Places of all lists, as `uri idx`. */
async function allSet() {
    const { status_lists: uris } = await (await fetch(metadata.status_list_aggregation_endpoint)).json();
    const found = new Set();
    for (const uri of uris) for (const at of places((await fetched(uri)).token)) found.add(`${uri} ${at}`);
    return found;
}

const placeOf = (token) => {
    const { uri, idx } = getStatusListFromJWT(token);
    return `${uri} ${idx}`;
};
const difference = (one, other) => [...one].filter((place) => !other.has(place)).sort();

await tests.flow('a foreign reader', async (check) => {
    const browser = new Browser();
    const people = [];
    const own = (await (await post('token_endpoint', 'service', { grant_type: 'client_credentials', scope: 'es256:read' })).json()).access_token;
    await check('every token names a place of its own in a list', async () => {
        for (let at = 0; at < 6; at += 1) people.push(await signedIn('web-post-es256', browser));
        const named = [own, ...people.map(({ access }) => access)].map(placeOf);
        assert.equal(new Set(named).size, named.length);
        for (const place of named) assert.match(place, /^http:\/\/localhost:\d+\/status\/\d+ \d+$/);
        for (const { access } of people) assert.deepEqual(decodeJwt(access).status.status_list, getStatusListFromJWT(access));
    });
    let before;
    await check('all lists, and none of these places is set', async () => {
        await until(async () => {
            before = await allSet();
            const { status_lists: uris } = await (await fetch(metadata.status_list_aggregation_endpoint)).json();
            return people.every(({ access }) => uris.includes(getStatusListFromJWT(access).uri));
        });
        for (const token of [own, ...people.map(({ access }) => access)]) assert.ok(!before.has(placeOf(token)));
    });
    const dead = [own, people[1].access, people[4].access];
    await check('what was revoked is set, and not another of a million places', async () => {
        await post('revocation_endpoint', 'service', { token: own });
        for (const [at, token] of [[1, people[1].refresh], [4, people[4].access]]) {
            const form = { token, client_id: people[at].id, client_secret: settings.client_secret };
            assert.equal((await fetch(metadata.revocation_endpoint, { method: 'POST', body: new URLSearchParams(form) })).status, 200);
        }
        let after;
        await until(async () => {
            after = await allSet();
            return dead.every((token) => after.has(placeOf(token)));
        });
        assert.deepEqual(difference(after, before), dead.map(placeOf).sort());
        assert.deepEqual(difference(before, after), []);
    });
    await check('zlib reads the same bytes, and the library writes the same bits', async () => {
        const { token, payload } = await fetched(getStatusListFromJWT(people[1].access).uri);
        const bytes = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'));
        assert.equal(bytes.length, PLACES / 8);
        const set = places(token);
        for (let at = 0; at < PLACES; at += 1) assert.equal((bytes[at >> 3] >> (at & 7)) & 1, set.has(at) ? 1 : 0, `place ${at}`);
        const again = new StatusList(Array.from({ length: PLACES }, (_, at) => (set.has(at) ? 1 : 0)), 1);
        const written = StatusList.decompressStatusList(again.compressStatusList(), 1);
        assert.deepEqual(written.statusList, getListFromStatusListJWT(token).statusList);
        assert.ok(Buffer.from(again.encodeStatusList()).equals(bytes));
    });
    await check('life, pace, addresses, and 304 for an unchanged list', async () => {
        const { uri } = getStatusListFromJWT(people[0].access);
        const { payload, etag } = await fetched(uri);
        assert.equal(payload.exp - payload.iat, 300);
        assert.equal(payload.ttl, 10);
        assert.ok(Number.isInteger(payload.frontdesk_version));
        assert.equal(payload.status_list.aggregation_uri, metadata.status_list_aggregation_endpoint);
        const again = await fetch(uri, { headers: { 'if-none-match': etag, origin: 'https://anywhere.example.com' } });
        // Every two minutes it is signed anew.
        assert.ok(again.status === 304 || (await again.text()) !== '');
        assert.equal(again.headers.get('access-control-allow-origin'), '*');
        assert.equal((await fetch(`${uri}?time=1795000000`)).status, 501);
    });
});
tests.end();
