import { readFile } from "node:fs/promises";
import { Registry } from "prom-client";
import * as z from "zod";
import { CODES } from "../../src/admission/outcome.ts";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { DRIVER_CEILINGS, UNKNOWN_DRIVER_CEILING } from "../../src/policy/driver-ceilings.ts";
import { RetentionPolicy } from "../../src/policy/schema.ts";
import { GOING_REASONS, HELD_REASONS, KEPT_REASONS } from "../../src/retention/reasons.ts";
import { formatDocument, replacePlace } from "./places.ts";

/** The documents with tables that are written by this program, and the tables by their names in them. */
const REFERENCES: ReadonlyMap<string, Readonly<Record<string, () => string | Promise<string>>>> = new Map([
  ["docs/policy.md", { fields: describeFields, ceilings: describeCeilings }],
  ["docs/admission.md", { codes: describeCodes }],
  ["docs/retention.md", { "reasons to stay": describeKept, "reasons to go": describeGoing }],
  ["docs/metrics.md", { controller: describeControllerMetrics }],
]);

/** The documents that have such tables. */
export const DOCUMENTS = [...REFERENCES.keys()];

/** The document as it should be: its own text, with each table as the sources have it now. */
export async function renderDocument(file: string): Promise<string> {
  let text = await readFile(file, "utf8");
  for (const [name, describe] of Object.entries(REFERENCES.get(file) ?? {})) {
    text = replacePlace(text, { name, program: "test/docs/main.ts" }, await describe());
  }
  return formatDocument(text, file);
}

function describeCodes(): string {
  return table(
    ["Code", "Meaning"],
    Object.entries(CODES).map(([code, meaning]) => [`\`${code}\``, meaning]),
  );
}

async function describeControllerMetrics(): Promise<string> {
  const registry = new Registry();
  createControllerMetrics(registry);
  const metrics = await registry.getMetricsAsJSON();
  return table(
    ["Metric", "Type", "Labels", "Meaning"],
    metrics.map(({ name, type, help }) => [`\`${name}\``, String(type), LABELS[name] ?? "", help]),
  );
}

/** prom-client tells no labels of a metric without samples. */
const LABELS: Readonly<Record<string, string>> = {
  snapshot_retainer_frees_total: "reason",
  snapshot_retainer_actions_total: "action",
  snapshot_retainer_action_failures_total: "action",
  snapshot_retainer_room_requests_total: "answer",
  snapshot_retainer_retained_snapshots: "driver",
  snapshot_retainer_canary_probes_total: "result",
};

function describeKept(): string {
  return describeReasons({ ...KEPT_REASONS, ...HELD_REASONS });
}

function describeGoing(): string {
  return describeReasons(GOING_REASONS);
}

function describeReasons(reasons: Readonly<Record<string, string>>): string {
  return table(
    ["Reason", "Meaning"],
    Object.entries(reasons).map(([reason, meaning]) => [`\`${reason}\``, meaning]),
  );
}

function describeCeilings(): string {
  return table(
    ["Driver", "Ceiling", "The storage's own limit for a volume"],
    [
      ...DRIVER_CEILINGS.map(({ driver, ceiling, hardLimit }) => [
        `\`${driver}\``,
        String(ceiling),
        hardLimit,
      ]),
      ["any other", String(UNKNOWN_DRIVER_CEILING), "not known"],
    ],
  );
}

/** The part of JSON Schema that a policy's schema uses. */
interface Field {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly const?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, Field>> | undefined;
  readonly additionalProperties?: boolean | Field | undefined;
  readonly items?: Field | undefined;
}

const Field: z.ZodType<Field> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    description: z.string().optional(),
    default: z.json().optional(),
    const: z.string().optional(),
    enum: z.array(z.string()).optional(),
    required: z.array(z.string()).optional(),
    properties: z.record(z.string(), Field).optional(),
    additionalProperties: z.union([z.boolean(), Field]).optional(),
    items: Field.optional(),
  }),
);

function describeFields(): string {
  const schema = Field.parse(z.toJSONSchema(RetentionPolicy, { io: "input" }));
  return table(["Field", "Type", "Default", "What it means"], rowsOf(schema, ""));
}

function rowsOf(schema: Field, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const isRequired = schema.required?.includes(name) === true;
    const row = [`\`${path}\``, typeOf(field), defaultOf(field, isRequired), field.description ?? ""];
    return [row, ...rowsOf(field, `${path}.`), ...rowsOf(field.items ?? {}, `${path}[].`)];
  });
}

function typeOf(field: Field): string {
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(", ");
  if (field.items !== undefined) return `list of ${typeOf(field.items)}s`;
  if (typeof field.additionalProperties === "object") return `map to ${typeOf(field.additionalProperties)}s`;
  return field.type ?? "";
}

function defaultOf(field: Field, isRequired: boolean): string {
  if (isRequired) return "required";
  return field.default === undefined ? "" : `\`${JSON.stringify(field.default)}\``;
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, heading.map(() => "---"), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`)
    .join("");
}
