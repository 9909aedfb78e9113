import { join } from "node:path";

import type { Binaries } from "./build.ts";
import type { Layout } from "./layout.ts";
import type { Component } from "./process.ts";
import { createArray, type StorageArray } from "./storage-array.ts";

/** A CSI driver to run, and how many snapshots its array allows for each volume. */
export interface DriverOptions {
  readonly name: string;
  readonly limit: number;
  /** Name of its StorageClass and VolumeSnapshotClass; the driver's name up to its first dot where absent. */
  readonly className?: string;
  /** Further StorageClasses of the same driver. */
  readonly classes?: readonly StorageClassOptions[];
  /** Another cluster's array of the same driver: then this cluster runs none, and both see the same. */
  readonly shared?: StorageArray;
}

/** A further StorageClass. */
export interface StorageClassOptions {
  readonly name: string;
  readonly volumeBindingMode?: "Immediate" | "WaitForFirstConsumer";
  readonly reclaimPolicy?: "Delete" | "Retain";
}

/** One driver of a cluster: the array, and the processes that serve it. */
export interface Driver {
  readonly array: StorageArray;
  /** None where the array is another cluster's. */
  readonly plugin: Component | undefined;
  /** Run as the ServiceAccounts whose kubeconfigs are given. */
  sidecars(kubeconfigs: { readonly snapshotter: string; readonly provisioner: string }): Component[];
}

/** Describes a driver that listens on the port; component names carry the class where there are several drivers. */
export function createDriver(
  binaries: Binaries,
  layout: Layout,
  options: DriverOptions & { readonly port: number; readonly suffix: string },
): Driver {
  const { name, port, suffix, shared } = options;
  const socket = shared?.socket ?? join(layout.directory, `csi${suffix}.sock`);
  const url = shared?.url ?? `http://127.0.0.1:${port}`;
  const array = createArray({ driver: name, classNames: classNamesOf(options), url, socket });
  const common = [
    `--csi-address=${socket}`,
    "--leader-election=false",
    "--extra-create-metadata",
    ...AMPLE_REQUESTS,
  ];
  return {
    array,
    plugin: shared === undefined ? plugin(binaries, layout, array, options) : undefined,
    sidecars: ({ snapshotter, provisioner }) => [
      sidecar(`csi-snapshotter${suffix}`, binaries.csiSnapshotter, layout, [
        `--kubeconfig=${snapshotter}`,
        ...common,
      ]),
      sidecar(`csi-provisioner${suffix}`, binaries.csiProvisioner, layout, [
        `--kubeconfig=${provisioner}`,
        ...common,
        ...PROMPT_SWEEP,
      ]),
    ],
  };
}

function plugin(
  binaries: Binaries,
  layout: Layout,
  array: StorageArray,
  { name, limit, suffix }: DriverOptions & { readonly suffix: string },
): Component {
  return {
    name: `csi-plugin${suffix}`,
    command: binaries.csiPlugin,
    args: [
      `--driver=${name}`,
      `--socket=${array.socket}`,
      `--state=${join(layout.scratch, `array${suffix}.json`)}`,
      `--limit=${limit}`,
      `--http=${new URL(array.url).host}`,
    ],
    logFile: layout.logFile(`csi-plugin${suffix}`),
    isReady: async () => (await array.state()).driver === name,
    readyWithinMs: 15_000,
  };
}

/** Left to themselves the snapshot components make 5 requests a second, and a test waits for a snapshot's dozen. */
export const AMPLE_REQUESTS: readonly string[] = ["--kube-api-qps=200", "--kube-api-burst=400"];

// Where it could make no volume of a VolumeSnapshot, it takes its finalizer off that only in its next sweep, in 5 minutes else.
const PROMPT_SWEEP = ["--snapshot-orphan-sweep-interval=2s"];

/** The name of a driver's StorageClass and VolumeSnapshotClass. */
export function classNameOf({ name, className }: DriverOptions): string {
  return className ?? name.split(".")[0] ?? name;
}

function classNamesOf(options: DriverOptions): string[] {
  return [classNameOf(options), ...(options.classes ?? []).map(({ name }) => name)];
}

function sidecar(name: string, command: string, layout: Layout, args: readonly string[]): Component {
  return { name, command, args, logFile: layout.logFile(name), readyWithinMs: 15_000 };
}
