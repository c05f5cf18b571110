import { ADMIN_ROLE } from "./admin-access.ts";

const ROLE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

/**
 * Whether this may name a role: short enough for every access token to carry a few, and no look-alike of the one that
 * administers others.
 */
export function isRole(text: string): boolean {
  return ROLE.test(text) && (text === ADMIN_ROLE || text.toLowerCase() !== ADMIN_ROLE);
}
