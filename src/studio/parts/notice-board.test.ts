import { expect, it, vi } from 'vitest';
import { createNoticeBoard } from './notice-board.ts';

it('shows a sentence at the first place alone, and at the next when that one goes', () => {
  const board = createNoticeBoard();
  const heard = vi.fn();
  const unsubscribe = board.subscribe(heard);
  const takeDown = board.put('The engine could not be loaded.', 'model');
  board.put('The engine could not be loaded.', 'compare');
  board.put('Another sentence.', 'compare');
  expect(board.isElsewhere('The engine could not be loaded.', 'model')).toBe(false);
  expect(board.isElsewhere('The engine could not be loaded.', 'compare')).toBe(true);
  expect(board.isElsewhere('Another sentence.', 'compare')).toBe(false);
  takeDown();
  expect(board.isElsewhere('The engine could not be loaded.', 'compare')).toBe(false);
  expect(heard).toHaveBeenCalledTimes(4);
  unsubscribe();
  board.put('A third.', 'model');
  expect(heard).toHaveBeenCalledTimes(4);
});
