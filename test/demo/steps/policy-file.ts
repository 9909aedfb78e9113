import { readFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { POLICY_KEY } from "../../../src/kube/policy-source.ts";
import { NAMESPACE, POLICY_CONFIGMAP } from "../../e2e/product.ts";
import type { Stage } from "../stage.ts";

/** The policy that the demo begins with, as text. */
export async function readExamplePolicy(): Promise<string> {
  return readFile("examples/policy.yaml", "utf8");
}

const Document = z.looseObject({ apiVersion: z.string(), kind: z.string() });

/** The same as the chart's value `policy`, which goes without apiVersion and kind. */
export async function readExampleValues(): Promise<object> {
  const { apiVersion: _version, kind: _kind, ...values } = Document.parse(parse(await readExamplePolicy()));
  return values;
}

/** Writes the ConfigMap with this policy into a file and returns the file. */
export async function writeConfigMap(stage: Stage, file: string, policy: string): Promise<string> {
  const metadata = { name: POLICY_CONFIGMAP, namespace: NAMESPACE };
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [POLICY_KEY]: policy } };
  return stage.write(file, stringify(configMap, { lineWidth: 0 }));
}

/** kubectl's arguments to put a file in the place of what Helm installed. */
export function applyArguments(path: string): string[] {
  return ["apply", "--server-side", "--force-conflicts", "-f", path];
}
