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
  const password = acceptByPolicy(service, email, typed);
  return typeof password === "string" ? ((await refuseBreached(service, password)) ?? password) : password;
}

/** The part of it that asks nobody. */
export function acceptByPolicy(service: Service, email: string, typed: string): string | Refusal {
  const password = normalizePassword(typed);
  if (password === "ill_formed" || password === "too_long") return { refused: "weak_password", reason: password };
  const { appName, passwordMin } = service.config;
  const rules = { min: passwordMin, contextWords: contextWords(appName, email), isListed: isCommonPassword };
  const reason = weaknessOf(password, rules);
  return reason ? { refused: "weak_password", reason } : password;
}

/** The part of it that asks others, and so comes after every limit. */
export async function refuseBreached(service: Service, password: string): Promise<Refusal | undefined> {
  return (await service.isBreached(password)) ? { refused: "weak_password", reason: "breached" } : undefined;
}
