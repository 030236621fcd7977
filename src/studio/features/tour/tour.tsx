import { type CSSProperties, useEffect, useState } from 'react';
import { HEAT_WORDS, type Theme } from '../../charts/heat-scale.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudioFields } from '../../store.ts';
import { useTheme } from '../frame/use-theme.ts';

interface Step {
  /** What the step is about, as a selector. */
  readonly at: string;
  readonly title: string;
  readonly text: string;
}

const stepsOf = (theme: Theme): readonly Step[] => [
  {
    at: '#importance',
    title: 'The model, part by part',
    text: `Every row is a layer: attention heads on the left, neurons on the right. What is ${HEAT_WORDS[theme].needed} matters, what is ${HEAT_WORDS[theme].spare} hardly does. What is hatched goes.`,
  },
  {
    at: '.curve',
    title: 'One slider',
    text: 'Drag it, or anywhere on the curve. The plan is made anew at every step; the curve says what it costs.',
  },
  {
    at: '#outcome',
    title: 'What it comes to',
    text: 'Size, perplexity and speed of the smaller model. ≈ is an estimate; it is measured on this machine when you pause.',
  },
  {
    at: '#read',
    title: 'Read the damage',
    text: 'The pruned model writes anew whenever you let go. Underlined is what the dense model would not have written. The prompt is yours to change.',
  },
  {
    at: '.export-button',
    title: 'Take it away',
    text: 'An ONNX model that transformers.js and ONNX Runtime load as it is, checked before you get it. Nothing leaves this machine.',
  },
];

const CARD = { width: 320, height: 190, gap: 12 } as const;

/** Five steps for a first visit. Skipped or ended, it does not come back by itself. */
export function Tour() {
  const { tourStep, tourSeen, presenting, setBench } = useStudioFields(
    'tourStep',
    'tourSeen',
    'presenting',
    'setBench',
  );
  const { isSuccess } = useScores();
  useEffect(() => {
    if (!tourSeen && isSuccess && tourStep === undefined) setBench({ tourStep: 0 });
  }, [tourSeen, isSuccess, tourStep, setBench]);
  const steps = stepsOf(useTheme());
  const step = tourStep === undefined ? undefined : steps[tourStep];
  if (!step || tourStep === undefined || presenting) return null;
  const end = () => setBench({ tourStep: undefined, tourSeen: true });
  const isLast = tourStep === steps.length - 1;
  return (
    <TourCard key={tourStep} step={step} onEnd={end}>
      <span className="soft small">
        {tourStep + 1} of {steps.length}
      </span>
      {!isLast && (
        <button type="button" className="link" onClick={end}>
          Skip, for good
        </button>
      )}
      <button type="button" className="primary" onClick={() => (isLast ? end() : setBench({ tourStep: tourStep + 1 }))}>
        {isLast ? 'Begin' : 'Next'}
      </button>
    </TourCard>
  );
}

function TourCard({
  step,
  onEnd,
  children,
}: {
  readonly step: Step;
  readonly onEnd: () => void;
  readonly children: React.ReactNode;
}) {
  const [place, setPlace] = useState<CSSProperties>();
  useEffect(() => {
    const target = document.querySelector(step.at);
    if (!target) return;
    target.classList.add('toured');
    const follow = () => setPlace(placeBeside(target.getBoundingClientRect()));
    target.scrollIntoView({ block: 'nearest' });
    follow();
    globalThis.addEventListener('resize', follow);
    return () => {
      target.classList.remove('toured');
      globalThis.removeEventListener('resize', follow);
    };
  }, [step]);
  return (
    <aside className="tour" aria-label="Tour" style={place} onKeyDown={(event) => event.key === 'Escape' && onEnd()}>
      <h2>{step.title}</h2>
      <p>{step.text}</p>
      <div className="tour-foot">{children}</div>
    </aside>
  );
}

/** Beside a target where there is room, else inside its lower edge; never outside of the window. */
function placeBeside({ left, right, top, bottom }: DOMRect): CSSProperties {
  const { innerWidth, innerHeight } = globalThis;
  const x =
    right + CARD.gap + CARD.width < innerWidth
      ? right + CARD.gap
      : left - CARD.gap - CARD.width > 0
        ? left - CARD.gap - CARD.width
        : right - CARD.width - CARD.gap;
  const y = top < innerHeight / 2 ? top + CARD.gap : bottom - CARD.height - CARD.gap;
  return {
    left: Math.max(CARD.gap, Math.min(innerWidth - CARD.width - CARD.gap, x)),
    top: Math.max(CARD.gap, Math.min(innerHeight - CARD.height - CARD.gap, y)),
  };
}
