import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { runProgram } from "../cluster/command-line.ts";
import type { CommandResult } from "../cluster/command-line.ts";

/** The chart's directory. */
export const CHART = join(import.meta.dirname, "../../charts/snapshot-retainer");

/** The presets: every values file under ci/. */
export const PRESETS = readdirSync(join(CHART, "ci"))
  .filter((name) => name.endsWith("-values.yaml"))
  .toSorted();

/** What the tests read of a rendered object. */
export const Rendered = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
export type Rendered = z.infer<typeof Rendered>;

/** How to render: values are given as an object, a preset by its file name. */
export interface RenderOptions {
  readonly values?: object;
  readonly preset?: string;
  readonly namespace?: string;
  readonly kubeVersion?: string;
  readonly more?: readonly string[];
}

/** Runs `helm template` (or another subcommand) on the chart and returns how it ended. */
export async function runHelm(
  helm: string,
  command: readonly string[],
  options: RenderOptions = {},
): Promise<CommandResult> {
  const { values = {}, preset, namespace = "snapshot-retainer", kubeVersion = "1.36.3", more = [] } = options;
  const files = [...(preset === undefined ? [] : ["--values", join(CHART, "ci", preset)]), "--values", "-"];
  const args = [
    ...command,
    CHART,
    "--namespace",
    namespace,
    "--kube-version",
    kubeVersion,
    ...files,
    ...more,
  ];
  const program = { name: "helm", path: helm, environment: { PATH: "", HOME: "/nonexistent" } };
  return runProgram(program, args, { stdin: JSON.stringify(values), allowFailure: true });
}

/** The YAML that the chart renders to. Throws with Helm's message when it does not. */
export async function renderText(helm: string, options: RenderOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await runHelm(helm, ["template", "snapshot-retainer"], options);
  if (code !== 0) {
    throw new Error(stderr);
  }
  return stdout;
}

/** The objects that the chart renders to. */
export async function render(helm: string, options: RenderOptions = {}): Promise<Rendered[]> {
  return parseObjects(await renderText(helm, options));
}

/** The objects in a stream of YAML documents. */
export function parseObjects(text: string): Rendered[] {
  const values: unknown[] = parseAllDocuments(text).map((document) => document.toJS() as unknown);
  return values.filter((value) => value !== null).map((value) => Rendered.parse(value));
}

/** The one object of a kind (and name); throws when there are none or several. */
export function only(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  const [object] = found;
  if (object === undefined || found.length > 1) {
    throw new Error(
      `${found.length} objects of kind ${kind}: ${found.map(({ metadata }) => metadata.name).join()}`,
    );
  }
  return object;
}

/** What the tests read of a webhook configuration. */
export const WebhookConfiguration = z.looseObject({
  webhooks: z.array(
    z.looseObject({
      name: z.string(),
      failurePolicy: z.string(),
      timeoutSeconds: z.number(),
      sideEffects: z.string(),
      clientConfig: z.looseObject({ url: z.string().optional(), caBundle: z.string().optional() }),
      namespaceSelector: z.object({
        matchLabels: z.record(z.string(), z.string()).optional(),
        matchExpressions: z
          .array(z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).optional() }))
          .optional(),
      }),
      matchConditions: z.array(z.object({ name: z.string(), expression: z.string() })),
    }),
  ),
});
