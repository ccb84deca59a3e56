/** Whether the status of a token is looked at, and where (draft-ietf-oauth-status-list section 6). */
import { invalid } from "./error.js";
import { isObject, member } from "./json.js";

/** The place that the claims name: `{ uri, index }`. `undefined`: none is needed. */
export function statusPlace(claims, policy, issuer) {
  if (policy === "off") return undefined;
  const status = member(claims, "status");
  if (status === undefined) {
    if (policy === "required") throw invalid("status_missing");
    return undefined;
  }
  const list = isObject(status) ? member(status, "status_list") : undefined;
  if (!isObject(list)) throw invalid("status");
  const [uri, index] = [member(list, "uri"), member(list, "idx")];
  if (!issuer.ownsStatusList(uri) || !Number.isSafeInteger(index) || index < 0) throw invalid("status");
  return { uri, index };
}
