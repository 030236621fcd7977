import { useQueryClient } from '@tanstack/react-query';
import { familyTitle } from '../../../architecture/family-titles.ts';
import { useBackend, useModel, useScores } from '../../data/use-engine.ts';
import { formatBytes, formatCount } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { ModelPicker } from './model-picker.tsx';

const HINTS = {
  embedded: 'Served with this page. Nothing leaves this machine.',
  hub: 'Downloaded into this browser. Nothing leaves this machine.',
  files: 'Read from your files. Nothing leaves this machine.',
} as const;

/** What is on the bench. The score file knows the model's shape before the engine has opened the model itself. */
export function ModelPanel() {
  const { data: scores } = useScores();
  const { data: model, error, refetch } = useModel();
  const chosen = useStudio((state) => state.chosenModel);
  const client = useQueryClient();
  const backend = useBackend();
  const opening = useStudio((state) => state.tasks.model !== undefined);
  const layers = model?.layers ?? scores?.groups;
  const attention = layers?.find(({ attention: { groups } }) => groups > 0)?.attention;
  const convolution = layers?.find((layer) => layer.convolution)?.convolution;
  const experts = layers?.find(({ mlp }) => mlp.experts)?.mlp;
  const first = layers?.[0];
  const architecture = model?.architecture ?? textOf(scores?.model.config.model_type);
  const vocabulary = model?.vocabulary ?? scores?.model.config.vocab_size;
  return (
    <Panel id="model" title="Model" hint={HINTS[chosen.kind]}>
      <dl className="facts">
        <Fact
          name="Name"
          value={model?.name ?? scores?.model.name ?? (chosen.kind === 'embedded' ? chosen.id : chosen.name)}
        />
        <Fact name="Architecture" value={architecture && familyTitle(architecture)} />
        <Fact name="Parameters" value={numberText(model?.parameters ?? scores?.model.parameters)} />
        <Fact name="Layers" value={numberText(layers?.length)} />
        <Fact
          name="Attention groups"
          value={attention && `${attention.groups} per layer${convolution ? ' that attends' : ''}`}
        />
        {convolution && (
          <Fact name="Convolution channels" value={`${formatCount(convolution.groups)} per layer that convolves`} />
        )}
        {experts && (
          <Fact
            name="Experts"
            value={`${formatCount(experts.experts?.length ?? 0)} per layer, ${formatCount(experts.perToken ?? 1)} of them for a token`}
          />
        )}
        <Fact name="Neurons" value={first && `${formatCount(first.mlp.groups)} per layer`} />
        <Fact name="Vocabulary" value={numberText(vocabulary)} />
        <Fact name="Weights" value={model && formatBytes(model.bytes)} />
        <Fact name="Licence" value={model && (model.licence ?? 'not stated')} />
      </dl>
      <TaskProgress
        name="model"
        label="Opening the model"
        onCancel={() => void client.cancelQueries({ queryKey: ['model'] })}
      />
      {!model && !error && backend.isSuccess && !opening && (
        <p className="small">
          Opening was stopped.{' '}
          <button type="button" className="link" onClick={() => void refetch()}>
            Open it
          </button>
        </p>
      )}
      {backend.data?.reason && !backend.data.reason.includes('backend=') && (
        <p className="soft small backend-reason">{backend.data.reason}</p>
      )}
      {backend.data?.lacks.map((sentence) => (
        <p key={sentence} className="soft small backend-reason">
          {sentence}
        </p>
      ))}
      {backend.isPending && <p className="soft small">Starting the engine…</p>}
      {(error ?? backend.error) && <Notice kind="error">{(error ?? backend.error)?.message}</Notice>}
      <ModelPicker />
    </Panel>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value ?? <span className="pending">…</span>}</dd>
    </div>
  );
}

function numberText(value: unknown): string | undefined {
  return typeof value === 'number' ? formatCount(value) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
