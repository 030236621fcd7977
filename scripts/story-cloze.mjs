import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes the zero-shot task of the embedded model from the stories in its own evaluation.txt: which sentence ends this story, or this paragraph of it?
 * The wrong choices end other stories, or paragraphs of them, and are about as long. Writes story-cloze.jsonl beside the text:
 * `node scripts/story-cloze.mjs public/models/stories`.
 */
const CHOICES = 4;
/** Words of a sentence that may be a choice: shorter ones fit any story ("The end."), longer ones tell themselves apart by their length. */
const WORDS = { least: 6, most: 24 };

/** @typedef {{ story: number, sentence: string, before: string }} Place - a sentence that may be asked for, with all that stands before it */

/**
 * @param {string} text
 * @returns {{ query: string, choices: string[], gold: number }[]} two items a story where it has two fit sentences: a paragraph's end, and its own
 */
export function storyCloze(text) {
  const places = text.trim().split(/\n\n+/).flatMap(endings);
  return places.map((place, index) => {
    const others = distractors(place, places);
    // The right choice stands at each place equally often.
    const gold = index % CHOICES;
    const choices = others.slice(0, CHOICES - 1);
    choices.splice(gold, 0, place.sentence);
    return { query: place.before, choices, gold };
  });
}

/**
 * The fit last sentences of a story's own end and of the paragraph nearest to its middle, each with all that stands before it.
 * @param {string} story
 * @param {number} number
 * @returns {Place[]}
 */
function endings(story, number) {
  const paragraphs = story.split('\n');
  const cuts = paragraphs.flatMap((paragraph, index) => {
    const sentence = lastSentence(paragraph);
    const before = [...paragraphs.slice(0, index), paragraph.slice(0, paragraph.length - sentence.length)]
      .join('\n')
      .trimEnd();
    return isFit(sentence) && before.length >= story.length / 5 ? [{ story: number, sentence, before }] : [];
  });
  const last = cuts.at(-1);
  const middle = cuts
    .slice(0, -1)
    .sort((a, b) => Math.abs(a.before.length - story.length / 2) - Math.abs(b.before.length - story.length / 2))[0];
  return [middle, last].filter((cut) => cut !== undefined);
}

/** @param {string} paragraph */
function lastSentence(paragraph) {
  return paragraph.split(/(?<=[.!?]["']?)\s+(?=["'A-Z])/).at(-1) ?? '';
}

/**
 * Sentences within speech do not stand alone.
 * @param {string} sentence
 */
function isFit(sentence) {
  const words = wordsOf(sentence);
  return !sentence.includes('"') && words >= WORDS.least && words <= WORDS.most && /[.!?]$/.test(sentence);
}

/**
 * Sentences of other stories, nearest in length first, one a story, all different; ties in the order of the stories that follow.
 * @param {Place} place
 * @param {Place[]} places
 */
function distractors({ story, sentence }, places) {
  const candidates = places
    .filter((other) => other.story !== story && other.sentence !== sentence)
    .map((other) => ({
      ...other,
      distance: Math.abs(other.sentence.length - sentence.length),
      after: (other.story - story + 1000) % 1000,
    }))
    .sort((a, b) => a.distance - b.distance || a.after - b.after);
  /** @type {Place[]} */
  const chosen = [];
  for (const candidate of candidates)
    if (!chosen.some((other) => other.story === candidate.story || other.sentence === candidate.sentence))
      chosen.push(candidate);
  return chosen.map((other) => other.sentence);
}

/** @param {string} sentence */
function wordsOf(sentence) {
  return sentence.split(/\s+/).length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('Give the model folder: node scripts/story-cloze.mjs public/models/stories');
    process.exit(2);
  }
  const items = storyCloze(readFileSync(join(folder, 'evaluation.txt'), 'utf8'));
  const output = join(folder, 'story-cloze.jsonl');
  writeFileSync(output, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  console.log(`${output}: ${items.length} items of ${CHOICES} choices.`);
}
