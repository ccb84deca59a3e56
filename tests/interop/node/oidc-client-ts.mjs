// npm oidc-client-ts: the library of browser apps. Its UserManager runs as in a page; only the window is a stand-in.
import assert from 'node:assert/strict';
import { InMemoryWebStorage, UserManager, WebStorageStateStore } from 'oidc-client-ts';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Browser } from './browser.mjs';
import { algorithms, settings } from './settings.mjs';
import { suite } from './suite.mjs';

const tests = suite('oidc-client-ts');
const origin = settings.browser_origin;
const jwks = createRemoteJWKSet(new URL('/.well-known/jwks.json', settings.issuer));

// What a page adds to its requests and what a browser asks of the answers.
const network = globalThis.fetch;
let seen = [];
const inPage = async (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set('origin', origin);
    headers.set('sec-fetch-site', 'same-site');
    headers.set('sec-fetch-mode', 'cors');
    const method = init.method ?? 'GET';
    const simple = method !== 'POST' || /^application\/x-www-form-urlencoded/.test(headers.get('content-type') ?? '');
    if (!simple || headers.has('authorization')) await preflight(input, method);
    const response = await network(input, { ...init, headers });
    const allowed = response.headers.get('access-control-allow-origin');
    if (allowed !== origin && allowed !== '*') throw new TypeError(`blocked by CORS: ${method} ${input} allows ${allowed}`);
    if (allowed !== '*' && !/\borigin\b/i.test(response.headers.get('vary') ?? '')) throw new TypeError(`no Vary: Origin from ${input}`);
    if (response.headers.getSetCookie().length > 0) throw new TypeError(`a cookie from ${input}`);
    seen.push({ url: String(input), method, body: await response.clone().text() });
    return response;
};
async function preflight(input, method) {
    const answer = await network(input, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization' },
    });
    assert.ok(answer.ok, `preflight ${answer.status}`);
    assert.equal(answer.headers.get('access-control-allow-origin'), origin);
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization/i);
}

const refusedAs = (error) => (thrown) => {
    assert.equal(thrown.error, error, `${thrown.name}: ${thrown.message}`);
    return true;
};

/** A navigator that hands the address to our browser and remembers where that ended. */
function navigator(browser) {
    const self = {
        end: undefined,
        how: undefined,
        async prepare() {
            return {
                async navigate({ url }) {
                    self.end = await browser.act(url, self.how);
                    return { url: String(self.end.url) };
                },
                close() {},
            };
        },
        async callback() {},
    };
    return self;
}

function manager(clientId, scope, browser) {
    const windowLike = navigator(browser);
    const users = new UserManager(
        {
            authority: settings.issuer,
            client_id: clientId,
            redirect_uri: settings.browser_redirect_uri,
            post_logout_redirect_uri: settings.browser_post_logout_redirect_uri,
            scope,
            loadUserInfo: true,
            automaticSilentRenew: false,
            monitorSession: false,
            userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
            stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
        },
        windowLike,
        windowLike,
        windowLike,
    );
    return { users, windowLike };
}

globalThis.fetch = inPage;
const browserFetch = (story) => async (...parameters) => {
    globalThis.fetch = network;
    try {
        return await story(...parameters);
    } finally {
        globalThis.fetch = inPage;
    }
};
/** The person's own requests are navigations, not requests of the page. */
class Person extends Browser {
    act = browserFetch((...parameters) => super.act(...parameters));
}

