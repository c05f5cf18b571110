import * as v from "valibot";

/** An assertion as browsers send it, with nothing in it but shape. */
export const ASSERTION = {
  id: "AQID",
  rawId: "AQID",
  type: "public-key",
  response: { clientDataJSON: "e30", authenticatorData: "AAAA", signature: "AAAA" },
};
/** A registration of the same kind. */
export const REGISTRATION = {
  id: "AQID",
  rawId: "AQID",
  type: "public-key",
  response: { clientDataJSON: "e30", attestationObject: "oA", transports: ["internal", "hybrid"] },
};

/** What a schema makes of a body, or nothing when it refuses it. */
export function read<S extends v.GenericSchema>(schema: S, body: unknown): v.InferOutput<S> | undefined {
  const parsed = v.safeParse(schema, body, { abortPipeEarly: true });
  return parsed.success ? parsed.output : undefined;
}
