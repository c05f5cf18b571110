/** The methods that some route takes at this path, for the `Allow` of a 405 (RFC 9110 §15.5.6). */
export function allowedMethods(routes: { method: string; path: string }[], path: string): string[] {
  const methods = new Set(
    routes.filter((route) => route.method !== "ALL" && matches(route.path, path)).map((route) => route.method),
  );
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods];
}

function matches(pattern: string, path: string): boolean {
  const expected = pattern.split("/");
  const given = path.split("/");
  return (
    expected.length === given.length && expected.every((part, index) => part.startsWith(":") || part === given[index])
  );
}
