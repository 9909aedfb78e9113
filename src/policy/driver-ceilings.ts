/** What is known of a CSI driver: the most snapshots of a volume that we retain unless the policy says otherwise. */
export interface DriverCeiling {
  /** The driver's name; it also stands for names that end in a dot and this (Rook and ODF prefix theirs). */
  readonly driver: string;
  /** Our cautious number, well under the storage's own hard limit where one is known. */
  readonly ceiling: number;
  /** The storage's own limit, in words. */
  readonly hardLimit: string;
}

/**
 * The built-in table. The numbers are this project's proposals under the limits that vendors document;
 * a policy's `ceilings` replace them. Same driver name with different backends (Trident on SolidFire or
 * Azure NetApp Files): set `ceilings.storageClasses`.
 */
export const DRIVER_CEILINGS: readonly DriverCeiling[] = [
  { driver: "csi.vsphere.vmware.com", ceiling: 2, hardLimit: "3 by default, configurable up to 32" },
  { driver: "disk.csi.azure.com", ceiling: 100, hardLimit: "500 incremental snapshots of a disk" },
  { driver: "file.csi.azure.com", ceiling: 100, hardLimit: "200 of a share" },
  { driver: "ebs.csi.aws.com", ceiling: 50, hardLimit: "none of a volume; 100,000 in a region" },
  { driver: "pd.csi.storage.gke.io", ceiling: 50, hardLimit: "none of a disk; a project quota" },
  { driver: "rbd.csi.ceph.com", ceiling: 100, hardLimit: "450, flattening starts at 250" },
  { driver: "cephfs.csi.ceph.com", ceiling: 50, hardLimit: "100 of a subvolume" },
  { driver: "nfs.csi.ceph.com", ceiling: 50, hardLimit: "100 of a subvolume" },
  {
    driver: "csi.trident.netapp.io",
    ceiling: 100,
    hardLimit: "1,023 of a FlexVol; 255 on ANF; 32 on SolidFire",
  },
  { driver: "driver.longhorn.io", ceiling: 50, hardLimit: "250" },
  { driver: "dobs.csi.digitalocean.com", ceiling: 10, hardLimit: "25" },
  { driver: "cinder.csi.openstack.org", ceiling: 1, hardLimit: "10 in a project by default" },
  { driver: "spectrumscale.csi.ibm.com", ceiling: 100, hardLimit: "256 of a fileset" },
  { driver: "csi-powerstore.dellemc.com", ceiling: 20, hardLimit: "not known" },
  { driver: "pxd.portworx.com", ceiling: 20, hardLimit: "not known" },
  { driver: "topolvm.io", ceiling: 3, hardLimit: "the thin pool's space" },
  { driver: "zfs.csi.openebs.io", ceiling: 10, hardLimit: "none" },
  { driver: "local.csi.openebs.io", ceiling: 0, hardLimit: "its snapshots cannot be cloned" },
  { driver: "hostpath.csi.k8s.io", ceiling: 5, hardLimit: "none; full copies" },
];

/** For a driver that the table does not know: one, since a storage at its hard limit refuses the next backup. */
export const UNKNOWN_DRIVER_CEILING = 1;

/** Whether a driver's name is this one, or ends in a dot and this one. */
export function matchesDriver(driver: string, entry: string): boolean {
  return driver === entry || driver.endsWith(`.${entry}`);
}

/** The built-in entry of a driver: by exact name, else by the longest suffix; undefined for an unknown driver. */
export function builtInCeiling(driver: string): DriverCeiling | undefined {
  return DRIVER_CEILINGS.filter((entry) => matchesDriver(driver, entry.driver)).toSorted(
    (a, b) => b.driver.length - a.driver.length,
  )[0];
}
