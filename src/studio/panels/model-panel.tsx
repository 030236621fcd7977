import { EMBEDDED_MODEL } from '../data/embedded.ts';
import { useBackend, useModel, useScores } from '../data/use-engine.ts';
import { formatBytes, formatCount } from '../parts/format.ts';
import { Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { TaskProgress } from '../parts/task-progress.tsx';

/** What is on the bench. The score file knows the model's shape before the engine has opened the model itself. */
export function ModelPanel() {
  const { data: scores } = useScores();
  const { data: model, error } = useModel();
  const backend = useBackend();
  const layers = model?.layers ?? scores?.groups;
  const first = layers?.[0];
  const architecture = model?.architecture ?? textOf(scores?.model.config.model_type);
  const vocabulary = model?.vocabulary ?? scores?.model.config.vocab_size;
  return (
    <Panel id="model" title="Model" hint="Served with this page. Nothing leaves this machine.">
      <dl className="facts">
        <Fact name="Name" value={model?.name ?? scores?.model.name ?? EMBEDDED_MODEL} />
        <Fact name="Architecture" value={architecture} />
        <Fact name="Parameters" value={numberText(model?.parameters ?? scores?.model.parameters)} />
        <Fact name="Layers" value={numberText(layers?.length)} />
        <Fact name="Attention groups" value={first && `${first.attention.groups} per layer`} />
        <Fact name="Neurons" value={first && `${formatCount(first.mlp.groups)} per layer`} />
        <Fact name="Vocabulary" value={numberText(vocabulary)} />
        <Fact name="Weights" value={model && formatBytes(model.bytes)} />
        <Fact name="Licence" value={model && (model.licence ?? 'not stated')} />
      </dl>
      <TaskProgress name="model" label="Opening the model" />
      {backend.isPending && <p className="soft small">Starting the engine…</p>}
      {(error ?? backend.error) && <Notice kind="error">{(error ?? backend.error)?.message}</Notice>}
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
