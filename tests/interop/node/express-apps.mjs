// Apps as people write them with npm express-openid-connect: a page for those who are signed in, sessions in a store, and an ear for
// logout tokens. Nothing of the library is changed; what came to its ear is only written down.
import { once } from 'node:events';
import express from 'express';
import openid from 'express-openid-connect';
import { settings } from './settings.mjs';

const { auth, requiresAuth } = openid;

/**
 * The apps, each under its name as path. `endsBy` is what their ear goes by: `person` is what the library does by itself, it
 * ends all sessions that have the `sid` or the `sub` of a logout token; `sid` ends the one that the token names.
 */
export const apps = [
    { id: 'es256', alg: 'ES256', endsBy: 'person' },
    { id: 'rs256', alg: 'RS256', endsBy: 'person' },
    { id: 'sid', alg: 'ES256', endsBy: 'sid' },
].map((app) => ({ ...app, clientId: `express-${app.id}`, address: `${settings.apps_origin}/${app.id}`, heard: [] }));

/** Starts the server with all apps. What the ear of an app was sent, and what it answered, is in its `heard`. */
export async function serve() {
    const server = express();
    for (const app of apps) server.use(`/${app.id}`, routes(app));
    const listening = server.listen(Number(new URL(settings.apps_origin).port), '127.0.0.1');
    await once(listening, 'listening');
}

function routes(app) {
    const store = new Store();
    const router = express.Router();
    router.use('/backchannel-logout', (request, response, next) => {
        response.on('finish', () => app.heard.push({ type: request.headers['content-type'], token: request.body?.logout_token, status: response.statusCode }));
        next();
    });
    router.use(
        auth({
            issuerBaseURL: settings.issuer,
            baseURL: app.address,
            clientID: app.clientId,
            clientSecret: settings.client_secret,
            secret: settings.client_secret,
            idTokenSigningAlg: app.alg,
            authorizationParams: { response_type: 'code' },
            authRequired: false,
            idpLogout: true,
            // The apps share a host, and so the cookies of a browser.
            session: { store, name: `session-${app.id}` },
            backchannelLogout: app.endsBy === 'sid' ? { onLogoutToken: (token) => store.set(`${token.iss}|${token.sid}`, { cookie: {} }) } : true,
        }),
    );
    router.get('/page', requiresAuth(), async (request, response) => {
        response.json({ claims: request.oidc.idTokenClaims, info: await request.oidc.fetchUserInfo(), id_token: request.oidc.idToken });
    });
    router.get('/', (request, response) => response.send('Welcome'));
    return router;
}

/** As those of express-session, but with promises: whether a store has callbacks the library guesses from its text. */
class Store {
    #entries = new Map();

    async get(id) {
        return this.#entries.get(id);
    }

    async set(id, entry) {
        this.#entries.set(id, entry);
    }

    async destroy(id) {
        this.#entries.delete(id);
    }
}
