import type { LayerWidths, ModelConfig } from '../architecture/architecture.ts';
import type { Provenance } from '../checkpoint/checkpoint.ts';
import type { ExportFormat } from '../decoder/dtypes.ts';
import type { Recipe } from '../plan/recipe.ts';
import { recipeSettings } from '../plan/recipe-words.ts';
import type { Verification } from './verify.ts';

/** What a model card tells. Figures are the caller's own measurements, one line each. */
export interface ModelCard {
  readonly provenance: Provenance;
  readonly config: ModelConfig;
  readonly recipe: Recipe | undefined;
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  /** Of one token that attends to `context` positions. */
  readonly multiplyAccumulates: { readonly context: number; readonly before: number; readonly after: number };
  readonly bytes: number;
  readonly format: ExportFormat;
  readonly verification: Verification;
  /** e.g. { 'WikiText-2 perplexity, 128-token windows': '64.3 (dense 43.3)' } */
  readonly figures: Readonly<Record<string, string>>;
}

/** README.md of a pruned folder, with the front matter that model hubs read. */
export function modelCard(card: ModelCard): string {
  const { provenance, recipe, verification, format } = card;
  const share = (1 - card.parametersAfter / card.parametersBefore) * 100;
  const isHubId = /^[\w.-]+\/[\w.-]+$/.test(provenance.name);
  const frontMatter = [
    ...(provenance.licence ? [`license: ${provenance.licence}`] : []),
    ...(isHubId ? [`base_model: ${provenance.name}`] : []),
    'library_name: transformers.js',
    'pipeline_tag: text-generation',
    'tags: [onnx, pruned, espalier]',
  ];
  return `---
${frontMatter.join('\n')}
---

# ${provenance.name}, pruned

${title(provenance)} with ${count(card.parametersBefore)} parameters, pruned to ${count(card.parametersAfter)} (${share.toFixed(1)}% fewer) by
Espalier: whole key/value heads with their query heads, and whole MLP neurons, were removed. ${workLine(card.multiplyAccumulates)} The weights are in
\`onnx/${format.file}\` and \`onnx/${format.file}_data\` (${format.transformersName}, ${count(card.bytes)} bytes).

${provenance.licence ? `The licence of the base model, ${provenance.licence}, applies.` : 'The licence of the base model applies; its files did not state one.'}

## How it was made

${recipeLines(recipe)}

## Checks

The exported graph was opened again and compared with the model that it was made from, over ${verification.positions} positions: largest difference of a
logit ${verification.maxAbsoluteDifference.toPrecision(3)}, the same most probable token at ${(100 * verification.top1Agreement).toFixed(1)}% of them.
${figureLines(card.figures)}
## Use

\`\`\`js
import { pipeline } from '@huggingface/transformers';
const generator = await pipeline('text-generation', 'PATH_OR_ID', { dtype: '${format.transformersName}' });
const [{ generated_text }] = await generator('Once upon a time', { max_new_tokens: 64 });
\`\`\`

${format.note ? `${format.note}\n\n` : ''}Generate one text at a time, or pad the texts of a batch on the right. The longest sequence is ${card.config.maximumPositions} tokens.

## Kept widths

Of ${card.config.keyValueHeads} key/value heads (${card.config.queryHeads / card.config.keyValueHeads} query heads each) and ${card.config.neurons} neurons a layer:

| layer | key/value heads | neurons |
| --- | --- | --- |
${card.config.layerWidths.map(widthRow).join('\n')}

A pruned model can be wrong in ways that its perplexity does not show. Test it on your own task.
`;
}

const count = (value: number) => value.toLocaleString('en-US');

function workLine({ context, before, after }: ModelCard['multiplyAccumulates']): string {
  const fewer = `${((1 - after / before) * 100).toFixed(1)}% fewer`;
  return `A token with a context of ${count(context)} takes ${count(after)}\nmultiply-accumulates instead of ${count(before)} (${fewer}).`;
}

const title = ({ name, revision }: Provenance) => `\`${name}\`${revision ? ` at revision \`${revision}\`` : ''}`;

const widthRow = ({ keyValueHeads, neurons }: LayerWidths, layer: number) =>
  keyValueHeads === 0 && neurons === 0
    ? `| ${layer} | removed | removed |`
    : `| ${layer} | ${keyValueHeads} | ${neurons} |`;

function recipeLines(recipe: Recipe | undefined): string {
  if (!recipe) return 'No recipe was recorded.';
  return recipeSettings(recipe)
    .map(({ name, value }) => `- ${name}: ${value}`)
    .join('\n');
}

function figureLines(figures: Readonly<Record<string, string>>): string {
  const entries = Object.entries(figures);
  if (entries.length === 0) return '';
  return `\n| measured | value |\n| --- | --- |\n${entries.map(([what, value]) => `| ${what} | ${value} |`).join('\n')}\n`;
}
