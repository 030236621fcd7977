import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { storyCloze } from './story-cloze.mjs';

const folder = fileURLToPath(new URL('../public/models/stories/', import.meta.url));
const text = readFileSync(`${folder}evaluation.txt`, 'utf8');
const items = storyCloze(text);

test('the shipped task is what the script makes of the shipped text', () => {
  expect(readFileSync(`${folder}story-cloze.jsonl`, 'utf8')).toBe(
    items.map((item) => `${JSON.stringify(item)}\n`).join(''),
  );
  expect(items.length).toBeGreaterThanOrEqual(60);
  expect(items.length).toBeLessThanOrEqual(100);
});

test('the right choice goes on as the story does; the others end other stories', () => {
  for (const { query, choices, gold } of items) {
    const story = text.split(/\n\n+/).find((candidate) => candidate.startsWith(query)) ?? '';
    expect(story.slice(query.length).trimStart().startsWith(choices[gold])).toBe(true);
    expect(new Set(choices).size).toBe(4);
    choices.forEach((choice, place) => {
      expect(text).toContain(choice);
      if (place !== gold) expect(story.slice(query.length).trimStart().startsWith(choice)).toBe(false);
    });
  }
});

test('neither the place nor the length of a choice gives it away', () => {
  const places = [0, 1, 2, 3].map((place) => items.filter(({ gold }) => gold === place).length);
  expect(Math.max(...places) - Math.min(...places)).toBeLessThanOrEqual(1);
  const rightIs = (extreme) =>
    items.filter(({ choices, gold }) => choices[gold].length === extreme(...choices.map(({ length }) => length)))
      .length / items.length;
  expect(rightIs(Math.max)).toBeLessThan(0.45);
  expect(rightIs(Math.min)).toBeLessThan(0.45);
});
