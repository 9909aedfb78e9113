import { join } from "node:path";
import * as z from "zod";

import type { Binaries } from "./build.ts";
import type { Layout } from "./layout.ts";
import type { Component } from "./process.ts";

/** A CSI driver to run, and how many snapshots its array allows for each volume. */
export interface DriverOptions {
  readonly name: string;
  readonly limit: number;
  /** Name of its StorageClass and VolumeSnapshotClass; the driver's name up to its first dot where absent. */
  readonly className?: string;
}

const Operation = z.object({
  at: z.string(),
  operation: z.enum(["CreateVolume", "DeleteVolume", "CreateSnapshot", "DeleteSnapshot"]),
  id: z.string().optional(),
  name: z.string().optional(),
  volume: z.string().optional(),
  reason: z.string().optional(),
});

const ArrayState = z.object({
  driver: z.string(),
  limit: z.number(),
  volumes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      capacityBytes: z.number(),
      /** The snapshot or volume that it was made from. */
      source: z.string().optional(),
      created: z.string(),
    }),
  ),
  snapshots: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      sourceVolume: z.string(),
      sizeBytes: z.number(),
      created: z.string(),
      ready: z.boolean(),
    }),
  ),
  refused: z.number(),
  refusals: z.array(Operation),
  log: z.array(Operation),
});

/** What an array holds, and what it has done and refused. */
type ArrayState = z.infer<typeof ArrayState>;

/** A storage array, asked directly and not by way of the API server. */
export interface StorageArray {
  readonly driver: string;
  readonly className: string;
  /** Where it shows itself: GET /state, and PUT /limit with a body like {"limit": 3}. */
  readonly url: string;
  state(): Promise<ArrayState>;
  /** Changes how many snapshots a volume may have; it holds from the next request on. */
  setLimit(limit: number): Promise<void>;
}

/** One driver of a cluster: the array, and the processes that serve it. */
export interface Driver {
  readonly array: StorageArray;
  readonly plugin: Component;
  /** Run as the ServiceAccounts whose kubeconfigs are given. */
  sidecars(kubeconfigs: { readonly snapshotter: string; readonly provisioner: string }): Component[];
}

/** Describes a driver that listens on the port; component names carry the class where there are several drivers. */
export function createDriver(
  binaries: Binaries,
  layout: Layout,
  options: DriverOptions & { readonly port: number; readonly suffix: string },
): Driver {
  const { name, limit, port, suffix } = options;
  const socket = join(layout.directory, `csi${suffix}.sock`);
  const array = createArray(name, classNameOf(options), `http://127.0.0.1:${port}`);
  const plugin = {
    name: `csi-plugin${suffix}`,
    command: binaries.csiPlugin,
    args: [
      `--driver=${name}`,
      `--socket=${socket}`,
      `--state=${join(layout.scratch, `array${suffix}.json`)}`,
      `--limit=${limit}`,
      `--http=127.0.0.1:${port}`,
    ],
    logFile: layout.logFile(`csi-plugin${suffix}`),
    isReady: async () => (await array.state()).driver === name,
    readyWithinMs: 15_000,
  };
  const common = [
    `--csi-address=${socket}`,
    "--leader-election=false",
    "--extra-create-metadata",
    ...AMPLE_REQUESTS,
  ];
  return {
    array,
    plugin,
    sidecars: ({ snapshotter, provisioner }) => [
      sidecar(`csi-snapshotter${suffix}`, binaries.csiSnapshotter, layout, [
        `--kubeconfig=${snapshotter}`,
        ...common,
      ]),
      sidecar(`csi-provisioner${suffix}`, binaries.csiProvisioner, layout, [
        `--kubeconfig=${provisioner}`,
        ...common,
      ]),
    ],
  };
}

/** Left to themselves the snapshot components make 5 requests a second, and a test waits for a snapshot's dozen. */
export const AMPLE_REQUESTS: readonly string[] = ["--kube-api-qps=200", "--kube-api-burst=400"];

/** The name of a driver's StorageClass and VolumeSnapshotClass. */
export function classNameOf({ name, className }: DriverOptions): string {
  return className ?? name.split(".")[0] ?? name;
}

function sidecar(name: string, command: string, layout: Layout, args: readonly string[]): Component {
  return { name, command, args, logFile: layout.logFile(name), readyWithinMs: 15_000 };
}

function createArray(driver: string, className: string, url: string): StorageArray {
  return {
    driver,
    className,
    url,
    state: async () => {
      const response = await fetch(`${url}/state`);
      return ArrayState.parse(await response.json());
    },
    setLimit: async (limit) => {
      const response = await fetch(`${url}/limit`, { method: "PUT", body: JSON.stringify({ limit }) });
      if (!response.ok)
        throw new Error(`the array did not take a limit of ${limit}: ${await response.text()}`);
    },
  };
}
