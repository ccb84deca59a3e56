/** Where the issuer has its status lists (draft-ietf-oauth-status-list section 9). */
import { MAX_DOCUMENT } from "./discovery.js";
import { member, parseObject } from "./json.js";

/** The addresses that the issuer names. What cannot be one of its lists is left out. */
export async function statusListAddresses({ http, discovery, issuer }) {
  const { body } = await http.document(await discovery.endpoint("status_list_aggregation_endpoint"), MAX_DOCUMENT);
  const addresses = member(parseObject(body) ?? {}, "status_lists");
  if (!Array.isArray(addresses)) throw new Error("status_lists is not an array of addresses");
  return addresses.filter((address) => issuer.ownsStatusList(address));
}
