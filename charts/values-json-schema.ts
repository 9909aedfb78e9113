import { z } from "zod";
import { readValuesComments } from "./values-comments.ts";
import type { DocumentedValue } from "./values-comments.ts";
import { Values } from "./values-schema.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The values.schema.json that Helm checks values against, with the descriptions and defaults of a values file. */
export function createJsonSchema(valuesYaml: string): JsonSchema {
  // Helm reads draft 7; "input" is what people write, before defaults.
  const schema = z.toJSONSchema(Values, { io: "input", target: "draft-7" });
  tidy(schema);
  for (const value of readValuesComments(valuesYaml)) {
    describe(schema, value);
  }
  return { ...schema, title: "Values of the snapshot-retainer chart" };
}

// Leaves out what zod says of every number and map, and what says nothing.
function tidy(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) {
    delete schema.minimum;
  }
  if (schema.maximum === Number.MAX_SAFE_INTEGER) {
    delete schema.maximum;
  }
  if (typeof schema.propertyNames === "object" && schema.propertyNames.minLength === undefined) {
    delete schema.propertyNames;
  }
  for (const part of partsOf(schema)) {
    tidy(part);
  }
}

function partsOf(schema: JsonSchema): JsonSchema[] {
  const { properties, items, additionalProperties, anyOf } = schema;
  return [Object.values(properties ?? {}), items, additionalProperties, anyOf]
    .flat(2)
    .filter((part): part is JsonSchema => typeof part === "object");
}

function describe(root: JsonSchema, { path, text, value }: DocumentedValue): void {
  let schema: JsonSchema = root;
  for (const key of path) {
    const next = schema.properties?.[key];
    if (typeof next !== "object") {
      throw new TypeError(`values.yaml has the key ${path.join(".")}, which values-schema.ts does not know`);
    }
    schema = next;
  }
  schema.description = text;
  if (value.kind === "leaf" && value.default !== null) {
    schema.default = value.default;
  }
}
