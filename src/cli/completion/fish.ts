import type { CompletedCommand, CompletedOption, Place } from './table.ts';

/** The completion script of fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const start = 'complete -c espalier -n __fish_use_subcommand -f';
  return `${[
    '# Completion of espalier for fish. Put it as espalier.fish into ~/.config/fish/completions.',
    'complete -c espalier -f',
    ...commands.map(({ name, help }) => `${start} -a ${name} -d ${quoted(help)}`),
    `${start} -l version -d 'display the version'`,
    `${start} -l help -s h -d 'display help'`,
    ...commands.flatMap(commandLines),
  ].join('\n')}\n`;
}

function commandLines({ name, places, options }: CompletedCommand): string[] {
  const start = `complete -c espalier -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...places.slice(0, 1).flatMap((place) => {
      const values = valuesOf(place);
      return values === '' ? [] : [`${start} ${values}`];
    }),
    ...options.map((option) => `${start} ${optionFlags(option)} -d ${quoted(option.help)}`),
  ];
}

function optionFlags({ flags, value }: CompletedOption): string {
  const named = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  return value ? `${named} -r ${valuesOf(value)}`.trim() : named;
}

function valuesOf(place: Place): string {
  switch (place.kind) {
    case 'words':
      return `-f -a ${quoted(place.words.join(' '))}`;
    case 'file':
      return '-F';
    case 'folder':
      return "-f -a '(__fish_complete_directories)'";
    case 'model':
      return '-F -a stories';
    case 'text':
      return '';
  }
}

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
