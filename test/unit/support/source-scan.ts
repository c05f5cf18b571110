import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";

/** Folder of the project. */
export const ROOT = join(import.meta.dirname, "../../../");

/** A file with its text; `path` is relative to the folder that was asked for, with forward slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

/** An import in any form. `typeOnly`: the statement leaves nothing behind at run time. */
export interface Import {
  specifier: string;
  typeOnly: boolean;
}

/** A function and how many lines it takes. */
export interface FunctionSize {
  name: string;
  lines: number;
}

interface Node {
  type: string;
  start: number;
  end: number;
  [member: string]: unknown;
}

/** The source files below a folder of the project, `node_modules` and hidden folders left out. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll("\\", "/"))
    .filter((file) => !/\/(node_modules|\.[^/]+)\//.test(file.slice(ROOT.length)))
    .map((file) => ({ path: file.slice(`${ROOT}${folder}/`.length), text: readFileSync(file, "utf8") }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What a file imports: statically, dynamically, by re-export, and in types. A computed specifier is `<computed>`. */
export function importsOf({ path, text }: SourceFile): Import[] {
  return nodesOf({ path, text }).flatMap((node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return [];
    const typeOnly = node.type === "TSImportType" || [node.importKind, node.exportKind].includes("type");
    return [{ specifier, typeOnly }];
  });
}

/** Every name a file uses, in code and in types: identifiers, and texts that could name a member. */
export function namesIn(file: SourceFile): Set<string> {
  const names = nodesOf(file).map((node) => (node.type === "Identifier" ? node.name : node.value));
  return new Set(names.filter((name) => typeof name === "string"));
}

/** Whether the type `any` is written somewhere. */
export function usesAny(file: SourceFile): boolean {
  return nodesOf(file).some(({ type }) => type === "TSAnyKeyword");
}

/** Every function of a file, from its first line to its last. */
export function functionsOf(file: SourceFile): FunctionSize[] {
  const functions = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];
  return nodesOf(file)
    .filter(({ type }) => functions.includes(type))
    .map((node) => {
      const text = file.text.slice(node.start, node.end);
      const name = (node.id as { name?: string } | null)?.name ?? text.split("\n", 1)[0] ?? "";
      return { name, lines: text.split("\n").length };
    });
}

function specifierOf(node: Node): string | undefined {
  if (node.type === "CallExpression") {
    const { name } = node.callee as { name?: string };
    return name === "require" ? literal((node.arguments as Node[])[0]) : undefined;
  }
  if (node.type === "TSExternalModuleReference") return literal(node.expression as Node);
  const forms = ["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression"];
  if (![...forms, "TSImportType"].includes(node.type) || !node.source) return undefined;
  return literal(node.source as Node);
}

function literal(node: Node | undefined): string {
  return typeof node?.value === "string" ? node.value : "<computed>";
}

function nodesOf({ path, text }: SourceFile): Node[] {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`);
  const nodes: Node[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("type" in value && typeof value.type === "string") nodes.push(value as Node);
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(program);
  return nodes;
}
