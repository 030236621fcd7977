import { useState } from 'react';
import { encodeScores } from '../../../importance/files/score-file.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import { pngFile } from '../../charts/png-file.ts';
import { svgFile } from '../../charts/svg-file.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { resultsCsv } from '../compare/results-csv.ts';
import { recipeLabel } from '../plan/recipe-label.ts';
import { ShareLink } from '../share/share-link.tsx';
import { download } from './use-export.ts';

/** All that is small: what was chosen, scored and measured, as files for other tools. */
export function Downloads({
  plan,
  scores,
  name,
  card,
}: {
  readonly plan: Plan | undefined;
  readonly scores: Scores | undefined;
  readonly name: string;
  /** The model card of the last build of this plan. */
  readonly card: Blob | undefined;
}) {
  const measured = useCurrentMeasurements();
  const recipe = useStudio((state) => state.recipe);
  const [problem, setProblem] = useState<string>();
  const takePng = async () => {
    try {
      download(`${name}.curves.png`, await pngFile(svgFile(await compareCharts())));
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <ul className="downloads">
      <Line what="which groups stay">
        <TakeButton
          label="Plan"
          disabled={!plan}
          onClick={() => plan && download(`${name}.plan.json`, jsonBlob(plan))}
        />
      </Line>
      <Line what="how the plan was made">
        <TakeButton
          label="Recipe"
          disabled={!plan}
          onClick={() => plan && download(`${name}.recipe.json`, jsonBlob(plan.recipe))}
        />
      </Line>
      <Line what="all metrics, safetensors">
        <TakeButton
          label="Scores"
          disabled={!scores}
          onClick={() =>
            scores && download(`${fileSafe(scores.model.name)}.scores.safetensors`, new Blob([encodeScores(scores)]))
          }
        />
      </Line>
      <Line what="what was measured, CSV">
        <TakeButton
          label="Results"
          disabled={!scores}
          onClick={() =>
            download(`${name}.results.csv`, new Blob([resultsCsv(measured, recipeLabel(recipe))], { type: 'text/csv' }))
          }
        />
      </Line>
      <Line what="the charts of Compare">
        <TakeButton
          label="Curves as SVG"
          disabled={!scores}
          onClick={() => void compareCharts().then((charts) => download(`${name}.curves.svg`, svgFile(charts)))}
        />
        <TakeButton label="as PNG" disabled={!scores} onClick={() => void takePng()} />
      </Line>
      <Line what={card ? 'of the model that was built' : 'there once the model is built'}>
        <TakeButton label="Model card" disabled={!card} onClick={() => card && download(`${name}.README.md`, card)} />
      </Line>
      <Line what="this recipe as an address">
        <ShareLink label="Copy link" className="link" />
      </Line>
      {problem && <Notice kind="error">{problem}</Notice>}
    </ul>
  );
}

function Line({ what, children }: { readonly what: string; readonly children: React.ReactNode }) {
  return (
    <li>
      {children}
      <span className="soft small">{what}</span>
    </li>
  );
}

function TakeButton({
  label,
  disabled,
  onClick,
}: {
  readonly label: string;
  readonly disabled: boolean;
  readonly onClick: () => void;
}) {
  return (
    <button type="button" className="link" disabled={disabled} onClick={onClick}>
      {label}
    </button>
  );
}

/** A name that file systems take: hub ids have a slash. */
export function fileSafe(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, '-');
}

/** Frames until a drawer that opens has its charts at their width. */
const FRAMES = 4;

/** The charts of Compare; its drawer is opened where it is not. */
async function compareCharts(): Promise<SVGSVGElement[]> {
  const charts = () => [...document.querySelectorAll<SVGSVGElement>('svg.ratio-chart')];
  if (charts().length === 0) {
    useStudio.getState().setBench({ drawer: 'compare' });
    for (let frame = 0; frame < FRAMES; frame += 1) await new Promise(requestAnimationFrame);
  }
  return charts();
}

function jsonBlob(value: unknown): Blob {
  return new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' });
}
