import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientNetwork, clientsOf } from "../../../src/gate/network.ts";
import { quickest } from "../support/timing.ts";

const UNKNOWN = { source: "unknown", network: "unknown" };

describe("an IPv4 client", () => {
  it("is its address, in its /24", () => {
    expect(clientNetwork("203.0.113.7")).toEqual({ source: "203.0.113.7", network: "203.0.113.0/24" });
    expect(clientNetwork("0.0.0.0")).toEqual({ source: "0.0.0.0", network: "0.0.0.0/24" });
    expect(clientNetwork("255.255.255.255")).toEqual({ source: "255.255.255.255", network: "255.255.255.0/24" });
  });

  it("is the same with zeros in front", () => {
    expect(clientNetwork("203.000.113.007")).toEqual(clientNetwork("203.0.113.7"));
  });

  it.each(["::ffff:203.0.113.7", "::FFFF:203.0.113.7", "::ffff:cb00:7107", "0:0:0:0:0:ffff:203.0.113.7"])(
    "is the same inside IPv6: %s",
    (address) => {
      expect(clientNetwork(address)).toEqual(clientNetwork("203.0.113.7"));
    },
  );

  it("is not taken from IPv6 forms that only look like it", () => {
    expect(clientNetwork("::203.0.113.7").source).toBe("0:0:0:0::/64");
    expect(clientNetwork("64:ff9b::203.0.113.7").source).toBe("64:ff9b:0:0::/64");
    expect(clientNetwork("::ffff:0:203.0.113.7").source).toBe("0:0:0:0::/64");
  });
});

describe("an IPv6 client", () => {
  it("is its /64, in its /48", () => {
    const expected = { source: "2001:db8:1:2::/64", network: "2001:db8:1::/48" };
    expect(clientNetwork("2001:db8:1:2:3:4:5:6")).toEqual(expected);
  });

  it.each([
    "2001:db8:0:0:0:0:0:1",
    "2001:0db8:0000:0000:0000:0000:0000:0001",
    "2001:DB8::1",
    "2001:db8::ffff:ffff:ffff:ffff",
    "2001:db8::0:1",
    "2001:db8:0:0::",
    "2001:db8::192.0.2.1",
  ])("is the same in every spelling and from every host of it: %s", (address) => {
    expect(clientNetwork(address)).toEqual({ source: "2001:db8:0:0::/64", network: "2001:db8:0::/48" });
  });

  it("is told apart by the 64th bit and not by the 65th", () => {
    expect(clientNetwork("2001:db8:0:1::").source).not.toBe(clientNetwork("2001:db8:0:0::").source);
    expect(clientNetwork("2001:db8:0:0:8000::").source).toBe(clientNetwork("2001:db8:0:0::").source);
    expect(clientNetwork("2001:db8:1::").network).not.toBe(clientNetwork("2001:db8:0::").network);
    expect(clientNetwork("2001:db8:0:8000::").network).toBe(clientNetwork("2001:db8:0::").network);
  });

  it("is read from any groups as those groups say", () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (values) => {
        // A first group that is not zero keeps the mapped IPv4 form out.
        const hex = [(values[0] ?? 0) | 1, ...values.slice(1)].map((group) => group.toString(16));
        const [a, b, c, d] = hex;
        expect(clientNetwork(hex.join(":"))).toEqual({
          source: `${a}:${b}:${c}:${d}::/64`,
          network: `${a}:${b}:${c}::/48`,
        });
        expect(clientNetwork(hex.map((group) => group.padStart(4, "0").toUpperCase()).join(":")).source).toBe(
          `${a}:${b}:${c}:${d}::/64`,
        );
      }),
    );
  });
});

describe("an address that cannot be read", () => {
  it.each([
    undefined,
    "",
    " ",
    "unknown",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.4 ",
    "1.2.3.4, 5.6.7.8",
    "1.2.3.4:443",
    "0x7f.0.0.1",
    "[::1]",
    "::1]/x[",
    "::1%eth0",
    ":::",
    "1::2::3",
    "2001:db8::g",
    "1:2:3:4:5:6:7:8:9",
    "::1/64",
    "::1#",
    "::1?x",
    "::1@2",
    "१.२.३.४",
  ])("counts as one client with all others like it: %j", (address) => {
    expect(clientNetwork(address)).toEqual(UNKNOWN);
  });

  it("is no more work when it is long", () => {
    for (const piece of ["a", ":", "1.", "::ffff:", "1:"]) {
      const address = piece.repeat(100_000);
      expect(clientNetwork(address)).toEqual(UNKNOWN);
      expect(quickest(() => clientNetwork(address))).toBeLessThan(50);
    }
  });

  it("never makes an exception", () => {
    fc.assert(
      fc.property(fc.string(), (address) => {
        expect(Object.keys(clientNetwork(address))).toEqual(["source", "network"]);
      }),
    );
  });
});

describe("the clients of a network", () => {
  it.each([
    ["203.0.113.7", ["203.0.114.7", "203.0.11.37", "20.3.0.113", "120.203.0.113"]],
    ["10.0.0.1", ["10.0.1.1", "10.0.10.1", "110.0.0.1"]],
    ["2001:db8:7::1", ["2001:db8:70::1", "2001:db8:8::1", "2001:db80:7::1"]],
    ["2001:db8::1", ["2001:db8:1::1", "2001:db80::1"]],
    ["::1", ["0:0:1::1", "1::1"]],
  ])("begin like %s, and no others do", (address, others) => {
    const { source, network } = clientNetwork(address);
    const beginning = clientsOf(network);
    expect(beginning.length).toBeLessThan(network.length);
    expect(source.startsWith(beginning)).toBe(true);
    expect(others.filter((other) => clientNetwork(other).source.startsWith(beginning))).toEqual([]);
  });
});