for (const one of algorithms) {
    const clientId = `browser-${one.id}`;
    await tests.flow(clientId, async (check) => {
        const browser = new Person();
        const { users, windowLike } = manager(clientId, `openid profile email ${one.scope}`, browser);
        const user = await check('sign-in with discovery, PKCE, state, nonce and userinfo, over CORS', async () => {
            await users.signinRedirect({ nonce: 'a-nonce-of-the-page', state: { page: '/notes' } });
            assert.deepEqual(windowLike.end.pages, ['login', 'consent']);
            const signedIn = await users.signinRedirectCallback(String(windowLike.end.url));
            assert.equal(signedIn.profile.name, 'Alice Liddell');
            assert.equal(signedIn.profile.email, 'alice@example.com');
            assert.deepEqual(signedIn.state, { page: '/notes' });
            return signedIn;
        });
        await check('the refresh token comes in the body, without offline_access', () => assert.match(user.refresh_token, /^fd_rt_.{70}$/));
        await check('the ID token verifies by JWKS', async () => {
            const { payload } = await jwtVerify(user.id_token, jwks, { issuer: settings.issuer, audience: clientId, algorithms: [one.alg] });
            assert.equal(payload.nonce, 'a-nonce-of-the-page');
            assert.equal(payload.sub, user.profile.sub);
        });
        await check('the access token verifies by JWKS', async () => {
            const { payload } = await jwtVerify(user.access_token, jwks, { issuer: settings.issuer, audience: one.resource, algorithms: [one.alg], typ: 'at+jwt' });
            assert.equal(payload.client_id, clientId);
        });
        const renewed = await check('signinSilent refreshes', async () => {
            const next = await users.signinSilent();
            assert.notEqual(next.access_token, user.access_token);
            assert.notEqual(next.refresh_token, user.refresh_token);
            assert.equal(next.profile.sub, user.profile.sub);
            return next;
        });
        await check('an answer with another nonce is refused by the library', async () => {
            await users.signinRedirect({ nonce: 'one' });
            const url = String(windowLike.end.url);
            const state = new URL(url).searchParams.get('state');
            const key = await users.settings.stateStore.get(state);
            await users.settings.stateStore.set(state, key.replace('"nonce":"one"', '"nonce":"two"'));
            await assert.rejects(users.signinRedirectCallback(url), /nonce/);
        });
        await check('an answer with a foreign state is refused by the library', async () => {
            await users.signinRedirect();
            const url = new URL(windowLike.end.url);
            url.searchParams.set('state', 'foreign');
            await assert.rejects(users.signinRedirectCallback(String(url)), /state/);
        });
        await check('revokeTokens', async () => {
            await users.storeUser(renewed);
            await users.revokeTokens(['access_token', 'refresh_token']);
            await users.storeUser(renewed);
            await assert.rejects(users.signinSilent(), refusedAs('invalid_grant'));
        });
        await check('an error answer reaches the app', async () => {
            windowLike.how = { deny: true };
            await users.signinRedirect({ prompt: 'consent' });
            windowLike.how = undefined;
            await assert.rejects(users.signinRedirectCallback(String(windowLike.end.url)), refusedAs('access_denied'));
        });
        await check('signoutRedirect ends session and tokens', async () => {
            await users.signinRedirect();
            const last = await users.signinRedirectCallback(String(windowLike.end.url));
            await users.signoutRedirect({ state: 'gone' });
            assert.deepEqual(windowLike.end.pages, ['logout']);
            const answer = await users.signoutRedirectCallback(String(windowLike.end.url));
            assert.equal(answer.error, null);
            await users.storeUser(last);
            await assert.rejects(users.signinSilent(), refusedAs('invalid_grant'));
            windowLike.how = { silent: true };
            await users.removeUser();
            await assert.rejects(users.signinSilent({ forceIframeAuth: true }), refusedAs('login_required'));
            windowLike.how = undefined;
        });
        await check('another origin gets no answer it can read', async () => {
            const response = await network(`${settings.issuer}/oauth2/token`, {
                method: 'POST',
                headers: { origin: 'https://evil.example.com', 'content-type': 'application/x-www-form-urlencoded' },
                body: new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: renewed.refresh_token }),
            });
            assert.equal(response.headers.get('access-control-allow-origin'), null);
            assert.ok(!response.ok);
        });
        await check('the library spoke to discovery, token and userinfo', () => {
            for (const path of ['/.well-known/openid-configuration', '/oauth2/token', '/oauth2/userinfo', '/oauth2/revoke']) {
                assert.ok(seen.some(({ url }) => url === settings.issuer + path), path);
            }
            seen = [];
        });
    });
}

tests.end();
