import { Argument, Command } from "commander";

const SHELLS = ["bash", "zsh"] as const;
type Shell = (typeof SHELLS)[number];

/** `snapshot-retainer completion`: a script that completes commands and flags; `all` gives the whole command line. */
export function completionCommand(all: () => Promise<Command>): Command {
  return new Command("completion")
    .description("print a script that completes commands and flags in a shell")
    .addArgument(new Argument("<shell>", "which shell").choices([...SHELLS]))
    .addHelpText(
      "after",
      "\nbash: source <(snapshot-retainer completion bash)   zsh: the same, in ~/.zshrc after compinit",
    )
    .exitOverride()
    .action(async (shell: Shell) => {
      process.stdout.write(script(shell, await all()));
    });
}

/** The script of a shell, made from the commands as they are. */
export function script(shell: Shell, program: Command): string {
  const names = ["snapshot-retainer", "kubectl-retainer"];
  const cases = [program, ...program.commands, ...program.commands.flatMap((command) => command.commands)]
    .map((command) => `    "${pathOf(command)}") words="${wordsOf(command)}" ;;`)
    .join("\n");
  const body = `_snapshot_retainer() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; ${subcommandPattern(program)}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _snapshot_retainer ${names.join(" ")}
`;
  return shell === "zsh" ? `autoload -U +X bashcompinit && bashcompinit\n${body}` : body;
}

function subcommandPattern(program: Command): string {
  const names = [...program.commands, ...program.commands.flatMap((command) => command.commands)];
  return [...new Set(names.map((command) => command.name()))].join("|");
}

/** `policy check`; empty for the program itself. */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at = command; at.parent !== null; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}

function wordsOf(command: Command): string {
  const flags = command.options
    .flatMap(({ short, long }) => [short, long])
    .filter((flag) => flag !== undefined);
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  return [...command.commands.map((each) => each.name()), ...choices, ...flags, "--help"].join(" ");
}
