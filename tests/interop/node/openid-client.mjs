// npm openid-client: the relying party library of most Node.js servers.
import assert from 'node:assert/strict';
import * as oidc from 'openid-client';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { Browser } from './browser.mjs';
import { algorithms, other, settings } from './settings.mjs';
import { suite } from './suite.mjs';

const tests = suite('openid-client');
const issuer = new URL(settings.issuer);

const configured = async (clientId, authentication, alg) => {
    const metadata = alg ? { id_token_signed_response_alg: alg } : {};
    const config = await oidc.discovery(issuer, clientId, metadata, authentication, { execute: [oidc.allowInsecureRequests] });
    // The signature of the ID token is checked too, although it came straight from the server.
    oidc.enableNonRepudiationChecks(config);
    return config;
};

/** Builds the request, lets a person answer it, and returns where the browser was sent with what is to be checked there. */
async function authorize(config, redirectUri, scope, { browser = new Browser(), how, ...more } = {}) {
    const verifier = oidc.randomPKCECodeVerifier();
    const checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true };
    const url = oidc.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope,
        state: checks.expectedState,
        nonce: checks.expectedNonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...more,
    });
    const end = await browser.act(url, how);
    return { ...end, checks, browser };
}

const refusedAs = (error) => (thrown) => {
    assert.equal(thrown.error, error, `${thrown.name}: ${thrown.message}`);
    return true;
};

/** A protected resource said 401. */
const unauthorized = (thrown) => {
    assert.equal(thrown.status ?? thrown.cause?.status, 401, `${thrown.name}: ${thrown.message}`);
    return true;
};

/** The library itself refused, before or after it asked the server; its reason is in the cause. */
const refusedBecause = (reason) => (thrown) => {
    assert.match(`${thrown.message}; ${thrown.cause?.message}`, reason);
    return true;
};

const jwks = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer));

async function accessToken(token, { alg, resource }, audience = resource) {
    const { payload, protectedHeader } = await jwtVerify(token, jwks, {
        issuer: settings.issuer,
        audience,
        algorithms: [alg],
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id', 'scope'],
    });
    assert.ok(protectedHeader.kid);
    return payload;
}

const servers = [
    { kind: 'web-basic', redirect: settings.web_redirect_uri, bye: settings.web_post_logout_redirect_uri, auth: () => oidc.ClientSecretBasic(settings.client_secret), offline: true },
    { kind: 'web-post', redirect: settings.web_redirect_uri, bye: settings.web_post_logout_redirect_uri, auth: () => oidc.ClientSecretPost(settings.client_secret) },
    { kind: 'native', redirect: settings.native_redirect_uri, bye: settings.native_post_logout_redirect_uri, auth: () => oidc.None(), asksAlways: true },
];

