import { existsSync } from "node:fs";
import { join } from "node:path";

import { buildModule, type BuildProgress } from "./build-module.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { KUBERNETES, VELERO, type BinarySet } from "./go-modules.ts";

/** Where the programs and manifests are. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubectl: string;
  readonly helm: string;
  readonly snapshotController: string;
  readonly csiSnapshotter: string;
  readonly csiProvisioner: string;
  readonly csiPlugin: string;
  /** Directories of YAML files: the snapshot API's and Velero's CRDs, and the roles of the snapshot components. */
  readonly crds: string;
  readonly rbac: string;
  /** Only where the set "all" was asked for. */
  readonly velero?: VeleroBinaries;
}

/** Velero, its object-store plugin's directory, and an S3 server. */
export interface VeleroBinaries {
  readonly velero: string;
  readonly awsPlugin: string;
  readonly s3Server: string;
}

/** What a caller may choose of a build. */
export interface BuildOptions {
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly environment?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Returns the programs of the set, building in the cache those that are not there. Throws GoMissing where they have to
 * be built and Go cannot. KUBEBUILDER_ASSETS, where set, provides the programs it holds.
 */
export async function buildBinaries(set: BinarySet, options: BuildOptions = {}): Promise<Binaries> {
  const environment = options.environment ?? process.env;
  const cache = cacheDirectory(environment);
  const kubernetes = await buildModule(KUBERNETES, cache, options);
  const velero = set === "all" ? await buildModule(VELERO, cache, options) : undefined;
  return binariesIn(kubernetes, velero, environment["KUBEBUILDER_ASSETS"]);
}

function binariesIn(kubernetes: string, velero: string | undefined, assets: string | undefined): Binaries {
  function at(name: string): string {
    return join(kubernetes, name);
  }
  function preferred(name: string): string {
    return assets !== undefined && existsSync(join(assets, name)) ? join(assets, name) : at(name);
  }
  return {
    etcd: preferred("etcd"),
    kubeApiserver: preferred("kube-apiserver"),
    kubeControllerManager: preferred("kube-controller-manager"),
    kubectl: preferred("kubectl"),
    helm: at("helm"),
    snapshotController: at("snapshot-controller"),
    csiSnapshotter: at("csi-snapshotter"),
    csiProvisioner: at("csi-provisioner"),
    csiPlugin: at("csi-plugin"),
    crds: at("crds"),
    rbac: at("rbac"),
    ...(velero !== undefined && {
      velero: {
        velero: join(velero, "velero"),
        awsPlugin: join(velero, "velero-plugin-for-aws"),
        s3Server: join(velero, "s3-server"),
      },
    }),
  };
}
