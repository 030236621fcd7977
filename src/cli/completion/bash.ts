import type { CompletedCommand, CompletedOption, Place } from './table.ts';

/** The completion script of bash (3.2 and later). */
export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# Completion of espalier for bash. Put it where bash looks for completions, or source it.
_espalier() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=
  COMPREPLY=()
  if [ "$COMP_CWORD" -gt 1 ]; then command=\${COMP_WORDS[1]}; fi
  _espalier_words() { while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -W "$1" -- "$word"); }
  _espalier_paths() {
    compopt -o filenames 2> /dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$1" -- "$word")
  }
  case "$command" in
    '') _espalier_words '${[...commands.map(({ name }) => name), '--help', '--version'].join(' ')}' ;;
${commands.map(commandCase).join('\n')}
  esac
}
complete -F _espalier espalier
`;
}

function commandCase({ name, places, options }: CompletedCommand): string {
  const flags = options.flatMap((option) => option.flags).join(' ');
  const [place] = places;
  return `    ${name})
      case "$before" in
${options.flatMap(optionCase).join('\n')}
      esac
      case "$word" in
        -*) _espalier_words '${flags}' ;;
        *) ${place ? complete(place) : `_espalier_words '${flags}'`} ;;
      esac ;;`;
}

function optionCase({ flags, value }: CompletedOption): string[] {
  return value ? [`        ${flags.join('|')}) ${complete(value)}; return ;;`] : [];
}

function complete(place: Place): string {
  switch (place.kind) {
    case 'words':
      return `_espalier_words '${place.words.join(' ')}'`;
    case 'file':
      return '_espalier_paths -f';
    case 'folder':
      return '_espalier_paths -d';
    case 'model':
      return "_espalier_words 'stories'; _espalier_paths -f";
    case 'text':
      return ':';
  }
}
