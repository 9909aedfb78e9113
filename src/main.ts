#!/usr/bin/env node
import { CommanderError } from "commander";
import { ConfigError } from "./config.ts";
import { ApiError } from "./kube/rest.ts";
import { createProgram } from "./program.ts";

async function main(): Promise<number> {
  try {
    const program = await createProgram(process.argv[2]);
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** 0 for help, 2 for a wrong command line or configuration, 1 for anything else. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : 2;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`snapshot-retainer: ${message}${adviceOn(error)}\n`);
  return error instanceof ConfigError ? 2 : 1;
}

/** What to do about an answer of the API server, or about none. */
function adviceOn(error: unknown): string {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
    return "\nThis user may not do that: docs/command-line.md has the rights that each command needs.";
  }
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND"
    ? "\nThe API server of the kubeconfig does not answer: does kubectl version, and is it the right --context?"
    : "";
}

process.exit(await main());
