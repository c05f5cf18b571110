import { agentDigest, type Circumstances } from "./events/security-event.ts";
import { type ClientNetwork, clientNetwork } from "./gate/network.ts";

/** Who asks, and when. */
export interface Visit {
  /** Epoch milliseconds. */
  now: number;
  network: ClientNetwork;
  /** The same for events, with the request's own id. */
  from: Circumstances;
  /** Country, region and city, where the platform says so. A guess from the address, for mails alone. */
  place?: string;
  userAgent: string;
  browser: BrowserCookies;
  /** A proof of possession (RFC 9449), as it came, and the request it has to be about. */
  dpop?: { proof: string; method: string; path: string };
}

/** What a browser brings along by itself. */
export interface BrowserCookies {
  /** Whether a browser asks at all, rather than a program that keeps no cookies. */
  isBrowser: boolean;
  /** Value of the cookie of recognised browsers. */
  recognised: string | undefined;
  /** Value of the cookie of trusted browsers. */
  trusted: string | undefined;
}

/**
 * Who asks, from a request. The address is the platform's `CF-Connecting-IP`; what X-Forwarded-For and its kin claim is
 * never read.
 */
export function visitOf(
  { headers, cf, method, url }: Request,
  browser: BrowserCookies,
  requestId: string,
  now: number,
): Visit {
  const network = clientNetwork(headers.get("CF-Connecting-IP") ?? undefined);
  const place = placeOf(cf ?? {});
  const proof = headers.get("DPoP") ?? undefined;
  return {
    now,
    network,
    from: circumstancesOf(network, headers.get("User-Agent") ?? "", cf ?? {}, requestId),
    userAgent: headers.get("User-Agent") ?? "",
    browser,
    ...(place === "" ? {} : { place }),
    ...(proof === undefined ? {} : { dpop: { proof, method, path: new URL(url).pathname } }),
  };
}

/**
 * The same request, made for somebody else: whose address a back end forwards. What the platform guesses from the back
 * end's own address says nothing about him; the program is what the request names.
 */
export function visitFrom({ place: _, ...visit }: Visit, network: ClientNetwork): Visit {
  const { request, agent } = visit.from;
  const from = { source: network.network, ...(request ? { request } : {}), ...(agent ? { agent } : {}) };
  return { ...visit, network, from };
}

function placeOf({ city, region, country }: Partial<Record<string, unknown>>): string {
  return [...new Set([city, region, country])].filter((name) => typeof name === "string" && name !== "").join(", ");
}

/** What the platform may say of a request: each member may be absent, and numbers may come as text. */
type Hints = Partial<Record<string, unknown>>;

function circumstancesOf({ network }: ClientNetwork, userAgent: string, hints: Hints, request: string): Circumstances {
  const { country, asn, latitude, longitude } = hints;
  const [lat, lon] = [latitude, longitude].map((degrees) => (degrees === undefined ? Number.NaN : Number(degrees)));
  return {
    source: network,
    request,
    ...(typeof country === "string" && /^[A-Z0-9]{2}$/.test(country) ? { country } : {}),
    ...(Number.isSafeInteger(asn) ? { asn: asn as number } : {}),
    ...(Number.isFinite(lat) && Number.isFinite(lon)
      ? { place: { lat: Math.round(lat ?? 0), lon: Math.round(lon ?? 0) } }
      : {}),
    ...(userAgent === "" ? {} : { agent: agentDigest(userAgent) }),
  };
}