for (const { kind, redirect, bye, auth, offline, asksAlways } of servers) {
    for (const one of algorithms) {
        const clientId = `${kind}-${one.id}`;
        await tests.flow(clientId, async (check) => {
            const config = await check('discovery', () => configured(clientId, auth(), one.alg));
            const scope = `openid profile email address phone ${one.scope}${offline ? ' offline_access' : ''}`;
            const asked = await check('the person signs in and consents', async () => {
                const end = await authorize(config, redirect, scope, offline ? { prompt: 'consent' } : {});
                assert.deepEqual(end.pages, ['login', 'consent']);
                assert.equal(end.url.searchParams.get('iss'), settings.issuer);
                return end;
            });
            const tokens = await check('code, verifier, state, nonce, iss and ID token', () => oidc.authorizationCodeGrant(config, asked.url, asked.checks));
            await check('the ID token is signed as registered', () => {
                assert.equal(decodeProtectedHeader(tokens.id_token).alg, one.alg);
                const claims = tokens.claims();
                assert.equal(claims.aud, clientId);
                assert.ok(claims.auth_time <= Date.now() / 1000 + 1);
                assert.ok(claims.at_hash);
            });
            const claims = tokens.claims();
            await check('the access token verifies by JWKS, with the resource and the issuer as audience', async () => {
                const payload = await accessToken(tokens.access_token, one);
                assert.deepEqual([...payload.aud].sort(), [one.resource, settings.issuer].sort());
                assert.equal(payload.client_id, clientId);
                assert.equal(payload.sub, claims.sub);
                assert.ok(payload.scope.split(' ').includes(one.scope));
            });
            await check('userinfo', async () => {
                const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
                assert.equal(info.name, 'Alice Liddell');
                assert.equal(info.email, 'alice@example.com');
                assert.equal(info.email_verified, true);
                assert.equal(info.address.locality, 'Oxford');
                assert.equal(info.phone_number, '+441865000000');
            });
            await check('a code serves once', async () => {
                const again = await authorize(config, redirect, scope, { browser: asked.browser });
                assert.deepEqual(again.pages, asksAlways ? ['consent'] : []);
                const first = await oidc.authorizationCodeGrant(config, again.url, again.checks);
                await assert.rejects(oidc.authorizationCodeGrant(config, again.url, again.checks), refusedAs('invalid_grant'));
                // RFC 6749 section 4.1.2: what the code gave is taken back.
                await assert.rejects(oidc.refreshTokenGrant(config, first.refresh_token), refusedAs('invalid_grant'));
                await assert.rejects(oidc.fetchUserInfo(config, first.access_token, claims.sub), unauthorized);
            });
            let refreshed = await check('refresh', async () => {
                const next = await oidc.refreshTokenGrant(config, tokens.refresh_token);
                assert.notEqual(next.refresh_token, tokens.refresh_token);
                assert.notEqual(next.access_token, tokens.access_token);
                assert.equal(next.claims().sub, claims.sub);
                assert.equal(next.claims().nonce, undefined);
                await accessToken(next.access_token, one);
                return next;
            });
            await check('refresh with a narrower scope', async () => {
                const next = await oidc.refreshTokenGrant(config, refreshed.refresh_token, { scope: `openid ${one.scope}` });
                assert.equal(next.scope.split(' ').sort().join(' '), [`openid`, one.scope].sort().join(' '));
                refreshed = next;
            });
            const api = await configured(`api-${one.id}`, oidc.ClientSecretBasic(settings.client_secret));
            const stranger = await configured(`api-${other(one.alg).id}`, oidc.ClientSecretBasic(settings.client_secret));
            await check('introspection by the API, not by another', async () => {
                const known = await oidc.tokenIntrospection(api, refreshed.access_token);
                assert.equal(known.active, true);
                assert.equal(known.sub, claims.sub);
                assert.equal(known.client_id, clientId);
                assert.equal(known.iss, settings.issuer);
                assert.deepEqual(await oidc.tokenIntrospection(stranger, refreshed.access_token), { active: false });
            });
            await check('a revoked access token is refused', async () => {
                await oidc.tokenRevocation(config, refreshed.access_token, { token_type_hint: 'access_token' });
                assert.deepEqual(await oidc.tokenIntrospection(api, refreshed.access_token), { active: false });
                await assert.rejects(oidc.fetchUserInfo(config, refreshed.access_token, claims.sub), unauthorized);
            });
            await check('its refresh token lives on until it is revoked', async () => {
                const next = await oidc.refreshTokenGrant(config, refreshed.refresh_token);
                assert.equal((await oidc.tokenIntrospection(api, next.access_token)).active, true);
                await oidc.tokenRevocation(config, next.refresh_token);
                await assert.rejects(oidc.refreshTokenGrant(config, next.refresh_token), refusedAs('invalid_grant'));
                assert.deepEqual(await oidc.tokenIntrospection(api, next.access_token), { active: false });
            });
            await check('sign-out ends what hangs on the session', async () => {
                const again = await authorize(config, redirect, scope, { browser: asked.browser });
                const last = await oidc.authorizationCodeGrant(config, again.url, again.checks);
                const state = oidc.randomState();
                const url = oidc.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: bye, state });
                const end = await asked.browser.act(url);
                assert.deepEqual(end.pages, ['logout']);
                assert.equal(String(end.url), `${bye}?state=${encodeURIComponent(state)}`);
                if (offline) {
                    // Consented offline access outlives the session (OIDC Core section 11).
                    await oidc.refreshTokenGrant(config, last.refresh_token);
                } else {
                    await assert.rejects(oidc.refreshTokenGrant(config, last.refresh_token), refusedAs('invalid_grant'));
                    await assert.rejects(oidc.fetchUserInfo(config, last.access_token, claims.sub), unauthorized);
                    assert.deepEqual(await oidc.tokenIntrospection(api, last.access_token), { active: false });
                }
                const after = await authorize(config, redirect, scope, { browser: asked.browser, prompt: 'none', how: { silent: true } });
                await assert.rejects(oidc.authorizationCodeGrant(config, after.url, after.checks), refusedAs('login_required'));
            });
        });
    }
}

