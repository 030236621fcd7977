import { MismatchError, UnsupportedError } from '../errors.ts';
import type { LayerPositions } from './architecture.ts';
import { ConfigFields } from './config-fields.ts';
import { checkKeys, ROPE_KEY_RULES } from './config-keys.ts';
import { readRopeScaling, rotationOf } from './rope.ts';

type Raw = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);

const LONGEST = 1 << 30;

/** Fields that stand at the top of config.json, in `rope_scaling` or in `rope_parameters`, as files of different years have them. */
const ANYWHERE = ['rope_theta', 'partial_rotary_factor', 'original_max_position_embeddings'] as const;

export interface RopePlace {
  readonly headDimension: number;
  readonly maximumPositions: number;
  /** The part of `rope_parameters` that holds where it is nested by layer type. */
  readonly section: string | undefined;
  /** Why all channels of a head turn, and what helps; absent where a part of them may. */
  readonly turnsWhole?: { readonly because: string; readonly remedy?: string } | undefined;
}

/**
 * The rotary embedding of a config. Its fields are read wherever they stand: `raw` is config.json itself, `fields` has an architecture's defaults beneath.
 * Throws MismatchError where two places contradict each other or sizes do not fit, UnsupportedError for keys and kinds that are not computed.
 */
export function readPositions(
  raw: Raw,
  fields: ConfigFields,
  { headDimension, maximumPositions, section, turnsWhole }: RopePlace,
) {
  const scaling = fields.object('rope_scaling');
  const whole = fields.object('rope_parameters');
  const parameters = (section === undefined ? undefined : whole?.object(section)) ?? whole;
  refuseContradictions(raw, section);
  const place = (key: string) => [parameters, scaling].find((candidate) => candidate?.has(key)) ?? fields;

  const ropeTheta = place('rope_theta').positive('rope_theta', 10_000);
  const share = place('partial_rotary_factor').positive('partial_rotary_factor', 1);
  if (share !== 1 && turnsWhole)
    throw new UnsupportedError(
      `config.json: partial_rotary_factor is ${share}; ${turnsWhole.because}. ${turnsWhole.remedy ?? 'Choose a model without it.'}`,
    );
  const rotaryDimension = Math.floor(headDimension * share);
  if (share > 1 || rotaryDimension < 2 || rotaryDimension % 2 !== 0) {
    throw new MismatchError(
      `config.json: of head_dim ${headDimension} the rotary position embedding turns ${rotaryDimension} channels (partial_rotary_factor ${share}); it must be an even number from 2 to ${headDimension}.`,
    );
  }
  const originalPositions = fields.has('original_max_position_embeddings')
    ? fields.integer('original_max_position_embeddings', LONGEST, 0, 2)
    : undefined;
  const kind = readRopeScaling(merged(raw, scaling, parameters), {
    rotaryDimension,
    maximumPositions,
    originalPositions,
  });
  return {
    ropeTheta,
    positions: { ...rotationOf(rotaryDimension, ropeTheta, kind), window: undefined } satisfies LayerPositions,
    longest: kind.kind === 'longrope' ? kind.originalPositions : Number.POSITIVE_INFINITY,
  };
}

/** The object that says how frequencies are stretched; where both are there, they do not contradict each other and together say it. */
function merged(raw: Raw, scaling: ConfigFields | undefined, parameters: ConfigFields | undefined) {
  const { rope_scaling: first, rope_parameters: second } = raw;
  if (!scaling || !parameters || !isRecord(first) || !isRecord(second)) return scaling ?? parameters;
  return new ConfigFields({ ...second, ...first }, 'rope_scaling');
}

/** What config.json states of the rotary embedding, by place; only those that are there. */
function statements(raw: Raw, section: string | undefined): (readonly [path: string, values: Raw])[] {
  const top = Object.fromEntries(ANYWHERE.map((key) => [key, raw[key]]));
  const { rope_scaling: scaling, rope_parameters: whole } = raw;
  const nested = section !== undefined && isRecord(whole) && isRecord(whole[section]) ? whole[section] : undefined;
  return [
    ['', top],
    ...(isRecord(scaling) ? ([['rope_scaling.', scaling]] as const) : []),
    ...(nested ? ([[`rope_parameters.${section}.`, nested]] as const) : []),
    ...(isRecord(whole) && !nested
      ? ([['rope_parameters.', section === undefined ? whole : flat(whole)]] as const)
      : []),
  ];
}

/** What holds for all layer types. */
const flat = (parameters: Raw): Raw =>
  Object.fromEntries(Object.entries(parameters).filter(([, value]) => !isRecord(value)));

/** Throws where two places say different things, or one says what is not known: either would be left out without a word. */
function refuseContradictions(raw: Raw, section: string | undefined): void {
  const found = new Map<string, { readonly at: string; readonly value: unknown }>();
  for (const [path, values] of statements(raw, section)) {
    if (path !== '') checkKeys(values, ROPE_KEY_RULES, path);
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined || value === null || (key === 'type' && values.rope_type !== undefined)) continue;
      const name = key === 'type' ? 'rope_type' : key;
      const other = found.get(name);
      if (other && JSON.stringify(other.value) !== JSON.stringify(value))
        throw new MismatchError(
          `config.json says two things: ${other.at} is ${JSON.stringify(other.value)} and ${path}${key} is ${JSON.stringify(value)}. Keep the one that the model was trained with.`,
        );
      found.set(name, { at: `${path}${key}`, value });
    }
  }
}
