/** Longer than any list of origins, shorter than what a log or a mail header would choke on. */
const TEXT_MAX = 2_000;
/** What the platform takes as one variable. */
const LONG_TEXT_MAX = 5_000;

/** Reads single settings and gathers what is wrong with them, so that an operator sees all of it at once. */
export class Settings {
  readonly problems: string[] = [];
  #values: Record<string, unknown>;

  constructor(env: object) {
    this.#values = env as Record<string, unknown>;
  }

  problem(name: string, sentence: string): void {
    this.problems.push(`${name} ${sentence}`);
  }

  text(name: string, fallback: string): string {
    const value = this.#values[name];
    if (value === undefined || value === "") return fallback;
    if (typeof value !== "string") this.problem(name, "must be text");
    else if (value.length <= TEXT_MAX && !/\p{Cc}/u.test(value)) return value;
    else this.problem(name, `must have at most ${TEXT_MAX} characters and no control characters`);
    return fallback;
  }

  required(name: string): string {
    const value = this.text(name, "");
    if (value === "") this.problem(name, "is required with this mail transport");
    return value;
  }

  /** A text as long as a variable may be, which may have line breaks; empty where there is none. */
  longText(name: string): string {
    const value = this.#values[name] ?? "";
    if (typeof value !== "string") this.problem(name, "must be text");
    else if (value.length <= LONG_TEXT_MAX && !/[^\P{Cc}\t\r\n]/u.test(value)) return value;
    else this.problem(name, `must have at most ${LONG_TEXT_MAX} characters and no control characters but line breaks`);
    return "";
  }

  list(name: string): string[] {
    return this.parts(this.text(name, ""));
  }

  /** What stands between the commas of a text. */
  parts(text: string): string[] {
    return text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name, fallback);
    const match = allowed.find((candidate) => candidate === value);
    if (match !== undefined) return match;
    this.problem(name, `must be one of ${allowed.filter((candidate) => candidate !== "").join(", ")}`);
    return fallback;
  }

  optionalOneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    return this.text(name, "") === "" ? undefined : this.oneOf(name, allowed, allowed[0] as T);
  }

  number(name: string, fallback: number, min: number, max: number): number {
    return this.#numberOf(name, fallback, (number) => number >= min && number <= max, `from ${min} to ${max}`);
  }

  /** A number within bounds, or 0, which turns off what it is about. */
  numberOrOff(name: string, fallback: number, min: number, max: number): number {
    const isAllowed = (number: number) => number === 0 || (number >= min && number <= max);
    return this.#numberOf(name, fallback, isAllowed, `from ${min} to ${max}, or 0`);
  }

  #numberOf(name: string, fallback: number, isAllowed: (number: number) => boolean, range: string): number {
    const value = this.text(name, String(fallback));
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (isAllowed(number)) return number;
    this.problem(name, `must be a whole number ${range}`);
    return fallback;
  }
}
