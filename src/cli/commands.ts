import type { Command } from 'commander';
import { addCompare } from './compare.ts';
import { addCompletion } from './completion/completion.ts';
import { addEvaluate } from './evaluate.ts';
import { addGenerate } from './generate.ts';
import { addInspect } from './inspect.ts';
import { addMergeScores } from './merge-scores.ts';
import { addPlan } from './plan.ts';
import { addPrune } from './prune.ts';
import { addPush } from './push.ts';
import { addRecover } from './recover.ts';
import { addSample } from './sample.ts';
import { addScore } from './score.ts';
import { addStudio } from './studio.ts';

/** Every command adds itself to the program; long ones watch the signal. */
export type AddCommand = (program: Command, signal: AbortSignal) => void;

export const COMMANDS: readonly AddCommand[] = [
  addInspect,
  addScore,
  addMergeScores,
  addPlan,
  addPrune,
  addRecover,
  addEvaluate,
  addGenerate,
  addSample,
  addCompare,
  addPush,
  addStudio,
  addCompletion,
];
