#!/usr/bin/env node
import { CommanderError } from "commander";
import { ConfigError } from "./config.ts";
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
  process.stderr.write(`snapshot-retainer: ${message}\n`);
  return error instanceof ConfigError ? 2 : 1;
}

process.exit(await main());
