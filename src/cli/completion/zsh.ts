import type { CompletedCommand, CompletedOption, Place } from './table.ts';

/** The completion script of zsh. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef espalier
# Completion of espalier for zsh. Put it as _espalier into a folder of $fpath.
_espalier_model() { _alternative 'models:model:(stories)' 'files:file:_files' }
_espalier() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C '(- *)--help[display help]' '(- *)--version[display the version]' '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
${commands.map(({ name, help }) => `        ${quoted(`${name}:${help}`)}`).join('\n')}
      )
      _describe command commands ;;
    argument)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _espalier ]; then _espalier "$@"; else compdef _espalier espalier; fi
`;
}

function commandCase({ name, places, options }: CompletedCommand): string {
  const repeated = places.map((place) => quoted(`*:${place.kind}:${action(place)}`)).slice(-1);
  return `        ${name})
          _arguments -s \\
${[...options.flatMap(optionSpecs), ...repeated].map((spec) => `            ${spec}`).join(' \\\n')} ;;`;
}

function optionSpecs({ flags, help, value }: CompletedOption): string[] {
  const text = help.replaceAll(/[[\]:]/g, ' ');
  return flags.map((flag) => quoted(`${flag}[${text}]${value ? `:value:${action(value)}` : ''}`));
}

function action(place: Place): string {
  switch (place.kind) {
    case 'words':
      return `(${place.words.join(' ')})`;
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'model':
      return '_espalier_model';
    case 'text':
      return ' ';
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