await tests.flow('single sign-on', async (check) => {
    const browser = new Browser();
    const redirect = settings.web_redirect_uri;
    const config = await configured('web-post-es256', oidc.ClientSecretPost(settings.client_secret), 'ES256');
    const first = await check('the first app asks for the password', async () => {
        const end = await authorize(config, redirect, 'openid email', { browser });
        assert.ok(end.pages.includes('login'));
        return oidc.authorizationCodeGrant(config, end.url, end.checks);
    });
    await check('prompt=none gives a code without a page', async () => {
        const end = await authorize(config, redirect, 'openid email', { browser, prompt: 'none', how: { silent: true } });
        const tokens = await oidc.authorizationCodeGrant(config, end.url, end.checks);
        assert.equal(tokens.claims().auth_time, first.claims().auth_time);
    });
    await check('prompt=login asks again', async () => {
        const end = await authorize(config, redirect, 'openid email', { browser, prompt: 'login' });
        assert.deepEqual(end.pages, ['login']);
        const tokens = await oidc.authorizationCodeGrant(config, end.url, end.checks);
        assert.ok(tokens.claims().auth_time >= first.claims().auth_time);
    });
    await check('max_age is answered with auth_time', async () => {
        const end = await authorize(config, redirect, 'openid email', { browser, max_age: '3600' });
        await oidc.authorizationCodeGrant(config, end.url, { ...end.checks, maxAge: 3600 });
    });
    await check('response_mode=form_post', async () => {
        const end = await authorize(config, redirect, 'openid email', { browser, response_mode: 'form_post' });
        assert.equal(end.post.action, redirect);
        const request = new Request(end.post.action, { method: 'POST', body: end.post.fields });
        await oidc.authorizationCodeGrant(config, request, end.checks);
    });
    await check('an explicit resource is the only audience, and userinfo refuses it', async () => {
        const [, rs] = algorithms;
        const end = await authorize(config, redirect, `openid ${rs.scope}`, { browser, resource: rs.resource });
        const tokens = await oidc.authorizationCodeGrant(config, end.url, end.checks, { resource: rs.resource });
        const payload = await accessToken(tokens.access_token, rs);
        assert.deepEqual([payload.aud].flat(), [rs.resource]);
        await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub), unauthorized);
    });
});

