import { domainSentence, type NumberDomain } from './typed-number.ts';

/** What a field takes, beside what it was given. */
export function WrongNumber({ id, domain }: { readonly id: string; readonly domain: NumberDomain }) {
  return (
    <span className="field-wrong" id={id} role="alert">
      Not used: it takes {domainSentence(domain)}.
    </span>
  );
}
