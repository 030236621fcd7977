/** What decides how a stream is written to; a part of `process.stderr`. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether lines can be drawn over: a terminal, but not one that says it is dumb. */
export function isTerminal({ isTTY }: Screen, { TERM }: Environment): boolean {
  return isTTY === true && TERM !== 'dumb';
}

/** Whether colours are wanted: on terminals, unless NO_COLOR (no-color.org) holds anything; FORCE_COLOR asks for them elsewhere too. */
export function isColourful(screen: Screen, environment: Environment): boolean {
  const { NO_COLOR = '', FORCE_COLOR = '' } = environment;
  if (NO_COLOR !== '') return false;
  if (FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return isTerminal(screen, environment);
}

const STYLES = { bold: [1, 22], red: [31, 39], cyan: [36, 39] } as const;

/** Text in a style where `colourful` says so. */
export function styled(text: string, style: keyof typeof STYLES, colourful: boolean): string {
  const [on, off] = STYLES[style];
  return colourful ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}
