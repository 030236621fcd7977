/** A command line that runs as it stands, or with a file of one's own where it names one, and what it is for. */
export interface Example {
  readonly line: string;
  readonly what: string;
}

/** What `--help` shows of the program and of every command. A test holds each line to the options that there are. */
export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  espalier: [
    { line: 'espalier studio --open', what: 'the studio, in a browser' },
    { line: 'espalier prune stories --ratio 0.2 --output stories-20', what: 'a fifth smaller, exported and verified' },
    { line: 'espalier generate stories-20 --prompt "Once upon a time"', what: 'what the pruned model writes' },
  ],
  inspect: [
    { line: 'espalier inspect stories', what: 'the embedded model' },
    { line: 'espalier inspect HuggingFaceTB/SmolLM2-135M-Instruct --json', what: 'a model of the hub, for a script' },
  ],
  score: [
    { line: 'espalier score stories --output scores.safetensors', what: 'on the text that ships with the model' },
    {
      line: 'espalier score ./my-model --calibration text.txt --windows 128 --output scores.safetensors',
      what: 'a folder in the Hugging Face layout, on a text of your own',
    },
    {
      line: 'espalier score stories --shard 0/4 --output part-0.safetensors',
      what: 'a quarter of the windows, on one machine of four',
    },
  ],
  'merge-scores': [
    {
      line: 'espalier merge-scores part-0.safetensors part-1.safetensors --output scores.safetensors',
      what: 'the scores of one run from its shards',
    },
  ],
  plan: [
    { line: 'espalier plan scores.safetensors --ratio 0.2 --output plan.json', what: 'remove a fifth' },
    {
      line: 'espalier plan scores.safetensors --bytes 20000000 --dtype q8 --output plan.json',
      what: 'an export of at most 20 MB',
    },
    { line: 'espalier plan scores.safetensors --ratio 0.5 --method wanda --output plan.json', what: 'by a baseline' },
  ],
  prune: [
    { line: 'espalier prune stories --ratio 0.2 --output stories-20', what: 'remove a fifth, by the default recipe' },
    { line: 'espalier prune stories --plan plan.json --output stories-planned', what: 'what a plan file says' },
    {
      line: 'espalier prune stories --config recipe.json --output stories-again',
      what: 'by a recipe: a plan, or the espalier.json of an earlier export',
    },
    {
      line: 'espalier prune stories --ratio 0.2 --shape uniform --format onnx,safetensors,gguf --output stories-anywhere',
      what: 'for transformers.js, transformers and llama.cpp',
    },
  ],
  recover: [
    {
      line: 'espalier recover stories --ratio 0.2 --data stories.txt --output stories-20-q4',
      what: 'prune, train at 4 bits, export',
    },
    {
      line: 'espalier recover stories --ratio 0.2 --data stories.txt --checkpoint training.state --output stories-20-q4',
      what: 'the same, kept as it goes: repeat it after an interruption',
    },
  ],
  evaluate: [
    { line: 'espalier evaluate stories --text text.txt', what: 'perplexity on a text' },
    {
      line: 'espalier evaluate stories-20 --text text.txt --against stories',
      what: 'and how far from the dense model it is',
    },
    { line: 'espalier evaluate stories --tasks story-cloze --limit 50', what: 'zero-shot accuracy' },
  ],
  generate: [
    { line: 'espalier generate stories --prompt "Once upon a time"', what: 'the most probable continuation' },
    {
      line: 'espalier generate stories --prompt "The dog" --temperature 0.8 --top-k 40 --seed 1',
      what: 'a sampled one, the same at every run',
    },
  ],
  sample: [
    { line: 'espalier sample stories --output own.jsonl', what: '192 texts of 128 tokens' },
    {
      line: 'espalier sample ./my-model --opening "Question:" --output own.jsonl',
      what: 'of one kind; then "score ./my-model --calibration own.jsonl"',
    },
  ],
  compare: [
    {
      line: 'espalier compare stories --methods saap,magnitude-l2 --ratios 0.2,0.5 --text text.txt',
      what: 'two methods at two sizes',
    },
    {
      line: 'espalier compare stories --methods saap+least-squares,wanda --ratios 0.2 --tasks story-cloze --output cells.json',
      what: 'by a task, kept after every cell',
    },
  ],
  push: [{ line: 'HF_TOKEN=… espalier push stories-20 your-name/stories-pruned --private', what: 'to the model hub' }],
  studio: [
    { line: 'espalier studio --open', what: 'and a browser with it' },
    { line: 'espalier studio --port 0 --json', what: 'on any free port, told to a script' },
  ],
  completion: [
    { line: 'espalier completion bash > ~/.local/share/bash-completion/completions/espalier', what: 'bash' },
    { line: 'espalier completion zsh > ~/.zsh/completions/_espalier', what: 'zsh' },
    { line: 'espalier completion fish > ~/.config/fish/completions/espalier.fish', what: 'fish' },
  ],
};

/** The end of a help text. */
export function exampleLines(examples: readonly Example[]): string {
  return ['Examples:', ...examples.flatMap(({ line, what }) => [`  # ${what}`, `  ${line}`])].join('\n');
}
