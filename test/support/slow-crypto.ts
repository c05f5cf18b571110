import { vi } from "vitest";

const METHODS = ["sign", "verify", "encrypt", "decrypt", "digest", "importKey", "deriveKey", "generateKey"] as const;

/**
 * Makes every Web Crypto call give up its turn, as it does in production. The local runtime finishes such calls without
 * one, so that a race over crypto alone never shows there. Returns what undoes it.
 */
export function slowCrypto(): () => void {
  const spies = METHODS.map((method) => {
    const original = crypto.subtle[method].bind(crypto.subtle) as (...parameters: unknown[]) => Promise<never>;
    return vi.spyOn(crypto.subtle, method).mockImplementation((async (...parameters: unknown[]) => {
      await scheduler.wait(5);
      return original(...parameters);
    }) as never);
  });
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}
