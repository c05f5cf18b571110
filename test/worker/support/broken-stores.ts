import { env } from "cloudflare:workers";

/** Where a request meets a fault: at a call of the account object or at a transaction of the directory. */
export interface Break {
  /** A method of the account object, or `batch`. */
  at: string;
  /** Before the call has done its work, or after it, when its answer is lost. */
  when: "before" | "after";
  /** Whether that is the end of the request: no store hears of it again. Otherwise it is that call that fails, each time. */
  dies?: boolean;
}

/** Bindings that fail at one point. `isMet` tells whether it was come to. */
export function brokenAt({ at, when, dies = false }: Break): { bindings: object; isMet: () => boolean } {
  let isMet = false;
  const call = async (work: () => Promise<unknown>, isHere: boolean) => {
    if (isMet && dies) throw new Error("cut off");
    if (!isHere) return work();
    isMet = true;
    if (when === "after") await work();
    throw new Error("cut off");
  };
  const prepare = (query: string) => {
    if (isMet && dies) throw new Error("cut off");
    return env.DB.prepare(query);
  };
  const breaking = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, property) {
        const member: unknown = Reflect.get(object, property);
        if (typeof member !== "function") return member;
        if (property === "prepare") return prepare;
        return (...parameters: unknown[]) =>
          call(async () => (await Reflect.apply(member, object, parameters)) as unknown, property === at);
      },
    });
  const ACCOUNTS = { getByName: (name: string) => breaking(env.ACCOUNTS.getByName(name)) };
  return { bindings: { ...env, ACCOUNTS, DB: breaking(env.DB) }, isMet: () => isMet };
}
