import { memo } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { TextChoice } from '../../parts/text-choice.tsx';
import { useStudioFields } from '../../store.ts';
import { useMeasureSettings } from './measurements.ts';

/** On what is measured, and how much. Remembered as drawn: the ratio does not matter to it. */
export const CompareFields = memo(function CompareFields() {
  const { data: model } = useModel();
  const settings = useMeasureSettings();
  const { measureText, setMeasure } = useStudioFields('measureText', 'setMeasure');
  return (
    <div className="fields">
      <TextChoice
        label="Measure on"
        embedded="stories, shipped"
        value={measureText}
        onChange={(text) => setMeasure({ measureText: text })}
      />
      <NumberField
        label="Windows"
        value={settings.measureWindows}
        min={1}
        max={512}
        onChange={(value) => setMeasure({ measureWindows: Math.round(value) })}
      />
      <NumberField
        label="Window length"
        unit="tokens"
        value={settings.measureLength}
        min={8}
        max={model?.maximumPositions ?? 512}
        onChange={(value) => setMeasure({ measureLength: Math.round(value) })}
      />
      <NumberField
        label="Decode"
        unit="tokens"
        value={settings.speedTokens}
        min={4}
        max={256}
        onChange={(value) => setMeasure({ speedTokens: Math.round(value) })}
      />
      <NumberField
        label="Speed, at most"
        unit="s"
        value={settings.speedSeconds}
        min={1}
        max={120}
        onChange={(value) => setMeasure({ speedSeconds: value })}
      />
    </div>
  );
});