await tests.flow('refusals', async (check) => {
    const redirect = settings.web_redirect_uri;
    const config = await configured('web-post-rs256', oidc.ClientSecretPost(settings.client_secret), 'RS256');
    const browser = new Browser();
    const fresh = () => authorize(config, redirect, 'openid', { browser });
    await check('another state', async () => {
        const end = await fresh();
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, { ...end.checks, expectedState: 'another' }), refusedBecause(/"state"/));
    });
    await check('another nonce', async () => {
        const end = await fresh();
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, { ...end.checks, expectedNonce: 'another' }), refusedBecause(/"nonce"/));
    });
    await check('another issuer (mix-up)', async () => {
        const end = await fresh();
        end.url.searchParams.set('iss', 'http://localhost:1');
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, end.checks), refusedBecause(/"iss"/));
    });
    await check('another verifier', async () => {
        const end = await fresh();
        await assert.rejects(
            oidc.authorizationCodeGrant(config, end.url, { ...end.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }),
            refusedAs('invalid_grant'),
        );
    });
    await check('another client', async () => {
        const end = await fresh();
        const thief = await configured('web-post-es256', oidc.ClientSecretPost(settings.client_secret));
        await assert.rejects(oidc.authorizationCodeGrant(thief, end.url, end.checks), refusedAs('invalid_grant'));
        // It was not the thief's to burn.
        await oidc.authorizationCodeGrant(config, end.url, end.checks);
    });
    await check('another redirect URI at the token endpoint', async () => {
        const end = await fresh();
        const url = new URL(end.url);
        url.pathname = '/elsewhere';
        await assert.rejects(oidc.authorizationCodeGrant(config, url, end.checks), refusedAs('invalid_grant'));
    });
    await check('the person says no', async () => {
        const end = await authorize(config, redirect, 'openid profile', { browser: new Browser(), prompt: 'consent', how: { deny: true } });
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, end.checks), refusedAs('access_denied'));
    });
    await check('an unregistered redirect URI stays on an error page', async () => {
        const url = oidc.buildAuthorizationUrl(config, { redirect_uri: 'https://evil.example.com/', scope: 'openid', state: 's', code_challenge: await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier()), code_challenge_method: 'S256' });
        const { status, html } = await browser.page(url);
        assert.equal(status, 400);
        assert.match(html, /id="error-page"/);
        assert.ok(!html.includes('evil.example.com'));
    });
    await check('no PKCE', async () => {
        const state = oidc.randomState();
        const url = oidc.buildAuthorizationUrl(config, { redirect_uri: redirect, scope: 'openid', state });
        const end = await browser.act(url, { silent: true });
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, { expectedState: state }), refusedAs('invalid_request'));
    });
    await check('a request object', async () => {
        const state = oidc.randomState();
        const url = oidc.buildAuthorizationUrl(config, { redirect_uri: redirect, scope: 'openid', state, request: 'e30.e30.' });
        const end = await browser.act(url, { silent: true });
        await assert.rejects(oidc.authorizationCodeGrant(config, end.url, { expectedState: state }), refusedAs('request_not_supported'));
    });
    await check('a wrong secret, in the header and in the form', async () => {
        for (const [id, auth] of [['web-basic-es256', oidc.ClientSecretBasic('x'.repeat(40))], ['web-post-es256', oidc.ClientSecretPost('x'.repeat(40))]]) {
            const wrong = await configured(id, auth);
            await assert.rejects(oidc.refreshTokenGrant(wrong, 'fd_rt_x'), unauthorized);
        }
    });
    await check('a wrong way to authenticate', async () => {
        const wrong = await configured('web-basic-es256', oidc.ClientSecretPost(settings.client_secret));
        await assert.rejects(oidc.refreshTokenGrant(wrong, 'fd_rt_x'), refusedAs('invalid_client'));
    });
});

await tests.flow('client credentials', async (check) => {
    const config = await configured('service', oidc.ClientSecretBasic(settings.client_secret));
    for (const one of algorithms) {
        await check(`${one.alg}: by scope and by resource`, async () => {
            const byScope = await oidc.clientCredentialsGrant(config, { scope: one.scope });
            assert.equal((await accessToken(byScope.access_token, one)).sub, 'service');
            assert.equal(byScope.refresh_token, undefined);
            const byResource = await oidc.clientCredentialsGrant(config, { resource: one.resource, scope: one.scope });
            await accessToken(byResource.access_token, one);
        });
    }
    await check('openid and unknown scopes are refused', async () => {
        await assert.rejects(oidc.clientCredentialsGrant(config, { scope: 'openid' }), refusedAs('invalid_scope'));
        await assert.rejects(oidc.clientCredentialsGrant(config, { scope: 'moon:read' }), refusedAs('invalid_scope'));
    });
    await check('a resource that does not exist, and two at once', async () => {
        await assert.rejects(oidc.clientCredentialsGrant(config, { resource: 'https://moon.example.com' }), refusedAs('invalid_target'));
        await assert.rejects(oidc.clientCredentialsGrant(config, { scope: algorithms.map(({ scope }) => scope).join(' ') }), refusedAs('invalid_target'));
    });
    await check('a secret of signs that form encoding changes', async () => {
        const awkward = await configured('web-awkward', oidc.ClientSecretBasic(settings.awkward_secret));
        const tokens = await oidc.clientCredentialsGrant(awkward, { scope: 'es256:read' });
        await accessToken(tokens.access_token, algorithms[0]);
    });
});

tests.end();
