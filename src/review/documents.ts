import { LineCounter, parseAllDocuments } from "yaml";
import * as z from "zod";

/** A manifest among those to review. */
export interface Manifest {
  readonly file: string;
  /** Number of the YAML document in its file, from 1. */
  readonly document: number;
  readonly object: KubernetesObject;
}

/** Any object, whole; what we rely on is checked. */
export const KubernetesObject = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({
    name: z.string().optional(),
    generateName: z.string().optional(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
});
export type KubernetesObject = z.infer<typeof KubernetesObject>;

const List = z.looseObject({ kind: z.literal("List"), items: z.array(z.unknown()) });

/** Something wrong with the input: the file, the document, the place in it, and what to do. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}

/** Reads the manifests of a YAML or JSON text, Lists taken apart; throws `InvalidInput`. */
export function parseManifests(file: string, text: string): Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  return [...documents].flatMap((document, index) => {
    const error = document.errors[0];
    if (error !== undefined) {
      const { line } = lines.linePos(error.pos[0]);
      throw new InvalidInput(
        `${file}: document ${index + 1}, line ${line}: is not valid YAML: ${error.message}`,
      );
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value === null ? [] : objectsOf(value, file, index + 1);
  });
}

function objectsOf(value: unknown, file: string, document: number): Manifest[] {
  const list = List.safeParse(value);
  const items = list.success ? list.data.items : [value];
  return items.map((item, index) => {
    const parsed = KubernetesObject.safeParse(item);
    if (parsed.success) {
      return { file, document, object: parsed.data };
    }
    const issue = parsed.error.issues[0];
    const path = [...(list.success ? ["items", index] : []), ...(issue?.path ?? [])].join(".");
    const where = path === "" ? "" : `${path}: `;
    throw new InvalidInput(
      `${file}: document ${document}: ${where}${issue?.message ?? "unreadable"}; a Kubernetes object needs apiVersion, kind and metadata`,
    );
  });
}
