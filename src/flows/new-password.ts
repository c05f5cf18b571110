import { isCommonPassword } from "../passwords/listed.ts";
import { contextWords, normalizePassword, weaknessOf } from "../passwords/password-policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";

/**
 * A new password in its normal form, if it may be set: everywhere where somebody chooses one, and nowhere else. `email`
 * is the address of the account, whose words the password must not lean on. What is known of breaches is asked last, and
 * without regard to the account.
 */
export async function acceptNewPassword(service: Service, email: string, typed: string): Promise<string | Refusal> {
  const password = normalizePassword(typed);
  if (password === "ill_formed" || password === "too_long") return { refused: "weak_password", reason: password };
  const { appName, passwordMin } = service.config;
  const rules = { min: passwordMin, contextWords: contextWords(appName, email), isListed: isCommonPassword };
  const reason = weaknessOf(password, rules) ?? ((await service.isBreached(password)) ? "breached" : undefined);
  return reason ? { refused: "weak_password", reason } : password;
}
