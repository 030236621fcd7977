import { memo } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { useStudioFields } from '../../store.ts';

/** How text is drawn. Remembered as drawn: the ratio does not matter to it. */
export const GenerateFields = memo(function GenerateFields() {
  const { data: model } = useModel();
  const {
    maxNewTokens,
    temperature,
    generateSeed,
    topK,
    topP,
    repetitionPenalty,
    showDoubt,
    useChat,
    autoRead,
    setGenerate,
  } = useStudioFields(
    'maxNewTokens',
    'temperature',
    'generateSeed',
    'topK',
    'topP',
    'repetitionPenalty',
    'showDoubt',
    'useChat',
    'autoRead',
    'setGenerate',
  );
  return (
    <>
      <NumberField
        label="New tokens"
        value={maxNewTokens}
        min={1}
        max={480}
        onChange={(value) => setGenerate({ maxNewTokens: Math.round(value) })}
      />
      <NumberField
        label="Temperature"
        value={temperature}
        min={0}
        max={2}
        step={0.1}
        onChange={(value) => setGenerate({ temperature: value })}
      />
      <NumberField
        label="Seed"
        value={generateSeed}
        min={0}
        max={2 ** 31 - 1}
        onChange={(value) => setGenerate({ generateSeed: Math.round(value) })}
      />
      <NumberField
        label="Top-k, 0: all"
        value={topK}
        min={0}
        max={1000}
        disabled={temperature === 0}
        onChange={(value) => setGenerate({ topK: Math.round(value) })}
      />
      <NumberField
        label="Top-p"
        value={topP}
        min={0.01}
        max={1}
        step={0.01}
        disabled={temperature === 0}
        onChange={(value) => setGenerate({ topP: value })}
      />
      <NumberField
        label="Repetition penalty"
        value={repetitionPenalty}
        min={0.5}
        max={10}
        step={0.05}
        onChange={(value) => setGenerate({ repetitionPenalty: value })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={autoRead}
          onChange={(event) => setGenerate({ autoRead: event.target.checked })}
        />
        write when I pause
      </label>
      {model?.chat && (
        <label className="check">
          <input
            type="checkbox"
            checked={useChat}
            onChange={(event) => setGenerate({ useChat: event.target.checked })}
          />
          as a chat message
        </label>
      )}
      <label className="check">
        <input
          type="checkbox"
          checked={showDoubt}
          onChange={(event) => setGenerate({ showDoubt: event.target.checked })}
        />
        shade unsure tokens
      </label>
    </>
  );
});
