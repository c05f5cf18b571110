import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { logLine } from "../../src/log.ts";

let lines: string[];

beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => {
    lines.push(line);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a line of the log", () => {
  // Line breaks and marks that reverse text would let a value forge lines or hide in them (ASVS 16.4.1).
  const hostile = "a\r\nb\u001b[31m\u202e\u2028\u0085\u007fé🦆\ud800";

  it("is one line of printable ASCII, whatever is in it", () => {
    logLine({ path: hostile, [hostile]: [hostile] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(lines[0] ?? "")).toEqual({ path: hostile, [hostile]: [hostile] });
  });

  it("cuts long values, in whatever depth they stand", () => {
    logLine({ path: "x".repeat(10_000), more: { errors: ["y".repeat(10_000)] } });
    expect(lines[0]?.length).toBeLessThan(1200);
  });
});
