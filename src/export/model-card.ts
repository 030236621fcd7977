import type { LayerWidths, ModelConfig } from '../architecture/architecture.ts';
import { isRemovedLayer } from '../architecture/block-weights.ts';
import type { Provenance } from '../checkpoint/checkpoint.ts';
import type { ExportFormat } from '../decoder/dtypes.ts';
import type { Recipe } from '../plan/recipe.ts';
import { recipeSettings } from '../plan/recipe-words.ts';
import { codeSpan, frontMatter, plainMarkdown } from './markdown.ts';
import { type SampleOfUse, samplesOfUse } from './samples-of-use.ts';
import type { TakenAway } from './take-away.ts';
import type { VerificationSource } from './verification-windows.ts';

/** What a model card tells. Figures are the caller's own measurements, one line each. */
export interface ModelCard {
  readonly provenance: Provenance;
  readonly config: ModelConfig;
  readonly recipe: Recipe | undefined;
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  /** Of one token that attends to `context` positions. */
  readonly multiplyAccumulates: { readonly context: number; readonly before: number; readonly after: number };
  /** Number format of the ONNX model. */
  readonly format: ExportFormat;
  readonly formats: readonly TakenAway[];
  /** e.g. { 'WikiText-2 perplexity, 128-token windows': '64.3 (dense 43.3)' } */
  readonly figures: Readonly<Record<string, string>>;
}

/** README.md of a pruned folder, with the front matter that model hubs read. */
export function modelCard(card: ModelCard): string {
  const { provenance, recipe, format, formats } = card;
  const onnx = formats.find((each) => each.format === 'onnx');
  const share = (1 - card.parametersAfter / card.parametersBefore) * 100;
  const isHubId = /^[\w.-]+\/[\w.-]+$/.test(provenance.name);
  const library = formats.some((each) => each.format === 'gguf') ? 'llama.cpp' : 'transformers';
  const fields = {
    ...(provenance.licence ? { license: provenance.licence } : {}),
    ...(isHubId ? { base_model: provenance.name } : {}),
    library_name: onnx ? 'transformers.js' : library,
    pipeline_tag: 'text-generation',
    tags: [...formats.map((each) => each.format), 'pruned', 'espalier'],
  };
  return `${frontMatter(fields)}
# ${plainMarkdown(provenance.name)}, pruned

${title(provenance)} with ${count(card.parametersBefore)} parameters, pruned to ${count(card.parametersAfter)} (${share.toFixed(1)}% fewer) by
Espalier: ${removedLine(card.config)} were removed. ${workLine(card.multiplyAccumulates)} The weights are in
${formats.map(weightsLine).join(';\n')}.

${licenceSentence(provenance.licence)}

## How it was made

${recipeLines(recipe)}

## Checks

${formats.map(checkLine).join('\n\n')}
${figureLines(card.figures)}
## Use

${samplesOfUse(formats, format).map(sampleLines).join('\n')}
${onnx && format.note ? `${format.note}\n\n` : ''}${card.config.convolution || card.config.recurrence ? 'Generate one text at a time, or texts of one length in a batch' : 'Generate one text at a time, or pad the texts of a batch on the right'}. The longest sequence is ${card.config.maximumPositions} tokens.

## Kept widths

Of ${card.config.keyValueHeads} key/value heads (${card.config.queryHeads / card.config.keyValueHeads} query heads each) and ${card.config.neurons} neurons a layer:

| layer | key/value heads | neurons |
| --- | --- | --- |
${card.config.layerWidths.map(widthRow).join('\n')}

A pruned model can be wrong in ways that its perplexity does not show. Test it on your own task.
`;
}

/** What the card says of the licence. */
export function licenceSentence(licence: string | undefined): string {
  return licence
    ? `The licence of the base model, ${plainMarkdown(licence)}, applies.`
    : 'The licence of the base model applies; its files did not state one.';
}

const weightsLine = ({ format, file, type, bytes, opens }: TakenAway) =>
  `${format === 'onnx' ? `\`${file}\` and \`${file}_data\`` : `\`${file}\``} (${type}, ${count(bytes)} bytes, for ${opens})`;

function checkLine({
  file,
  notes,
  verification: { positions, maxAbsoluteDifference, top1Agreement, klDivergence, source },
}: TakenAway): string {
  const sentence = `\`${file}\` was opened again and compared with the model that it was made from, over ${positions} positions: largest difference of a
logit ${maxAbsoluteDifference.toPrecision(3)}, the same most probable token at ${(100 * top1Agreement).toFixed(1)}% of them, a KL divergence of ${klDivergence.toPrecision(3)} nats a token. They are ${POSITIONS[source]}.`;
  return [sentence, ...notes].join(' ');
}

const sampleLines = ({ title, language, code }: SampleOfUse) => `With ${title}:

\`\`\`${language}
${code}
\`\`\`
`;

const count = (value: number) => value.toLocaleString('en-US');

/** What kinds of groups a model has that could go. */
function removedLine({ convolution, mixture }: ModelConfig): string {
  const kinds = [
    'whole key/value heads with their query heads',
    ...(convolution ? ['channels of convolutions'] : []),
    mixture ? 'neurons of experts, with experts that have none left' : 'whole MLP neurons',
  ];
  return `${kinds.slice(0, -1).join(', ')}, and ${kinds.at(-1)},`;
}

function workLine({ context, before, after }: ModelCard['multiplyAccumulates']): string {
  const fewer = `${((1 - after / before) * 100).toFixed(1)}% fewer`;
  return `A token with a context of ${count(context)} takes ${count(after)}\nmultiply-accumulates instead of ${count(before)} (${fewer}).`;
}

const title = ({ name, revision }: Provenance) =>
  `${codeSpan(name)}${revision ? ` at revision ${codeSpan(revision)}` : ''}`;

const widthRow = (widths: LayerWidths, layer: number) => {
  const { keyValueHeads, channels, recurrent, neurons } = widths;
  if (isRemovedLayer(widths)) return `| ${layer} | removed | removed |`;
  const mixing = recurrent
    ? 'none; a recurrence'
    : channels === undefined
      ? keyValueHeads
      : `none; ${channels} channels of a convolution`;
  return `| ${layer} | ${mixing} | ${neurons} |`;
};

function recipeLines(recipe: Recipe | undefined): string {
  if (!recipe) return 'No recipe was recorded.';
  return recipeSettings(recipe)
    .map(({ name, value }) => `- ${name}: ${plainMarkdown(value)}`)
    .join('\n');
}

function figureLines(figures: Readonly<Record<string, string>>): string {
  const entries = Object.entries(figures);
  if (entries.length === 0) return '';
  return `\n| measured | value |\n| --- | --- |\n${entries.map(([what, value]) => `| ${plainMarkdown(what)} | ${plainMarkdown(value)} |`).join('\n')}\n`;
}

/** What a verification's positions are, in words. */
const POSITIONS: Readonly<Record<VerificationSource, string>> = {
  text: 'positions of text',
  sampled: 'positions of text that the model wrote itself',
  drawn: 'tokens drawn at random, on which a model is undecided',
};
