import { useEffect, useState } from 'react';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { OutcomeLine } from './outcome-line.tsx';
import { LARGEST_RATIO, RatioSlider } from './ratio-slider.tsx';
import { usePlan } from './use-plan.ts';

/** On small screens: the slider at the lower edge while the plan's own is out of sight, so that one sees the map change under one's thumb. */
export function RatioDock() {
  const outcome = usePlan();
  const recipe = useStudio((state) => state.recipe);
  const [away, setAway] = useState(false);
  useEffect(() => {
    const control = document.querySelector('.ratio-control');
    if (!control) return;
    const observer = new IntersectionObserver(([entry]) => setAway(entry ? !entry.isIntersecting : false));
    observer.observe(control);
    return () => observer.disconnect();
  }, []);
  if (!away || !outcome) return null;
  const ratio = recipe.target.kind === 'ratio' ? recipe.target.value : outcome.ok ? outcome.plan.ratio : 0;
  return (
    <div className="ratio-dock">
      <OutcomeLine />
      <span className="ratio-dock-figure">{formatPercent(Math.min(ratio, LARGEST_RATIO))}</span>
      <RatioSlider ratio={ratio} label="Ratio to remove, docked" />
    </div>
  );
}
