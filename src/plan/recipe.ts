import { isRecord } from '../checkpoint/files/json.ts';
import { parseVocabularyTarget } from '../checkpoint/tokenizer/trim/choose.ts';
import { FileFormatError, UsageError } from '../errors.ts';
import {
  type Kind,
  LAYERS,
  type Member,
  NAME,
  NUMBER,
  number,
  oneOf,
  optional,
  POSITIVE,
  type RecordOf,
  type Refuse,
  readFields,
  record,
  required,
  TEXT,
  whole,
} from './field-kinds.ts';
import { SEARCHES } from './search/searches.ts';

/**
 * What a plan is to reach: a share of the prunable block parameters to remove (0 to below 1), the parameters of the whole model to keep,
 * the bytes of its export, or its bytes in memory (weights and a key/value cache of `context` tokens).
 */
export type Target =
  | {
      /** What is counted. */
      readonly kind: 'ratio' | 'parameters' | 'bytes';
      /** The share to remove, or what may stay. */
      readonly value: number;
    }
  | {
      /** What is counted. */
      readonly kind: 'memory';
      /** The share to remove, or what may stay. */
      readonly value: number;
      /** Tokens of the cache. */
      readonly context: number;
    };

const TARGET: Kind<Target> = {
  shape: { type: 'record' },
  read(value, path, refuse) {
    const { kind, ...rest } = record({
      kind: required(oneOf('ratio', 'parameters', 'bytes', 'memory')),
      value: required(NUMBER),
      context: optional(whole(0)),
    }).read(value, path, refuse);
    if (kind !== 'memory') return { kind, value: rest.value };
    return {
      kind,
      value: rest.value,
      context: rest.context ?? refuse(`${path}.context`, undefined, 'a whole number, 0 or more'),
    };
  },
};

/** The default recipe: what docs/method.md section 6 found best. */
export const DEFAULT_RECIPE = {
  metric: 'element-second+fisher',
  fusion: 'shared',
  fusionScope: 'model',
  search: 'tempered',
} as const;

/**
 * What people who prune get unless they ask otherwise, in the command line and in the page: widths for which f32 kernels on WebGPU move four elements at a time
 * (`npm run bench -- widths`: 1.4 times as fast). The target is then met to within four neurons instead of one; methods are compared without it, at equal size.
 */
export const DEFAULT_ROUND_TO = 4;

