import { spawn } from "node:child_process";
import { Socket } from "node:net";

/** A bystander that ends the watched process groups when this process is gone, however it went. */
export interface Reaper {
  watch(pid: number): void;
  forget(pid: number): void;
  dismiss(): void;
}

/**
 * Starts the bystander: a shell that reads from a pipe of ours. The pipe closes when we end, even by SIGKILL, where
 * no handler of our own would run; then it kills what it still watches and removes the directory given.
 */
export function startReaper(scratchDirectory: string): Reaper {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "reaper", scratchDirectory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  // A socket underneath, which its type does not say; unless unref'd it would keep Node running.
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  shell.stdin.on("error", () => undefined);
  return {
    watch: (pid) => void shell.stdin.write(`watch ${pid}\n`),
    forget: (pid) => void shell.stdin.write(`forget ${pid}\n`),
    dismiss: () => void shell.stdin.end("dismiss 0\n"),
  };
}

const SCRIPT = `
watched=" "
while read -r verb pid; do
  case $verb in
    watch) watched="$watched$pid " ;;
    forget) watched="\${watched%% $pid *} \${watched#* $pid }" ;;
    dismiss) exit 0 ;;
  esac
done
for pid in $watched; do kill -KILL "-$pid" 2>/dev/null; done
rm -rf "$1"
`;
