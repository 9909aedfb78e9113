import { readFile } from "node:fs/promises";

/** Of clock ticks, which Linux counts a process's time in: 100 a second on every architecture that Node runs on. */
const TICKS = 100;

/** What a process has used since it started, as Linux tells it. */
export async function usageOf(
  pid: number,
): Promise<{ readonly cpuSeconds: number; readonly rssMiB: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0] = [fields[11], fields[12]].map(Number);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const rssMiB = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  return { cpuSeconds: (user + system) / TICKS, rssMiB };
}
