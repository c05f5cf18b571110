/** Modules of white around a code: readers need four (ISO/IEC 18004 §5.3.8). */
const QUIET_ZONE = 4;

/** A QR code as an SVG document. The encoder is loaded when somebody enrols, not when the Worker starts. */
export async function qrSvg(text: string): Promise<string> {
  const { default: encodeQR } = await import("qr");
  const svg = encodeQR(text, "svg", { ecc: "medium", border: QUIET_ZONE });
  // A ground of its own: on a dark page dark modules on nothing cannot be read.
  return svg.replace(">", '><rect width="100%" height="100%" fill="#fff"/>');
}
