import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { KubeConfig } from "@kubernetes/client-node";
import { LOG_LEVELS } from "./log.ts";
import type { LogLevel } from "./log.ts";
import { Duration } from "./policy/duration.ts";
import { cipherProblem, takesEcdsa } from "./server/tls.ts";
import type { TlsVersion } from "./server/tls.ts";

/** Flags of `snapshot-retainer webhook`, as the command line or the environment gave them. */
export interface WebhookConfig {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly policyConfigmap: string;
  readonly policyFile?: string;
  readonly host: string;
  readonly port: number;
  readonly probePort: number;
  readonly certMode: "self" | "files";
  readonly tlsSecret: string;
  readonly dnsName: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsMinVersion: TlsVersion;
  readonly tlsCiphers: string;
  readonly clientCa?: string;
  readonly clientName: readonly string[];
  readonly webhookConfiguration?: string;
  /** In milliseconds. */
  readonly rotateEvery?: number;
  readonly signingKeySecret: string;
  readonly originalsConfigmap: string;
  readonly controllerLease: string;
  readonly ownAccount: readonly string[];
  readonly drainSeconds: number;
  readonly logLevel: LogLevel;
}

/** A configuration that cannot work; the message says which flag, what was found, and what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads a port: a whole number from 0 (any free one) to 65535. */
export function parsePort(text: string): number {
  return parseWhole(text, 0, 65_535);
}

/** Reads a time in seconds: a whole number from 0 to 600. */
export function parseSeconds(text: string): number {
  return parseWhole(text, 0, 600);
}

/** Reads a duration of at least a second, such as "24h" or "90d"; gives milliseconds. */
export function parseDuration(text: string): number {
  const ms = Duration.safeParse(text).data ?? 0;
  if (ms < 1_000) {
    throw new InvalidArgumentError(
      `found "${text}"; use a duration of a second or more, such as 24h or 30d.`,
    );
  }
  return ms;
}

/** Reads a duration as above, or "off", which is 0. */
export function parseDurationOrOff(text: string): number {
  return text === "off" ? 0 : parseDuration(text);
}

/** Reads a log level. */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  if (level === undefined) {
    throw new InvalidArgumentError(`found "${text}"; use one of ${LOG_LEVELS.join(", ")}.`);
  }
  return level;
}

/** The kubeconfig that a flag names, else what kubectl would use, with this context of it; throws `ConfigError`. */
export function userKubeConfig(file: string | undefined, context?: string): KubeConfig {
  const found = file === undefined ? new KubeConfig() : loadKubeConfig(file);
  if (file === undefined) {
    found.loadFromDefault();
  }
  if (context !== undefined) {
    const names = found.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      throw new ConfigError(`--context: the kubeconfig has no "${context}"; it has ${names.join(", ")}`);
    }
    found.setCurrentContext(context);
  }
  return found;
}

/** The kubeconfig that a flag names, else the Pod's own ServiceAccount; throws `ConfigError`. */
export function loadKubeConfig(file: string | undefined): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    if (file === undefined) {
      kubeConfig.loadFromCluster();
    } else {
      kubeConfig.loadFromFile(file);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`--kubeconfig: ${file ?? "(in-cluster)"} cannot be used: ${reason}`, {
      cause: error,
    });
  }
  if (
    kubeConfig.getCurrentCluster() === null ||
    kubeConfig.getCurrentCluster()?.server.includes("undefined") === true
  ) {
    throw new ConfigError(
      "--kubeconfig: not running in a cluster, so name a kubeconfig file that has a current context",
    );
  }
  return kubeConfig;
}

/** Flags that only make sense together; throws `ConfigError`. */
export function checkWebhookConfig(config: WebhookConfig): void {
  if (config.certMode === "files" && (config.tlsCert === undefined || config.tlsKey === undefined)) {
    throw new ConfigError("--cert-mode files needs --tls-cert and --tls-key");
  }
  if (config.certMode === "self" && config.dnsName.length === 0) {
    throw new ConfigError(
      "--cert-mode self needs at least one --dns-name: the name under which the API server calls this server",
    );
  }
  checkConnections(config);
  for (const file of [config.policyFile, config.tlsCert, config.tlsKey, config.clientCa]) {
    if (file !== undefined) {
      assertReadable(file);
    }
  }
}

function checkConnections({ certMode, tlsCiphers, clientCa, clientName }: WebhookConfig): void {
  const problem = cipherProblem(tlsCiphers);
  if (problem !== undefined) {
    throw new ConfigError(
      `--tls-ciphers: found "${tlsCiphers}", which TLS cannot use (${problem}); use names as "openssl ciphers" lists them`,
    );
  }
  if (certMode === "self" && !takesEcdsa(tlsCiphers)) {
    throw new ConfigError(
      `--tls-ciphers: found "${tlsCiphers}", with which nobody could connect: the certificates that --cert-mode self makes have ECDSA keys; add TLS_AES_128_GCM_SHA256 or ECDHE-ECDSA-AES128-GCM-SHA256`,
    );
  }
  if (clientName.length > 0 && clientCa === undefined) {
    throw new ConfigError("--client-name needs --client-ca: without it no client shows a certificate");
  }
}

function assertReadable(file: string): void {
  try {
    readFileSync(file);
  } catch (error) {
    throw new ConfigError(
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function parseWhole(text: string, least: number, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new InvalidArgumentError(`found "${text}"; use a whole number from ${least} to ${most}.`);
  }
  return number;
}
