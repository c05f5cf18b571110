import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** One request that has arrived. */
export interface Delivery {
  method: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A server that keeps what is posted to it. */
export interface Receiver {
  url: string;
  deliveries: Delivery[];
  /** Refuses so many of the next deliveries. */
  refuse(times: number): void;
  close(): Promise<void>;
}

/** Starts a receiver of webhooks on this machine. */
export async function webhookReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  let refusals = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    request.setEncoding("utf8");
    for await (const part of request) body += part;
    deliveries.push({ method: request.method ?? "", headers: request.headers, body });
    response.writeHead(refusals-- > 0 ? 503 : 204).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/alerts`,
    deliveries,
    refuse(times) {
      refusals = times;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Whether one of the signatures of a delivery is that of the secret (Standard Webhooks 1.0, symmetric). */
export function isSigned({ headers, body }: Delivery, secret: Uint8Array): boolean {
  const [id, timestamp] = [headers["webhook-id"], headers["webhook-timestamp"]];
  const right = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest();
  return String(headers["webhook-signature"])
    .split(" ")
    .some((part) => {
      const [version, signature = ""] = part.split(",");
      const given = Buffer.from(signature, "base64");
      return version === "v1" && given.length === right.length && timingSafeEqual(given, right);
    });
}
