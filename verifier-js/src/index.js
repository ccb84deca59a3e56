/** Checks Frontdesk's access tokens in your own services. */
export { bearer } from "./bearer.js";
export { bearerToken } from "./credentials.js";
export { VerifyError } from "./error.js";
export { Principal } from "./principal.js";
export { createVerifier } from "./verifier.js";
