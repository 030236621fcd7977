import { useState } from 'react';
import type { ExportedModel } from '../../../worker/engine.ts';
import { useModel } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { TokenField } from '../../parts/token-field.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';

/** A verified build on its way to the hub: where to, by whose token, and what its card says of licence and base model. */
export function Publish({ exported }: { readonly exported: ExportedModel }) {
  const { data: model } = useModel();
  const job = useJobs().publishing;
  const isPublishing = useStudio((state) => state.tasks.publish !== undefined);
  const [repository, setRepository] = useState('');
  const [token, setToken] = useState('');
  const [isPrivate, setIsPrivate] = useState(true);
  const [licence, setLicence] = useState(model?.licence ?? '');
  const [baseModel, setBaseModel] = useState(model && /^[\w.-]+\/[\w.-]+$/.test(model.name) ? model.name : '');
  const done = job.data?.exported === exported ? job.data : undefined;
  const publish = () => {
    const given = (text: string) => (text === '' ? undefined : text);
    const wish = { exported, repository, isPrivate, licence: given(licence), baseModel: given(baseModel) };
    // The token has gone with the call: nothing of it stays, whatever comes of it. Failures are told below.
    setToken('');
    job.publish(wish, token).catch(() => undefined);
  };
  return (
    <details className="publish">
      <summary>Publish on the Hugging Face hub</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          publish();
        }}
      >
        <div className="fields">
          <TextField
            label="Repository"
            value={repository}
            placeholder="your-name/your-model"
            onChange={setRepository}
          />
          <TextField label="Licence" value={licence} placeholder="apache-2.0" onChange={setLicence} />
          <TextField label="Base model" value={baseModel} placeholder="org/name" onChange={setBaseModel} />
          <TokenField label="Access token with the right to write" value={token} onChange={setToken} />
        </div>
        <label className="take-format">
          <input type="checkbox" checked={isPrivate} onChange={(event) => setIsPrivate(event.target.checked)} />
          Private, where the repository is new
        </label>
        <p className="soft small">
          The token goes to the hub with this one upload and is stored nowhere. All files are published in one commit,
          or none.
        </p>
        <button type="submit" className="primary" disabled={isPublishing || repository.trim() === '' || token === ''}>
          Publish {exported.name}
        </button>
      </form>
      <TaskProgress name="publish" label="Publishing" onCancel={job.cancel} />
      {job.error && (
        <Notice kind={job.error.name === 'CancelledError' ? 'note' : 'error'}>
          {job.error.name === 'CancelledError' ? 'Cancelled: nothing was published.' : job.error.message}
        </Notice>
      )}
      {done && (
        <p role="status">
          <strong>Published</strong> {done.files.length} files as{' '}
          <a href={done.url} target="_blank" rel="noreferrer">
            {done.url}
          </a>
          , commit {done.commit.slice(0, 12)}.
        </p>
      )}
    </details>
  );
}
