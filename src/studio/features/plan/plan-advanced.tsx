import { useShallow } from 'zustand/react/shallow';
import type { Scores } from '../../../importance/sums/scores.ts';
import { defaultMinimumNeurons } from '../../../plan/make-plan.ts';
import { hasStability } from '../../../plan/measured-coordinates.ts';
import { DEFAULT_ROUND_TO } from '../../../plan/recipe.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { OptionalNumberField } from '../../parts/optional-number-field.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';
import { MetricField } from '../importance/metric-field.tsx';
import { BalanceFields } from './balance-fields.tsx';
import { INITIAL_RECIPE, type RecipeChoices } from './slice.ts';

/** All else that the command line's `plan` and `prune` take. Empty fields hold their defaults. */
export function PlanAdvanced({ scores }: { readonly scores: Scores | undefined }) {
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const { repairWindows, repairLambda, refineWindows, refineEvaluations, setCalibration } = useStudio(
    useShallow((state) => ({
      ...{ repairWindows: state.repairWindows, repairLambda: state.repairLambda, refineWindows: state.refineWindows },
      ...{ refineEvaluations: state.refineEvaluations, setCalibration: state.setCalibration },
    })),
  );
  const neurons = Math.max(1, ...(scores?.groups.map(({ mlp }) => mlp.groups) ?? [1]));
  const groups = Math.max(1, ...(scores?.groups.map(({ attention }) => attention.groups) ?? [1]));
  const fused = recipe.metric?.includes('+') ?? false;
  const changed = CHANGEABLE.filter((key) => recipe[key] !== INITIAL_RECIPE[key]).length;
  const isLeastSquares = recipe.compensate === 'least-squares';
  return (
    <details className="advanced">
      <summary>
        Advanced{changed > 0 && <span className="tag">{changed === 1 ? '1 is set' : `${changed} are set`}</span>}
      </summary>
      <div className="advanced-fields">
        <h3>What stays</h3>
        <OptionalNumberField
          label="Attention groups per layer"
          value={recipe.minimumAttentionGroups}
          {...{ min: 1, max: groups, placeholder: '1' }}
          hint="at least"
          onChange={(minimumAttentionGroups) => changeRecipe({ minimumAttentionGroups })}
        />
        <OptionalNumberField
          label="Neurons per layer"
          value={recipe.minimumNeurons}
          {...{ min: 1, max: neurons, placeholder: String(defaultMinimumNeurons(neurons)) }}
          hint="at least"
          onChange={(minimumNeurons) => changeRecipe({ minimumNeurons })}
        />
        <OptionalNumberField
          label="Widths in steps of"
          value={recipe.roundTo === DEFAULT_ROUND_TO ? undefined : recipe.roundTo}
          {...{ min: 1, max: neurons, placeholder: String(DEFAULT_ROUND_TO) }}
          hint="neurons; multiples of 4 are fast on WebGPU"
          onChange={(roundTo) => changeRecipe({ roundTo })}
        />
        <SelectField
          label="Shape"
          value={recipe.shape ?? 'free'}
          options={SHAPES}
          onChange={(shape) =>
            changeRecipe({
              shape: shape === 'free' ? undefined : shape,
              // A standard model has no biases, and a repair would add some.
              ...(shape === 'standard' && { compensate: 'none' }),
            })
          }
        />
        {scores?.groups.some(({ mlp }) => mlp.experts) && (
          <SelectField
            label="Experts"
            value={recipe.experts ?? 'neurons'}
            options={EXPERTS}
            onChange={(experts) => changeRecipe({ experts: experts === 'neurons' ? undefined : experts })}
          />
        )}
        <h3>How groups are ranked</h3>
        <MetricField />
        <OptionalNumberField
          label="Gamma"
          value={recipe.gamma}
          {...{ min: 0, max: 4, step: 'any', placeholder: 'the ratio' }}
          hint="0 ranks over all layers, 1 within each"
          onChange={(gamma) => changeRecipe({ gamma })}
        />
        {(!scores || hasStability(scores)) && (
          <OptionalNumberField
            label="Stability exponent"
            value={recipe.stability}
            {...{ min: -16, max: 16, step: 'any', placeholder: '0' }}
            hint="−1 removes unstable groups first"
            onChange={(stability) => changeRecipe({ stability })}
          />
        )}
        <BalanceFields />
        <div className="field">
          <span className="field-label">Fusion</span>
          <Segmented
            label="Fusion"
            options={FUSIONS}
            value={recipe.fusion ?? 'shared'}
            disabled={!fused}
            onChange={(fusion) => changeRecipe({ fusion })}
          />
        </div>
        <div className="field">
          <span className="field-label">Fusion scope</span>
          <Segmented
            label="Fusion scope"
            options={SCOPES}
            value={recipe.fusionScope ?? 'model'}
            disabled={!fused || recipe.fusion === 'geometric'}
            onChange={(fusionScope) => changeRecipe({ fusionScope })}
          />
        </div>
        <OptionalNumberField
          label="Seed of random"
          value={recipe.seed === 0 ? undefined : recipe.seed}
          {...{ min: 0, max: 2 ** 31 - 1, placeholder: '0' }}
          onChange={(seed = 0) => changeRecipe({ seed })}
        />
        <h3>What is measured on calibration text</h3>
        <NumberField
          label="Repair: windows, at most"
          value={repairWindows}
          min={1}
          max={4096}
          onChange={(value) => setCalibration({ repairWindows: Math.round(value) })}
        />
        <NumberField
          label="Repair: lambda"
          value={repairLambda}
          {...{ min: 0, max: 10, step: 'any', disabled: !isLeastSquares }}
          onChange={(value) => setCalibration({ repairLambda: value })}
        />
        <NumberField
          label="Refine: windows"
          value={refineWindows}
          min={1}
          max={512}
          onChange={(value) => setCalibration({ refineWindows: Math.round(value) })}
        />
        <NumberField
          label="Refine: steps beyond closed form"
          value={refineEvaluations}
          min={0}
          max={200}
          onChange={(value) => setCalibration({ refineEvaluations: Math.round(value) })}
        />
      </div>
      {changed > 0 && (
        <button
          type="button"
          className="link"
          onClick={() => changeRecipe(Object.fromEntries(CHANGEABLE.map((key) => [key, undefined])))}
        >
          Back to the defaults
        </button>
      )}
    </details>
  );
}

/** Fields that are absent from a recipe that holds the defaults. */
const CHANGEABLE: readonly (keyof RecipeChoices)[] = [
  'minimumAttentionGroups',
  'minimumNeurons',
  'roundTo',
  'shape',
  'experts',
  'gamma',
  'stability',
  'balance',
];

const EXPERTS = [
  { value: 'neurons', label: 'neuron by neuron' },
  { value: 'whole', label: 'only as a whole' },
] as const;

const SHAPES = [
  { value: 'free', label: 'free' },
  { value: 'uniform', label: 'uniform' },
  { value: 'standard', label: 'standard' },
] as const;

const FUSIONS = [
  { value: 'shared', label: 'shared' },
  { value: 'geometric', label: 'geometric' },
] as const;

const SCOPES = [
  { value: 'model', label: 'model' },
  { value: 'module', label: 'module' },
  { value: 'layer', label: 'layer' },
] as const;
