import type { Process } from "./product.ts";

/** The sum of a metric's samples on these replicas that carry all of these labels; 0 where there is none. */
export async function readMetric(
  replicas: readonly Process[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const texts = await Promise.all(
    replicas.map(async ({ probes }) => (await fetch(`${probes}/metrics`)).text()),
  );
  return texts
    .flatMap((text) => text.split("\n"))
    .map((line) => /^(\w+)(\{.*\})? (\S+)$/.exec(line))
    .filter((sample) => sample?.[1] === name && wanted.every((label) => sample[2]?.includes(label) === true))
    .reduce((sum, sample) => sum + Number(sample?.[3]), 0);
}
