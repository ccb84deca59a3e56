// npm jose: how a JavaScript API checks our tokens, and whether our key set is what the RFCs say.
import assert from 'node:assert/strict';
import { calculateJwkThumbprint, createLocalJWKSet, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, errors, importJWK, jwtVerify } from 'jose';
import { Browser } from './browser.mjs';
import { algorithms, other, settings } from './settings.mjs';
import { suite } from './suite.mjs';
import { createHash, randomBytes } from 'node:crypto';

const tests = suite('jose');
const address = new URL('/.well-known/jwks.json', settings.issuer);
const basic = (id) => `Basic ${Buffer.from(`${id}:${settings.client_secret}`).toString('base64')}`;

async function post(path, id, fields) {
    const response = await fetch(settings.issuer + path, {
        method: 'POST',
        headers: { authorization: basic(id), 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(fields),
    });
    const body = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
}

/** Tokens of a person, by hand: no client library in between. */
async function personsTokens(id, scope) {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
        client_id: id,
        response_type: 'code',
        redirect_uri: settings.web_redirect_uri,
        scope,
        state: 'state of mind',
        nonce: 'n-1',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
    });
    const { url } = await new Browser().act(`${settings.issuer}/oauth2/authorize?${query}`);
    assert.equal(url.searchParams.get('state'), 'state of mind');
    return post('/oauth2/token', id, { grant_type: 'authorization_code', code: url.searchParams.get('code'), redirect_uri: settings.web_redirect_uri, code_verifier: verifier });
}

await tests.flow('key set', async (check) => {
    const response = await fetch(address);
    const set = await response.json();
    await check('public members only, for both algorithms', () => {
        assert.deepEqual(new Set(set.keys.map(({ alg }) => alg)), new Set(['ES256', 'RS256']));
        for (const key of set.keys) {
            const wanted = key.kty === 'EC' ? ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'] : ['alg', 'e', 'kid', 'kty', 'n', 'use'];
            assert.deepEqual(Object.keys(key).sort(), wanted);
            assert.equal(key.use, 'sig');
        }
    });
    await check('every kid is the thumbprint of RFC 7638', async () => {
        for (const key of set.keys) assert.equal(await calculateJwkThumbprint(key), key.kid);
    });
    await check('every key imports', async () => {
        for (const key of set.keys) assert.equal((await importJWK(key)).type, 'public');
    });
    await check('an unchanged set is answered with 304, readable from every origin', async () => {
        const again = await fetch(address, { headers: { 'if-none-match': response.headers.get('etag'), origin: 'https://anywhere.example.com' }, cache: 'no-store' });
        assert.equal(again.status, 304);
        assert.equal(response.headers.get('access-control-allow-origin'), '*');
        assert.match(response.headers.get('cache-control'), /^public, max-age=\d+/);
    });
    await check('both metadata addresses say the same', async () => {
        const [oidc, oauth] = await Promise.all(
            ['openid-configuration', 'oauth-authorization-server'].map(async (name) => (await fetch(`${settings.issuer}/.well-known/${name}`)).json()),
        );
        assert.deepEqual(oidc, oauth);
        assert.equal(oidc.issuer, settings.issuer);
        assert.equal(oidc.jwks_uri, String(address));
    });
});

for (const one of algorithms) {
    await tests.flow(one.alg, async (check) => {
        const jwks = createRemoteJWKSet(address);
        const expected = { issuer: settings.issuer, audience: one.resource, algorithms: [one.alg], typ: 'at+jwt', requiredClaims: ['sub', 'client_id', 'iat', 'exp', 'jti'] };
        const service = await check('client credentials', () => post('/oauth2/token', 'service', { grant_type: 'client_credentials', scope: `${one.scope} ${one.id}:write` }));
        await check('the access token of a service', async () => {
            const { payload, protectedHeader } = await jwtVerify(service.access_token, jwks, expected);
            assert.equal(protectedHeader.typ, 'at+jwt');
            assert.equal(payload.sub, 'service');
            assert.equal(payload.client_id, 'service');
            assert.equal(payload.exp - payload.iat, service.expires_in);
            assert.deepEqual(payload.scope.split(' ').sort(), [one.scope, `${one.id}:write`]);
        });
        const person = await check('a person signs in', () => personsTokens(`web-basic-${one.id}`, `openid ${other(one.alg).scope}`));
        await check('the ID token is signed as the client wants, the access token as the resource wants', async () => {
            const id = await jwtVerify(person.id_token, jwks, { issuer: settings.issuer, audience: `web-basic-${one.id}`, algorithms: [one.alg] });
            assert.equal(id.payload.nonce, 'n-1');
            const half = createHash('sha256').update(person.access_token).digest().subarray(0, 16).toString('base64url');
            assert.equal(id.payload.at_hash, half);
            const { alg, resource } = other(one.alg);
            const access = await jwtVerify(person.access_token, jwks, { ...expected, audience: resource, algorithms: [alg] });
            assert.equal(access.payload.sub, id.payload.sub);
        });
        await check('an ID token is no access token: not for the library, not at userinfo', async () => {
            await assert.rejects(jwtVerify(person.id_token, jwks, { ...expected, audience: `web-basic-${one.id}` }), errors.JWTClaimValidationFailed);
            const response = await fetch(`${settings.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${person.id_token}` } });
            assert.equal(response.status, 401);
            assert.match(response.headers.get('www-authenticate'), /error="invalid_token"/);
        });
        await check('another audience is refused', () =>
            assert.rejects(jwtVerify(service.access_token, jwks, { ...expected, audience: other(one.alg).resource }), errors.JWTClaimValidationFailed));
        await check('another algorithm is refused', () =>
            assert.rejects(jwtVerify(service.access_token, jwks, { ...expected, algorithms: [other(one.alg).alg] }), errors.JOSEAlgNotAllowed));
        await check('a changed claim is refused, by the library and by us', async () => {
            const [head, , signature] = service.access_token.split('.');
            const forged = { ...decodeJwt(service.access_token), scope: `${one.id}:write`, sub: 'root' };
            const token = [head, Buffer.from(JSON.stringify(forged)).toString('base64url'), signature].join('.');
            await assert.rejects(jwtVerify(token, jwks, expected), errors.JWSSignatureVerificationFailed);
            assert.deepEqual(await post('/oauth2/introspect', `api-${one.id}`, { token }), { active: false });
            assert.equal((await post('/oauth2/introspect', `api-${one.id}`, { token: service.access_token })).active, true);
        });
        await check('a token works with the one key its kid names', async () => {
            const { keys } = await (await fetch(address)).json();
            const { kid } = decodeProtectedHeader(service.access_token);
            const only = keys.filter((key) => key.kid === kid);
            assert.equal(only.length, 1);
            await jwtVerify(service.access_token, createLocalJWKSet({ keys: only }), expected);
            await assert.rejects(jwtVerify(service.access_token, createLocalJWKSet({ keys: keys.filter((key) => key.kid !== kid) }), expected), errors.JWKSNoMatchingKey);
        });
    });
}

tests.end();
