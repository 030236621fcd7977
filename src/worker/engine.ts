import { Bench, type Platform } from './engine/bench.ts';
import { type CompareCalls, compareCalls } from './engine/compare.ts';
import { type DeviceCalls, deviceCalls } from './engine/device.ts';
import { type EvaluateCalls, evaluateCalls } from './engine/evaluate.ts';
import { type ExportCalls, exportCalls } from './engine/export.ts';
import { type GenerateCalls, generateCalls } from './engine/generate.ts';
import { type ModelCalls, modelCalls } from './engine/models.ts';
import { type PlanCalls, planCalls } from './engine/plan.ts';
import { type PublishCalls, publishCalls } from './engine/publish.ts';
import { type RecoverCalls, recoverCalls } from './engine/recover.ts';
import { type ScoreCalls, scoreCalls } from './engine/score.ts';
import { type VocabularyCalls, vocabularyCalls } from './engine/vocabulary.ts';

export type { BackendChoice, BackendInfo } from './engine/backend.ts';
export type { Platform } from './engine/bench.ts';
export type * from './engine/compare.ts';
export type * from './engine/device.ts';
export type * from './engine/evaluate.ts';
export type * from './engine/export.ts';
export type * from './engine/generate.ts';
export type { KeptTraining } from './engine/kept-training.ts';
export type * from './engine/models.ts';
export type * from './engine/plan.ts';
export type * from './engine/publish.ts';
export type * from './engine/recover.ts';
export type { Repair } from './engine/repaired-models.ts';
export type * from './engine/score.ts';
export type * from './engine/vocabulary.ts';

/**
 * Everything that the page can ask for. A plan of `null` means the dense model.
 * All calls reject with an EspalierError; a fired signal rejects with CancelledError. Calls may overlap: the engine queues what must not.
 */
export interface Engine
  extends ModelCalls,
    ScoreCalls,
    PlanCalls,
    EvaluateCalls,
    CompareCalls,
    DeviceCalls,
    RecoverCalls,
    GenerateCalls,
    ExportCalls,
    PublishCalls,
    VocabularyCalls {}

/** The engine behind the page: the library's verbs on one runtime and one open model. */
export function createEngine(platform: Platform): Engine {
  const bench = new Bench(platform);
  return {
    ...modelCalls(bench),
    ...scoreCalls(bench),
    ...planCalls(bench),
    ...evaluateCalls(bench),
    ...compareCalls(bench),
    ...deviceCalls(bench),
    ...recoverCalls(bench),
    ...generateCalls(bench),
    ...exportCalls(bench),
    ...publishCalls(),
    ...vocabularyCalls(bench),
  };
}
