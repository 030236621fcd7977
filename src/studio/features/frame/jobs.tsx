import { createContext, type ReactNode, useContext } from 'react';
import { useSample } from '../calibration/use-sample.ts';
import { useScoreRun } from '../calibration/use-score-run.ts';
import { useDeviceRun } from '../device/use-device-run.ts';
import { useSideBySide } from '../methods/use-side-by-side.ts';
import { usePasses } from '../plan/use-passes.ts';
import { useRefine } from '../plan/use-refine.ts';
import { useSpeedTarget } from '../plan/use-speed-target.ts';
import { useGeneration } from '../read/use-generation.ts';
import { useRecoveredExport, useRecovery } from '../recovery/use-recovery.ts';
import { useExport } from '../take-away/use-export.ts';
import { usePublish } from '../take-away/use-publish.ts';
import { useTaskRun } from '../tasks/use-tasks.ts';
import { useVocabularyCost } from '../vocabulary/use-vocabulary-cost.ts';

/** What the reader can start: it goes on, and can be stopped, when the sheet or drawer that started it is closed. */
function useAllJobs() {
  return {
    score: useScoreRun(),
    sample: useSample(),
    refine: useRefine(),
    speedTarget: useSpeedTarget(),
    passes: usePasses(),
    device: useDeviceRun(),
    sideBySide: useSideBySide(),
    generation: useGeneration(),
    recovery: useRecovery(),
    recoveredExport: useRecoveredExport(),
    exporting: useExport(),
    publishing: usePublish(),
    vocabulary: useVocabularyCost(),
    tasks: useTaskRun(),
  };
}

export type Jobs = ReturnType<typeof useAllJobs>;

const JobsContext = createContext<Jobs | undefined>(undefined);

/** Holds the jobs of the page. Renders again only when one of them begins or ends: what they tell meanwhile goes through the store. */
export function JobsProvider({ children }: { readonly children: ReactNode }) {
  return <JobsContext value={useAllJobs()}>{children}</JobsContext>;
}

/** The jobs of the page. Throws outside of `JobsProvider`. */
export function useJobs(): Jobs {
  const jobs = useContext(JobsContext);
  if (!jobs) throw new Error('useJobs needs JobsProvider around it.');
  return jobs;
}