/** How much of a vocabulary stays: a number of tokens, a share, or what texts use. */
const VOCABULARY: Kind<string> = {
  shape: { type: 'text' },
  read(value, path, refuse) {
    try {
      if (typeof value === 'string' && parseVocabularyTarget(value)) return value;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
    return refuse(path, value, 'a number of tokens such as "16384", a share such as "0.5", or "seen"');
  },
};

/** What else is known of a field of a recipe: all that is said about it, anywhere, is derived from this. */
interface About<Value> {
  /** For people. */
  readonly name: string;
  /** Who does not choose gets this, in the command line and in the page; absent: the field is absent. */
  readonly usual?: NoInfer<Value>;
  /** How it is asked for on the command line; absent: it is not, or by a command's own option. */
  readonly option?: { readonly flags: string; readonly help: string };
  /** The value for people; by default as it is. */
  show?(value: NoInfer<Value>): string;
  /** A few words in the label of a recipe whose value is not the usual one; several fields may share them. */
  words?(value: NoInfer<Value>): string;
  /** The groups that stay do not depend on it. */
  readonly isBeside?: true;
  /** Written by who scores and plans: nobody chooses it, and a link does not carry it. */
  readonly isRecorded?: true;
}

export type RecipeField<Value = unknown, IsRequired extends boolean = boolean> = Member<Value, IsRequired> &
  About<Value>;

const described = <Value, IsRequired extends boolean>(
  member: Member<Value, IsRequired>,
  about: About<Value>,
): RecipeField<Value, IsRequired> => ({ ...member, ...about });

/**
 * Every field of a recipe, once: its type, what it may be, and how it is asked for, told and carried. A new field that the planner reads is added here;
 * plan and recipe files, links, the command line, labels, comparisons and model cards follow.
 */
export const RECIPE_FIELDS = {
  model: described(required(record({ name: required(TEXT), revision: optional(TEXT), sha256: optional(TEXT) })), {
    name: 'Model',
    show: ({ name, revision }) => (revision ? `${name}@${revision}` : name),
    isRecorded: true,
  }),
  calibration: described(
    optional(
      record({
        source: required(TEXT),
        sha256: required(TEXT),
        windows: required(whole(0)),
        length: required(whole(0)),
        seed: required(whole(0)),
      }),
    ),
    {
      name: 'Calibration',
      show: ({ windows, length, source, seed }) => `${windows} windows of ${length} tokens of ${source}, seed ${seed}`,
      isRecorded: true,
    },
  ),
  /** Metric name, or a fusion such as 'element-second+fisher'. */
  metric: described(required(NAME), {
    name: 'Importance',
    usual: DEFAULT_RECIPE.metric,
    option: {
      flags: '--metric <m>',
      help: `metric, or metrics to fuse joined by "+" (default: ${DEFAULT_RECIPE.metric})`,
    },
  }),
  fusionScope: described(optional(oneOf('model', 'module', 'layer')), {
    name: 'Fusion scope',
    usual: DEFAULT_RECIPE.fusionScope,
    option: { flags: '--scope <scope>', help: 'scope of the fusion: model, module or layer' },
  }),
  fusion: described(optional(oneOf('shared', 'geometric')), {
    name: 'Fusion',
    usual: DEFAULT_RECIPE.fusion,
    option: { flags: '--fusion <kind>', help: 'shared or geometric' },
  }),
  search: described(required(NAME), {
    name: 'Search',
    usual: DEFAULT_RECIPE.search,
    option: {
      flags: '--search <s>',
      help: `how groups are ranked: ${SEARCHES.map(({ name }) => name).join(', ')}; for prune also measured (default: ${DEFAULT_RECIPE.search})`,
    },
  }),
  target: described(required(TARGET), {
    name: 'Target',
    show: (target) => `${target.kind} ${target.value}${target.kind === 'memory' ? ` at ${target.context} tokens` : ''}`,
  }),
  /** Exponent of `tempered`; absent, it follows the ratio. */
  gamma: described(optional(number(0)), {
    name: 'Gamma',
    option: { flags: '--gamma <g>', help: 'exponent of the tempered search (default: the ratio)' },
    words: () => 'tuned',
  }),
  /** Exponent of (1 + stability) on the score: -1 divides (the paper's direction), 1 multiplies (FLAP's), absent or 0 leaves it out. */
  stability: described(optional(number(-16, 16)), {
    name: 'Stability exponent',
    option: {
      flags: '--stability <p>',
      help: 'exponent of (1 + stability) on the score: -1 divides, 1 multiplies',
    },
    words: () => 'tuned',
  }),
  /** Weights on top of `tempered`, `global`, `relative` and `stability`: see plan/search/tempered.ts. */
  balance: described(optional(record({ attention: optional(POSITIVE), depth: optional(NUMBER) })), {
    name: 'Balance',
    show: ({ attention = 1, depth = 0 }) => `attention ${attention}, depth ${depth}`,
    words: () => 'tuned',
  }),
  minimumAttentionGroups: described(optional(whole(1)), {
    name: 'Attention groups per layer, at least',
    option: { flags: '--minimum-attention-groups <n>', help: 'attention groups that stay in every layer' },
    words: () => 'own minimums',
  }),
  minimumNeurons: described(optional(whole(1)), {
    name: 'Neurons per layer, at least',
    option: { flags: '--minimum-neurons <n>', help: 'neurons that stay in every layer' },
    words: () => 'own minimums',
  }),
  protect: described(optional(LAYERS), {
    name: 'Layers that stay whole',
    option: { flags: '--protect <layers>', help: 'comma-separated layers that stay whole' },
    show: (layers) => layers.join(', '),
    words: ({ length }) => (length === 1 ? '1 layer whole' : `${length} layers whole`),
  }),
  compensate: described(optional(oneOf('none', 'bias', 'least-squares')), {
    name: 'Compensation',
    usual: 'none',
    isBeside: true,
  }),
  dtype: described(optional(oneOf('f32', 'f16', 'q8', 'q4')), {
    name: 'Numbers of the export',
    usual: 'f32',
    option: { flags: '--dtype <type>', help: 'number format of the export: f32, f16, q8, q4 (default: f32)' },
    isBeside: true,
  }),
  roundTo: described(optional(whole(1)), {
    name: 'Widths in steps of',
    usual: DEFAULT_ROUND_TO,
    option: {
      flags: '--round-to <n>',
      help: `round the neurons of a layer to a multiple; on WebGPU f32 needs multiples of 4 to be fast, 1 meets the target to a single neuron (default: ${DEFAULT_ROUND_TO})`,
    },
    words: (neurons) => `steps of ${neurons}`,
  }),
  /** Whether layers may have widths of their own; see plan/search/plain-shape.ts. */
  shape: described(optional(oneOf('free', 'uniform', 'standard')), {
    name: 'Shape',
    option: {
      flags: '--shape <shape>',
      help: "free: every layer its own widths; uniform: the same neurons in every layer and all attention groups, which is the model's own class in other programs; standard: also a multiple of 32, and no biases (default: free)",
    },
    words: (shape) => shape,
  }),
  /** Whether experts go neuron by neuron, or only as a whole; see plan/whole-experts.ts. */
  experts: described(optional(oneOf('neurons', 'whole')), {
    name: 'Experts',
    option: {
      flags: '--experts <unit>',
      help: 'of mixtures of experts: neurons, so that an expert shrinks and goes with its last neuron, or whole (default: neurons)',
    },
    words: (unit) => (unit === 'whole' ? 'whole experts' : 'experts by neuron'),
  }),
  /** Tokens that stay, with what they are made of; absent: all. See plan/search/vocabulary.ts. */
  vocabulary: described(optional(VOCABULARY), {
    name: 'Vocabulary',
    option: {
      flags: '--vocabulary <keep>',
      help: 'tokens that stay: a number such as 16384, a share such as 0.5, or "seen" for those of the calibration text; with prune also "auto": as many as a target in parameters or bytes is best met with',
    },
    show: (keep) =>
      keep === 'seen'
        ? 'tokens of the calibration text'
        : keep.includes('.')
          ? `${keep} of the tokens`
          : `${keep} tokens`,
    words: (keep) => (keep === 'seen' ? 'seen tokens' : `vocabulary ${keep}`),
    isBeside: true,
  }),
  seed: described(required(whole(0)), { name: 'Seed', usual: 0 }),
  /** What the target was made of, where that is not the target itself: a speed on some machine. */
  asked: described(optional(TEXT), { name: 'Asked for', isBeside: true, isRecorded: true }),
  /** The numbers above were found by measuring so many pruned models on calibration text; this one's `loss` in nats was the lowest: KL from the dense model, or cross-entropy with the text (`perplexity`, and where nothing is said). */
  measured: described(
    optional(
      record({ loss: required(NUMBER), evaluations: required(whole(0)), of: optional(oneOf('kl', 'perplexity')) }),
    ),
    {
      name: 'Measured',
      show: ({ loss, evaluations, of }) =>
        `the numbers above were found by measuring ${evaluations} pruned models; this one's ${of === 'kl' ? 'KL from the dense model' : 'loss'} on calibration text was ${loss.toFixed(4)} nats`,
      words: () => 'refined',
      isBeside: true,
      isRecorded: true,
    },
  ),
  /** The model was scored anew after each of so many parts was removed; the plan cannot be made from one score file. Absent: 1. */
  passes: described(optional(whole(1)), {
    name: 'Passes',
    show: (passes) => `${passes}, scored anew after each`,
    isRecorded: true,
  }),
} as const;

/** How a plan was made. Small enough for a URL fragment. */
export interface Recipe extends RecordOf<typeof RECIPE_FIELDS> {}

export type RecipeKey = keyof Recipe;

/** The fields of recipes by name, in the order of a file. */
export const RECIPE_ENTRIES = Object.entries(RECIPE_FIELDS) as unknown as readonly (readonly [
  RecipeKey,
  RecipeField,
])[];

/**
 * Checks that `value` (parsed JSON of a plan file) is a recipe; unknown fields are dropped. Whether its metric and search exist is for the planner to say.
 * Throws FileFormatError naming `file`, the field, the value found and what is expected.
 */
export function parseRecipe(value: unknown, file: string): Recipe {
  if (!isRecord(value)) throw new FileFormatError(`${file}: recipe is missing or not an object.`);
  return readFields(RECIPE_FIELDS, value, 'recipe', (path, found, expected) => {
    throw new FileFormatError(`${file}: ${path} is ${shown(found)}; it must be ${expected}.`);
  });
}

/** What may be chosen of a recipe. */
export type RecipeChoices = Omit<Partial<Recipe>, 'model' | 'calibration' | 'target'> & Pick<Recipe, 'target'>;

/** The choices that parsed JSON from anywhere holds: fields that are damaged or unknown, and what nobody chooses, are left out. */
export function parseChoices(value: unknown): Partial<RecipeChoices> {
  if (!isRecord(value)) return {};
  const damaged = new Error('This field is left out.');
  const choices = RECIPE_ENTRIES.flatMap(([name, { kind, isRecorded }]) => {
    if (isRecorded || !Object.hasOwn(value, name)) return [];
    try {
      return [
        [
          name,
          kind.read(value[name], name, () => {
            throw damaged;
          }),
        ],
      ];
    } catch (error) {
      if (error === damaged) return [];
      throw error;
    }
  });
  return Object.fromEntries(choices) as Partial<RecipeChoices>;
}

/** What of a recipe was chosen, for others to choose it too. */
export function choicesOf(recipe: RecipeChoices): RecipeChoices {
  return Object.fromEntries(
    RECIPE_ENTRIES.flatMap(([name, { isRecorded }]) =>
      isRecorded || !Object.hasOwn(recipe, name) ? [] : [[name, recipe[name as keyof RecipeChoices]]],
    ),
  ) as unknown as RecipeChoices;
}

/** The choices of who makes none, without a target. */
export function usualChoices(): Omit<RecipeChoices, 'target'> {
  return Object.fromEntries(
    RECIPE_ENTRIES.flatMap(([name, { usual }]) => (usual === undefined ? [] : [[name, usual]])),
  ) as Omit<RecipeChoices, 'target'>;
}

/** Checks the fields that are there. `refuse` throws for the first that is not what it must be. */
export function checkFields(recipe: Partial<Recipe>, refuse: Refuse): void {
  for (const [name, { kind }] of RECIPE_ENTRIES) if (recipe[name] !== undefined) kind.read(recipe[name], name, refuse);
}

/** A value as a sentence quotes it. */
export function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'missing');
}
